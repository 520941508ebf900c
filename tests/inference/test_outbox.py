"""Chunks between the worker's thread and the event loop: at once, joined, in order, never lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from inference.errors import EngineError
from inference.llamacpp.outbox import PAUSE_SECONDS, Outbox
from inference.llamacpp.sequence import Generation
from inference.protocol import ChatRequest, Chunk, Sampling, TokenLogprob, ToolCallDelta, Usage


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(clock)


def generation(n: int = 1) -> Generation:
    return Generation(ChatRequest("m", prompt="p", sampling=Sampling(n=n)), [1], 10, grammar=None)


def end(which: Generation) -> None:
    for sequence in which.sequences:
        sequence.finished = True


async def received(which: Generation) -> list[Chunk]:
    async with asyncio.timeout(5):
        return await which.receive()


async def test_the_first_piece_goes_at_once_and_the_next_ones_together(outbox: Outbox, clock: Clock) -> None:
    one = generation()
    outbox.put(one, Chunk("a"))
    assert outbox.send() == []
    assert await received(one) == [Chunk("a")]
    for text in "bcd":
        outbox.put(one, Chunk(text, logprobs=(TokenLogprob(text, -1.0),), tool_calls=(ToolCallDelta(0),)))
        assert outbox.send() == []
    clock.now += 1.1 * PAUSE_SECONDS
    outbox.send()
    (piece,) = await received(one)
    assert (piece.text, [entry.token for entry in piece.logprobs], len(piece.tool_calls)) == ("bcd", ["b", "c", "d"], 3)


async def test_the_end_goes_at_once_with_all_that_was_held(outbox: Outbox) -> None:
    one, usage = generation(n=2), Usage(1, 3)
    outbox.put(one, Chunk("a"))
    outbox.send()
    await received(one)
    for chunk in (Chunk("b"), Chunk("x", index=1), Chunk("c", finish_reason="stop")):
        outbox.put(one, chunk)
    outbox.send()
    outbox.put(one, Chunk("y", index=1, finish_reason="length"))
    outbox.put(one, Chunk(usage=usage))
    end(one)
    outbox.send()
    assert await received(one) == [
        Chunk("bc", finish_reason="stop"),
        Chunk("xy", index=1, finish_reason="length"),
        Chunk(usage=usage),
    ]


async def test_what_is_held_goes_before_the_error(outbox: Outbox) -> None:
    one = generation()
    outbox.put(one, Chunk("a"))
    outbox.send()
    outbox.put(one, Chunk("b"))
    outbox.fail(one, EngineError("broken"))
    assert [await received(one), await received(one)] == [[Chunk("a")], [Chunk("b")]]
    with pytest.raises(EngineError, match="broken"):
        await one.receive()
    outbox.send()


async def test_nothing_is_sent_of_what_was_forgotten(outbox: Outbox) -> None:
    one, other = generation(), generation()
    outbox.put(one, Chunk("a"))
    outbox.put(other, Chunk("b"))
    outbox.forget(one)
    outbox.send()
    assert await received(other) == [Chunk("b")]
    outbox.put(one, Chunk("c"))
    outbox.send()
    assert await received(one) == [Chunk("c")]


@pytest.fixture
def orphan() -> Iterator[Generation]:
    """A request whose event loop is closed."""
    found: list[Generation] = []

    async def make() -> None:
        found.append(generation())

    thread = threading.Thread(target=lambda: asyncio.run(make()))
    thread.start()
    thread.join()
    yield found[0]


async def test_a_closed_loop_is_noticed_and_disturbs_nobody(outbox: Outbox, orphan: Generation) -> None:
    one = generation()
    outbox.put(orphan, Chunk("a"))
    outbox.put(one, Chunk("b"))
    assert outbox.send() == [orphan]
    assert await received(one) == [Chunk("b")]
    outbox.fail(orphan, EngineError("too late"))
