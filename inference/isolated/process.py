"""How an isolated engine and its process find each other, and what became of one that is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference.child import STOP_SECONDS, Child
from inference.errors import EngineError
from inference.isolated.messages import Connection


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A Unix socket at a path that only we may open."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.setblocking(False)
        yield listener


async def connected(listener: socket.socket, child: Child) -> Connection:
    """The connection that the process opens. Raises `EOFError` if it ends instead."""
    accepting = asyncio.ensure_future(asyncio.get_running_loop().sock_accept(listener))
    ending = asyncio.ensure_future(child.wait())
    try:
        await asyncio.wait({accepting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not accepting.done():
            raise EOFError("The process ended before it connected.")
        return await Connection.over(accepting.result()[0])
    finally:
        accepting.cancel()
        ending.cancel()


def settle(loaded: asyncio.Future[None], problem: EngineError | None) -> None:
    """Say how the first start went; later ones change nothing."""
    if not loaded.done():
        if problem is None:
            loaded.set_result(None)
        else:
            loaded.set_exception(problem)


async def how_it_ended(child: Child) -> str:
    """What became of a process whose end of the connection is closed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            return f"ended with code {await child.wait()}"
    return "does not answer any more"
