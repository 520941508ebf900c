"""The socket that clients connect to."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway import server
from gateway.listening import listening_socket
from gateway.problems import StartProblem


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_small_pieces_are_sent_at_once(host: str) -> None:
    """Otherwise the second piece of an answer waits until the client has acknowledged the first, which takes 40 ms."""
    options: asyncio.Queue[int] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        options.put_nowait(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listening_socket(host, 0)
    async with await asyncio.start_server(serve, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        assert await options.get() == 1
        writer.close()
        await writer.wait_closed()


def test_a_busy_port_is_named() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(StartProblem, match=str(taken.getsockname()[1])):
            listening_socket("127.0.0.1", taken.getsockname()[1])


@contextmanager
def as_before() -> Iterator[None]:
    """What belongs to the whole process is put back."""
    young = gc.get_threshold()
    try:
        yield
    finally:
        gc.set_threshold(*young)
        gc.unfreeze()


def test_calls_in_flight_are_no_reason_to_look_for_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "ask_for_short_turns", lambda: True)  # the kernel would not take it back
    with as_before():
        server._make_prompt()
        before = gc.get_stats()[0]["collections"]
        in_flight = [[number] for number in range(10_000)]
        assert gc.get_stats()[0]["collections"] - before <= 1
        assert len(in_flight) == 10_000
