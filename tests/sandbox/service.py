"""A sandbox at a socket in this process, and clients of it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inference.wire.server import Server, bound_socket
from sandbox.processes import tree
from sandbox.protocol import Sandbox
from sandbox.service.client import RemoteSandbox
from sandbox.service.server import create_app
from sandbox.service.tls import TlsFiles
from sandbox.spec import RemoteSpec


@asynccontextmanager
async def served(
    sandbox: Sandbox, path: Path, most_bytes: int = 1 << 28, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The sandbox at a socket: at `path`, or with TLS on a port."""
    if tls is None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(path))
    else:
        listening = bound_socket("127.0.0.1", 0)
    listening.listen()
    server = Server(create_app(sandbox, most_bytes), tls)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"unix:{path}" if tls is None else f"https://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()


@asynccontextmanager
async def asking(url: str, files: TlsFiles | None = None) -> AsyncIterator[RemoteSandbox]:
    given = {} if files is None else {"authority": files.authority, "certificate": files.certificate, "key": files.key}
    client = RemoteSandbox(RemoteSpec(url=url, **given))
    try:
        yield client
    finally:
        await client.close()


async def nothing_runs() -> None:
    """No process of ours is left but those of this test's own."""
    async with asyncio.timeout(5):
        while len(tree(os.getpid())) > 1:
            await asyncio.sleep(0.02)
