"""What is written to a connection at once goes out at once: one call to the system for all of it.

uvicorn writes the head of an answer, its body and every event of a stream by themselves, and each of these calls
takes longer than most of what we do for an event. Nothing waits for more to come: what a turn of the event loop wrote
is sent when that turn is over.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_BYTES = 64 * 1024
"""So much is sent at once, so that the transport notices when the other end does not read."""


class GatheredWrites(asyncio.Transport):
    """A transport that sends, through `transport`, what is written in one turn of the event loop together."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._pieces: list[bytes | bytearray | memoryview] = []
        self._bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` when this turn is over, or now if much has come together."""
        if not self._pieces:
            asyncio.get_running_loop().call_soon(self._send)
        self._pieces.append(data)
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            self._send()

    def close(self) -> None:
        """Send what was written, then close."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """As of the transport."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of the transport."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """As of the transport."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """As of the transport."""
        self._transport.resume_reading()

    def _send(self) -> None:
        if self._pieces:
            pieces, self._pieces, self._bytes = self._pieces, [], 0
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
