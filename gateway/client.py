"""The command line's side of the HTTP API. Errors of the appliance arrive as `ApplianceError` with its sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx


class ApplianceError(Exception):
    """The appliance refused or could not be reached; `code` is its error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """Calls one appliance with one key."""

    def __init__(self, url: str, api_key: str | None) -> None:
        """Connect to nothing yet. Raises `ApplianceError` for a URL or a key that cannot be one."""
        self._url = url
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ApplianceError("The API key in BAILEY_API_KEY has characters that no key has.", "invalid_api_key")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # Answers may take as long as they take; connecting may not.
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(None, connect=5.0))
        except httpx.InvalidURL as error:
            raise ApplianceError(f"BAILEY_URL is {url!r}, which is not a URL: {error}.", "invalid_url") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with self._reached():
            return self._checked(self._http.get(path)).json()

    def text(self, path: str) -> str:
        """The text at a path."""
        with self._reached():
            return self._checked(self._http.get(path)).text

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to a JSON body."""
        with self._reached():
            return self._checked(self._http.post(path, json=body)).json()

    def events(self, path: str, body: Mapping[str, Any] | None = None, after: int = 0) -> Iterator[dict[str, Any]]:
        """The `data` of server-sent events, until the stream ends (or says [DONE])."""
        headers = {"last-event-id": str(after)}
        method = "POST" if body is not None else "GET"
        with self._reached(), self._http.stream(method, path, json=body, headers=headers) as response:
            if response.is_error:
                response.read()
            for line in self._checked(response).iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    event = json.loads(line.removeprefix("data: "))
                    if "error" in event and "seq" not in event:
                        raise ApplianceError(event["error"]["message"], str(event["error"]["code"]))
                    yield event

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError:
            message = f"No appliance answers at {self._url}; start one with `bailey serve` or set BAILEY_URL."
            raise ApplianceError(message, "unreachable") from None
        except httpx.HTTPError as error:
            raise ApplianceError(f"The connection to {self._url} broke: {error}", "connection") from None
        except json.JSONDecodeError:
            message = f"{self._url} answered with something else than JSON; does BAILEY_URL name an appliance?"
            raise ApplianceError(message, "not_json") from None
        except UnicodeEncodeError:
            raise ApplianceError("What was typed is not UTF-8 text, so it cannot be sent.", "not_text") from None

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if not response.is_error:
            return response
        try:
            error = response.json()["error"]
            message, code = str(error["message"]), str(error["code"])
        except (ValueError, KeyError, TypeError):
            message, code = f"{self._url} answered with status {response.status_code}.", str(response.status_code)
        raise ApplianceError(message, code)
