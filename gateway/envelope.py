"""Around every request: an id, a key, a bounded body, one log line, one metric, and an answer to our own mistakes.

A plain ASGI middleware: streams pass through it untouched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import TABLE, BodyTooLarge, BodyTooSlow, http_error, internal_error
from gateway.telemetry import Telemetry
from inference.protocol import new_request_id

log = logging.getLogger(__name__)
Admit = Callable[[Request], Awaitable[None]]
# How many times the longest body is read before the connection is given up.
_PATIENCE = 16


class Envelope:
    """The outermost layer of the application. `admit` raises an error of the table for who may not come in."""

    def __init__(
        self,
        app: ASGIApp,
        telemetry: Telemetry,
        admit: Admit,
        max_body_bytes: int = 4_194_304,
        body_timeout_seconds: float = 30.0,
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._admit = admit
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
            await self._answer(scope, receive, answer)
        except tuple(TABLE) as error:
            failure = http_error(error, scope["path"], request_id) or internal_error(scope["path"], request_id)
            await _respond(failure, scope, receive, answer)
        except Exception:
            log.exception("unforeseen error", extra={"request_id": request_id})
            await _respond(internal_error(scope["path"], request_id), scope, receive, answer)
        finally:
            self._account(scope, answer.status, time.monotonic() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """The application's answer to who may come in; of anybody else's body nothing is kept and nothing parsed."""
        try:
            await self._admit(Request(scope))
        except tuple(TABLE):
            with contextlib.suppress(BodyTooSlow):
                await self._received(receive, keep_bytes=0)
            raise
        await self._app(scope, await self._read_body(receive), answer.send)

    async def _read_body(self, receive: Receive) -> Receive:
        """The body, whole and bounded, so that nothing behind this layer can be flooded or starved."""
        body, gone = await self._received(receive, keep_bytes=self._max_body_bytes)
        if len(body) > self._max_body_bytes:
            raise BodyTooLarge(f"The request's body may have at most {self._max_body_bytes} bytes.")
        return _replay(body, receive, gone=gone)

    async def _received(self, receive: Receive, keep_bytes: int) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                return await self._body(receive, keep_bytes)
        except TimeoutError:
            waited = self._body_timeout_seconds
            raise BodyTooSlow(f"The request's body did not arrive within {waited:.0f} seconds.") from None

    async def _body(self, receive: Receive, keep_bytes: int) -> tuple[bytes, bool]:
        """The body and whether the client left. Of one that is too long only the beginning is kept, and some of the
        rest is read: clients that are still writing when they are answered do not see the answer.
        """
        kept, seen = bytearray(), 0
        while (message := await receive())["type"] == "http.request":
            piece: bytes = message.get("body", b"")
            seen += len(piece)
            if len(kept) <= keep_bytes:
                kept += piece
            if not message.get("more_body") or seen > self._max_body_bytes * _PATIENCE:
                return bytes(kept), False
        return bytes(kept), True

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self._telemetry.http_request(scope["method"], route, status, seconds)
        state = scope["state"]
        log.info(
            "request",
            extra={
                "request_id": state["request_id"],
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "actor": state.get("actor"),
                "tenant": state.get("tenant"),
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
