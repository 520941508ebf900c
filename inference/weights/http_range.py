"""Reading a file over HTTP from any byte on. For hubs and registries alike; knows nothing of either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx

from inference.weights.remote import InterruptedPull, RefusedPull

# One request is for so much at most: links that a hub redirects to expire, and some refuse more than 50 GB at once.
SLICE_BYTES = 2**30
SILENCE_SECONDS = 30.0
_MAY_PASS = {408, 425, 429}


def read_from(url: str, headers: Mapping[str, str], start: int, size: int) -> Iterator[bytes]:
    """Pieces of the file of `size` bytes at `url`, from byte `start` on, a gibibyte at most.

    A key in `headers` does not follow a redirect to another host. Raises `InterruptedPull` or `RefusedPull`.
    """
    end = min(start + SLICE_BYTES, size)
    asked = {**headers, "range": f"bytes={start}-{end - 1}", "accept-encoding": "identity"}
    try:
        with client() as http, http.stream("GET", url, headers=asked, follow_redirects=True) as response:
            check(response)
            yield from _from(response, start)
    except httpx.HTTPError as error:
        raise InterruptedPull(phrase(error)) from error


def _from(response: httpx.Response, start: int) -> Iterator[bytes]:
    """The body without what was not asked for: a server may answer a range with everything."""
    skip = start if response.status_code == httpx.codes.OK else 0
    for piece in response.iter_raw():
        if len(piece) > skip:
            yield piece[skip:]
        skip = max(0, skip - len(piece))


def client() -> httpx.Client:
    """With limits on silence, not on how long a download takes."""
    return httpx.Client(timeout=httpx.Timeout(SILENCE_SECONDS, connect=10.0))


def check(response: httpx.Response) -> None:
    """Raise `InterruptedPull` or `RefusedPull` for an answer that is not the file."""
    code = response.status_code
    if code in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        return
    where = response.request.url.copy_with(query=None, userinfo=b"")  # queries of redirects hold signatures
    said = f"{where} answered {code} {response.reason_phrase}".rstrip()
    raise InterruptedPull(said) if code in _MAY_PASS or code >= 500 else RefusedPull(said)


def phrase(error: Exception) -> str:
    """An error of the network as a phrase."""
    return str(error).split("\n")[0].rstrip(".") or type(error).__name__
