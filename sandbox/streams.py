"""The pipes between a jail and its supervisor: drained to the end, cut at a limit, counted exactly."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_TAIL_BYTES = 4096


class Drain(asyncio.Protocol):
    """Keeps the first `keep` bytes and a short tail of a pipe; `total` counts all; `ended` is done at its end.

    `heard` is called after every piece with what was kept of it.
    """

    def __init__(self, keep: int, heard: Callable[[bytes], None]) -> None:
        self.head = bytearray()
        self.tail = b""
        self.total = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keep = keep
        self._heard = heard
        self._transport: asyncio.BaseTransport | None = None

    async def attach(self, descriptor: int) -> None:
        """Start to read the pipe; the descriptor is closed at its end."""
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, pipe)

    def data_received(self, data: bytes) -> None:
        """Count a piece and keep what is wanted of it."""
        self.total += len(data)
        kept = data[: max(0, self._keep - len(self.head))]
        self.head += kept
        self.tail = (self.tail + data)[-_TAIL_BYTES:]
        self._heard(kept)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is closed everywhere, or `close` was called."""
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()


class Feed(asyncio.BaseProtocol):
    """Writes bytes into a pipe without waiting for the reader; a reader that went away is no error."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None

    async def attach(self, descriptor: int) -> None:
        """Take over the pipe; the descriptor is closed by `close` or when the reader goes away."""
        pipe = os.fdopen(descriptor, "wb", buffering=0)
        self._transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: self, pipe)

    def send(self, content: bytes) -> None:
        """Write everything, then the end of the file."""
        if self._transport is not None:
            self._transport.write(content)
            self._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Everything is written, or the reader is gone."""
        self._transport = None

    def close(self) -> None:
        """Drop what was not read and close the pipe."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:  # one that is at its end anyway does not bear to be aborted as well
            self._transport.close()
