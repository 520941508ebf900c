"""A closed-loop load generator: some workers, each of which sends its next request as soon as its last one ended.

It shares the processors with the servers it measures, so it does as little as it can: a bare asyncio protocol that
looks for the first piece of text and for the end of the answer, and reads the token counts once at the end. Every
answer must have exactly the length that was asked for; anything else is an error, not a data point.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

_FIRST_TEXT = re.compile(rb'"(?:content|text)": ?"[^"]')
_LENGTHS = re.compile(rb'"(prompt|completion)_tokens": ?([0-9]+)')
_DONE = b"data: [DONE]"


class LoadError(RuntimeError):
    """An answer was refused, broken off, or not of the length that was asked for."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the key it wants."""

    port: int
    key: str = ""
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and how many tokens its prompt has and its answer must have (None: whatever comes)."""

    path: str
    body: bytes
    prompt_tokens: int | None
    answer_tokens: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and when, in seconds of one clock; `first` is the first piece of text, `pauses` lie between pieces."""

    started: float
    first: float
    ended: float
    pauses: tuple[float, ...]
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of one run: output tokens a second over all of it, times to first token, times to the end."""

    tokens_per_second: float
    first_p50: float
    first_p95: float
    whole_p50: float


class _Reply(asyncio.Protocol):
    """Receives one answer; the server closes the connection after it."""

    def __init__(self, request: bytes) -> None:
        self.gone = asyncio.get_running_loop().create_future()
        self.received: list[bytes] = []
        self.first = self.ended = 0.0
        self.times: list[float] = []
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when the first text and the end came."""
        self.received.append(data)
        self.times.append(now := time.perf_counter())
        if not self.first and _FIRST_TEXT.search(data):
            self.first = now
        if _DONE in data:
            self.ended = now

    def connection_lost(self, error: Exception | None) -> None:
        """The answer is complete, or broken off."""
        if not self.gone.done():
            self.gone.set_result(None)


async def ask(address: Address, request: Ask) -> Answer:
    """Send one request and wait for the end of its answer. Raises `LoadError`."""
    head = (
        f"POST {request.path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nConnection: close\r\n"
        f"Authorization: Bearer {address.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(request.body)}\r\n\r\n"
    )
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    transport, reply = await loop.create_connection(
        lambda: _Reply(head.encode() + request.body), address.host, address.port
    )
    try:
        await reply.gone
    finally:
        transport.close()
    return _checked(request, reply, started)


def _checked(request: Ask, reply: _Reply, started: float) -> Answer:
    content = b"".join(reply.received)
    lengths = {kind: int(count) for kind, count in _LENGTHS.findall(content)}
    wanted = {b"prompt": request.prompt_tokens, b"completion": request.answer_tokens}
    wrong = [kind for kind, count in wanted.items() if lengths.get(kind) != count and count is not None]
    if not content.startswith(b"HTTP/1.1 200") or len(lengths) != 2 or wrong:
        raise LoadError(f"{request.path}: wanted {wanted}, got {lengths}; the answer ends in {content[-600:]!r}")
    ended = reply.ended or time.perf_counter()
    text = [moment for moment in reply.times if reply.first <= moment <= ended]
    pauses = tuple(later - earlier for earlier, later in itertools.pairwise(text))
    return Answer(started, reply.first or ended, ended, pauses, lengths[b"prompt"], lengths[b"completion"])


async def load(address: Address, requests: Sequence[Ask], concurrency: int) -> Load:
    """Send all requests, `concurrency` at a time, and measure. Raises `LoadError`."""
    return figures(await send(address, requests, concurrency))


async def send(address: Address, requests: Sequence[Ask], concurrency: int) -> list[Answer]:
    """All answers. Raises `LoadError`."""
    waiting = iter(requests)
    answers: list[Answer] = []

    async def worker() -> None:
        for request in waiting:
            answers.append(await ask(address, request))  # noqa: PERF401 - the other workers append in between

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return answers


def figures(answers: Sequence[Answer]) -> Load:
    """The figures of the answers of one run."""
    seconds = max(answer.ended for answer in answers) - min(answer.started for answer in answers)
    first = [answer.first - answer.started for answer in answers]
    return Load(
        tokens_per_second=sum(answer.answer_tokens for answer in answers) / seconds,
        first_p50=percentile(first, 50),
        first_p95=percentile(first, 95),
        whole_p50=percentile([answer.ended - answer.started for answer in answers], 50),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent of the values lie, between two of them if need be."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
