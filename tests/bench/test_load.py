"""The load generator measures what a server does, and refuses answers that are not what was asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from bench.cpu.load import Address, Answer, Ask, LoadError, figures, load, percentile


def _event(**content: object) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


class Server:
    """Answers every request with some tokens after an empty delta; knows how many it answered at once."""

    def __init__(self, tokens: int, status: str = "200 OK") -> None:
        self.tokens, self.status = tokens, status
        self.bodies: list[bytes] = []
        self.now = self.most = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("Content-Length"))
        self.bodies.append(await reader.readexactly(length))
        self.now += 1
        self.most = max(self.most, self.now)
        usage = {"prompt_tokens": 3, "completion_tokens": self.tokens, "total_tokens": 3 + self.tokens}
        pieces = [{"delta": {"content": text}} for text in ("", *(["x"] * self.tokens))]
        writer.write(f"HTTP/1.1 {self.status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for event in (*(_event(choices=[piece]) for piece in pieces), _event(choices=[], usage=usage)):
            await self._send(writer, event)
        await self._send(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        self.now -= 1
        writer.close()

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, event: bytes) -> None:
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(server: Server) -> AsyncGenerator[Address, None]:
    """The server on the loopback."""
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listening:
        yield Address(listening.sockets[0].getsockname()[1])


def asks(count: int, tokens: int = 5) -> list[Ask]:
    return [Ask("/v1/chat/completions", f'{{"number": {number}}}'.encode(), 3, tokens) for number in range(count)]


async def test_every_request_is_sent_once_by_so_many_workers() -> None:
    server = Server(tokens=5)
    async with serving(server) as address:
        found = await load(address, asks(30), concurrency=4)
    assert sorted(server.bodies) == sorted(request.body for request in asks(30))
    assert 2 <= server.most <= 4
    assert found.tokens_per_second > 0
    assert 0 < found.first_p50 <= found.first_p95
    assert found.first_p50 < found.whole_p50


@pytest.mark.parametrize(
    ("server", "wanted"), [(Server(tokens=4), 5), (Server(tokens=5, status="429 Too Many Requests"), 5)]
)
async def test_an_answer_that_is_not_what_was_asked_for_is_an_error(server: Server, wanted: int) -> None:
    async with serving(server) as address:
        with pytest.raises(ExceptionGroup) as raised:
            await load(address, asks(1, wanted), concurrency=1)
    assert raised.group_contains(LoadError)


def test_the_figures_of_a_run() -> None:
    answers = [Answer(started=0.0, first=1.0, ended=4.0, pauses=(), prompt_tokens=3, answer_tokens=10)]
    answers += [Answer(started=1.0, first=4.0, ended=5.0, pauses=(), prompt_tokens=3, answer_tokens=10)]
    found = figures(answers)
    assert found.tokens_per_second == 20 / 5
    assert found.first_p50 == 2.0
    assert found.first_p95 == pytest.approx(2.9)
    assert found.whole_p50 == 4.0


def test_percentiles_lie_between_values() -> None:
    assert percentile([3.0], 95) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([4.0, 1.0], 100) == 4.0
