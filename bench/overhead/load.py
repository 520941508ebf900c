"""A client that costs little: one POST, again and again, over raw connections; as fast as it goes or at a set rate."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What came back: seconds from when each request was due to the end of its answer, and bytes of bodies."""

    took_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    bytes: int = 0
    failed: int = 0

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.took_seconds

    def percentile(self, percent: float) -> float:
        """Of the seconds, the nearest rank."""
        ranked = sorted(self.seconds)
        return ranked[min(int(len(ranked) * percent / 100), len(ranked) - 1)]


def post(path: str, key: str, body: bytes) -> bytes:
    """The bytes of a request on a connection that stays open."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def flood(port: int, request: bytes, clients: int, more: Callable[[int], bool]) -> Load:
    """Each of `clients` connections asks again as soon as it was answered, while `more` holds of how many were."""
    result, began = Load(), time.monotonic()

    async def ask_on() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while more(len(result.seconds)):
            await _ask(reader, writer, request, time.monotonic(), result)
        writer.close()

    await asyncio.gather(*(ask_on() for _ in range(clients)))
    result.took_seconds = time.monotonic() - began
    return result


def for_seconds(seconds: float) -> Callable[[int], bool]:
    """A condition for `flood`: so long."""
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end


async def paced(port: int, request: bytes, per_second: float, seconds: float) -> Load:
    """Requests come by chance (exponential gaps, always the same), whether or not those before were answered."""
    gaps, result, began = random.Random(1), Load(), time.monotonic()
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    asked: list[asyncio.Task[None]] = []

    async def ask(due: float) -> None:
        while free and free[-1][0].at_eof():  # servers close connections that nobody uses for some seconds
            free.pop()[1].close()
        connection = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
        await _ask(*connection, request, due, result)
        free.append(connection)

    due = began
    while (due := due + gaps.expovariate(per_second)) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        asked.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*asked)
    result.took_seconds = time.monotonic() - began
    for _, writer in free:
        writer.close()
    return result


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, due: float, result: Load
) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    result.failed += not head.startswith(b"HTTP/1.1 200")
    result.bytes += await _body(reader, head.lower())
    result.seconds.append(time.monotonic() - due)


async def _body(reader: asyncio.StreamReader, head: bytes) -> int:
    """Read a body to its end; its bytes."""
    if b"content-length:" in head:
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        return len(await reader.readexactly(length))
    got, tail = 0, b""
    while not tail.endswith(b"0\r\n\r\n"):
        piece = await reader.read(65536)
        if not piece:
            break
        got, tail = got + len(piece), (tail + piece)[-5:]
    return got
