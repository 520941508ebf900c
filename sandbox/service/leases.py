"""Workspaces of several commands over HTTP: one lasts as long as the answer in which it was named.

So a client that leaves, however it ends, leaves no workspace behind. Routed by `server.py`.
"""

from __future__ import annotations

import asyncio
import secrets

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.protocol import CommandRunner, InvalidCommand, Sandbox, SandboxError
from sandbox.service.wire import LINES, SIGN_OF_LIFE_SECONDS, Event, failure_event


class Leases:
    """The open workspaces by names that nobody can guess."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._open: dict[str, CommandRunner] = {}

    def runner(self, name: str) -> CommandRunner:
        """The workspace of that name; without one, the sandbox. Raises `InvalidCommand` when there is none (more)."""
        if not name:
            return self._sandbox
        if name not in self._open:
            raise InvalidCommand("There is no such workspace; it ends with the connection that opened it.")
        return self._open[name]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open one, and hold it until the client leaves."""
        name = secrets.token_urlsafe(24)
        try:
            async with self._sandbox.workspace() as runner:
                self._open[name] = runner
                try:
                    await _hold(name, receive, send)
                finally:
                    del self._open[name]
        except SandboxError as error:
            await Response(failure_event(error).as_line(), 503, media_type=LINES)(scope, receive, send)


async def _hold(name: str, receive: Receive, send: Send) -> None:
    leaving = asyncio.create_task(departure(receive))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", LINES.encode())]})
        event = Event(workspace=name)
        while not leaving.done():
            await send({"type": "http.response.body", "body": event.as_line(), "more_body": True})
            event = Event()
            await asyncio.wait((leaving,), timeout=SIGN_OF_LIFE_SECONDS)
    except asyncio.CancelledError:  # the server stops
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        leaving.cancel()


async def departure(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
