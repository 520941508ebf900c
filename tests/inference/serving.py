"""A real HTTP server on the loopback, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from inference.openai.routes import engine_router
from inference.protocol import Caller, Engine
from inference.wire.server import Server

CALLER = Caller(tenant="acme", actor="ann", data_class="internal")


async def caller() -> Caller:
    """What the gateway's dependency would say."""
    return CALLER


def app_for(engine: Engine) -> FastAPI:
    """An application that has our routes for `engine` and nothing else."""
    app = FastAPI()
    app.include_router(engine_router(engine, caller))
    return app


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app`; gives its base URL. The socket listens at once, so nobody has to wait for the server."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


async def eventually(fact: Callable[[], Awaitable[bool]], within_seconds: float = 10.0) -> None:
    """Wait until something on the other side of a socket or process has become true."""
    async with asyncio.timeout(within_seconds):
        while not await fact():
            await asyncio.sleep(0.01)
