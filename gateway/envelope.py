"""Around every request: an id, a bounded body, one log line, one metric, and an answer even to our own mistakes.

A plain ASGI middleware: streams pass through it untouched.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BodyTooLarge, BodyTooSlow, http_error, internal_error
from gateway.telemetry import Telemetry
from inference.protocol import new_request_id

log = logging.getLogger(__name__)


class Envelope:
    """The outermost layer of the application."""

    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, max_body_bytes: int = 4_194_304, body_timeout_seconds: float = 30.0
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._max_body_bytes = max_body_bytes
        self._body_timeout_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started, answer = time.monotonic(), _Answer(send, request_id)
        try:
            whole_body = await self._read_body(scope, receive)
            await self._app(scope, whole_body, answer.send)
        except (BodyTooLarge, BodyTooSlow) as error:
            await _respond(http_error(error) or Response(status_code=500), scope, receive, answer)
        except Exception:
            log.exception("unforeseen error", extra={"request_id": request_id})
            failure = Response(internal_error(request_id), 500, media_type="application/json")
            await _respond(failure, scope, receive, answer)
        finally:
            self._account(scope, answer.status, time.monotonic() - started)

    async def _read_body(self, scope: Scope, receive: Receive) -> Receive:
        """The body, whole and bounded, so that nothing behind this layer can be flooded or starved."""
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_body_bytes:
            raise BodyTooLarge(f"The request's body may have at most {self._max_body_bytes} bytes.")
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                while (message := await receive())["type"] == "http.request":
                    pieces.append(message.get("body", b""))
                    if sum(map(len, pieces)) > self._max_body_bytes:
                        raise BodyTooLarge(f"The request's body may have at most {self._max_body_bytes} bytes.")
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            waited = self._body_timeout_seconds
            raise BodyTooSlow(f"The request's body did not arrive within {waited:.0f} seconds.") from None
        return _replay(b"".join(pieces), receive, gone=message["type"] == "http.disconnect")

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        request = Request(scope)
        route = getattr(scope.get("route"), "path", "unknown")
        self._telemetry.http_request(request.method, route, status, seconds)
        log.info(
            "request",
            extra={
                "request_id": request.state.request_id,
                "method": request.method,
                "path": request.url.path,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "actor": getattr(request.state, "actor", None),
                "tenant": getattr(request.state, "tenant", None),
            },
        )


class _Answer:
    """Watches what is sent, and puts the request id on it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 499  # until an answer begins: the client went away
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            MutableHeaders(scope=message)["x-request-id"] = self._request_id
        await self._send(message)


async def _respond(response: Response, scope: Scope, receive: Receive, answer: _Answer) -> None:
    if not answer.started:
        await response(scope, receive, answer.send)


def _replay(body: bytes, receive: Receive, *, gone: bool) -> Receive:
    """The body once, then whatever the client does next (which is: going away)."""
    queue: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    if gone:
        queue = [{"type": "http.disconnect"}]

    async def replayed() -> Message:
        return queue.pop(0) if queue else await receive()

    return replayed
