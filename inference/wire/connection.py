"""Work for a client that may go away: the work ends when the client does.

Starlette's own streaming response notices this only at the next write with some servers; an engine
may compute for a long time before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """The work's result; when the client leaves first, the work is cancelled and `ClientGone` raised."""
    worker = asyncio.current_task()
    assert worker is not None, "A coroutine runs in a task."
    watcher = asyncio.ensure_future(_disconnected(receive))
    before, left = worker.cancelling(), False

    def leave(watcher: asyncio.Future[None]) -> None:
        nonlocal left
        if not watcher.cancelled():
            left = worker.cancel()

    watcher.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        only_by_us = left and worker.cancelling() == before + 1
        if only_by_us:
            raise ClientGone from None
        raise
    finally:
        if left:
            worker.uncancel()
        watcher.remove_done_callback(leave)
        watcher.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Sends the generator's events as they come; when it ends or the client leaves, closes it and `source`."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[bytes, None], source: AsyncGenerator[Any, None], headers: Mapping[str, str]
    ) -> None:
        self.status_code = 200
        self.background = None
        self._events = events
        self._source = source
        self.init_headers({**headers, "cache-control": "no-cache", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        try:
            await while_connected(receive, self._send_all(send))
        except (ClientGone, OSError):
            return
        finally:
            await self._events.aclose()
            await self._source.aclose()  # the events never started if the client left at once

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
