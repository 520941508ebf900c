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


def running() -> set[int]:
    """This process and all that it has started, by other tests as well."""
    return set(tree(os.getpid()))


async def ended_since(before: set[int]) -> None:
    """Wait until nothing runs that did not run before."""
    async with asyncio.timeout(30):
        while running() - before:
            await asyncio.sleep(0.02)
