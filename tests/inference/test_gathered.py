"""Writes of one turn of the event loop go out together, over a real socket pair."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from inference.wire.gathered import MOST_BYTES, GatheredWrites
from tests.inference.played import http_of


class Watched(asyncio.Protocol):
    """Notes how many writes reached the transport, and when that wanted a pause."""

    def __init__(self) -> None:
        self.paused = False

    def pause_writing(self) -> None:
        self.paused = True


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[GatheredWrites, list[bytes], Watched, asyncio.StreamReader], None]:
    ours, theirs = socket.socketpair()
    transport, protocol = await asyncio.get_running_loop().create_connection(Watched, sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    sent: list[bytes] = []
    write = transport.write

    def noted(data: bytes | bytearray | memoryview) -> None:
        sent.append(bytes(data))
        write(data)

    transport.write = noted  # type: ignore[method-assign]
    try:
        yield GatheredWrites(transport), sent, protocol, reader
    finally:
        transport.abort()
        writer.close()


async def test_what_one_turn_writes_is_sent_together_and_without_waiting_for_more() -> None:
    async with connected() as (gathered, sent, _, reader):
        for piece in (b"a", bytearray(b"b"), memoryview(b"c")):
            gathered.write(piece)
        assert sent == []
        async with asyncio.timeout(5):
            assert await reader.readexactly(3) == b"abc"
        gathered.write(b"d")
        async with asyncio.timeout(5):
            assert await reader.readexactly(1) == b"d"
        assert sent == [b"abc", b"d"]


async def test_much_is_sent_at_once_so_that_a_reader_who_stopped_is_noticed() -> None:
    async with connected() as (gathered, sent, protocol, _):
        while not protocol.paused:
            gathered.write(b"x" * 10_000)
            assert sum(map(len, sent)) < 100 * MOST_BYTES
        assert all(len(piece) <= MOST_BYTES + 10_000 for piece in sent)


async def test_closing_sends_what_was_written_and_aborting_does_not() -> None:
    async with connected() as (gathered, _, _, reader):
        gathered.write(b"last words")
        gathered.close()
        assert gathered.is_closing()
        async with asyncio.timeout(5):
            assert await reader.read() == b"last words"
    async with connected() as (gathered, sent, _, _):
        gathered.write(b"nothing")
        gathered.abort()
        await asyncio.sleep(0)
        assert sent == []


async def test_a_whole_answer_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    send = GatheredWrites._send

    def counted(self: GatheredWrites) -> None:
        sent.append(len(self._pieces))
        send(self)

    monkeypatch.setattr(GatheredWrites, "_send", counted)
    async with http_of() as (client, _):
        assert (await client.get("/v1/models")).status_code == 200
    assert sent[0] >= 2  # its head and its body
