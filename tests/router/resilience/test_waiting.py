"""Limits of waiting, with the event loop's own clock moved by hand."""

from __future__ import annotations

import asyncio

import pytest

from inference.errors import EngineUnavailable
from inference.resilience import TimeoutsSpec
from router.resilience.guard import Guard
from router.resilience.waiting import Limit, Waiting
from tests.router.resilience.doubles import Clock, Hang, Upstream, eventually, guard, texts


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the loop goes by, too."""
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock)
    return clock


async def asked(made: Guard, upstream: Upstream) -> asyncio.Task[list[str]]:
    return asyncio.create_task(texts(made.stream(upstream.stream)))


def timeouts(clock: Clock, **seconds: float) -> Guard:
    return guard(clock, {"timeouts": seconds, "retries": {"most": 0}})


async def test_a_first_chunk_that_does_not_come_in_time_is_a_failure(clock: Clock) -> None:
    made, upstream = timeouts(clock, first_token_seconds=5), Upstream([Hang()])
    call = await asked(made, upstream)
    await eventually(clock, 4.9)
    assert not call.done()
    await eventually(clock, 0.2)
    with pytest.raises(EngineUnavailable, match="coder gave no first token within 5 seconds"):
        await call
    assert (upstream.open, upstream.cancelled, made.state().failures) == (0, 1, 1)


async def test_then_each_chunk_has_its_time_and_the_first_has_its_own(clock: Clock) -> None:
    made, upstream = timeouts(clock, first_token_seconds=50, between_tokens_seconds=5), Upstream(["a", "b", Hang()])
    call = await asked(made, upstream)
    await eventually(clock, 5.1)
    with pytest.raises(EngineUnavailable, match="no next token within 5 seconds"):
        await call
    assert (upstream.open, made.state().failures) == (0, 1)


async def test_the_whole_answer_has_its_time_in_which_the_client_does_not_count(clock: Clock) -> None:
    made, upstream = timeouts(clock, total_seconds=10), Upstream(["a", "b", Hang()])
    chunks = made.stream(upstream.stream)
    await anext(chunks)
    clock.now += 1000  # the client reads slowly
    assert (await anext(chunks)).text == "b"
    last = asyncio.ensure_future(anext(chunks))
    await eventually(clock, 9.9)
    assert not last.done()
    await eventually(clock, 0.2)
    with pytest.raises(EngineUnavailable, match="no whole answer within 10 seconds"):
        await last
    assert upstream.open == 0


async def test_waits_add_up(clock: Clock) -> None:
    late = Hang()
    call = await asked(timeouts(clock, total_seconds=10), Upstream([late, "b", Hang()]))
    await eventually(clock, 6)
    late.over.set()
    await eventually(clock, 3.9)
    assert not call.done()
    await eventually(clock, 0.2)
    with pytest.raises(EngineUnavailable, match="no whole answer within 10 seconds"):
        await call


async def test_tries_and_pauses_take_their_part_of_the_whole_time(clock: Clock) -> None:
    made = guard(clock, {"timeouts": {"total_seconds": 10}, "retries": {"base_seconds": 4}})
    call = await asked(made, Upstream([EngineUnavailable("Down.")], [Hang()]))
    await eventually(clock, 5.9)
    assert (call.done(), clock.slept) == (False, [4])
    await eventually(clock, 0.2)
    with pytest.raises(EngineUnavailable, match="no whole answer within 10 seconds"):
        await call


async def test_calls_that_are_answered_as_a_whole_have_the_same_limits(clock: Clock) -> None:
    made, upstream = timeouts(clock, first_token_seconds=5), Upstream([Hang()])
    call = asyncio.create_task(made.call(upstream.whole))
    await eventually(clock, 5.1)
    with pytest.raises(EngineUnavailable, match="no first token within 5 seconds"):
        await call


def test_no_time_at_all_is_left_when_it_has_been_used_up() -> None:
    waiting = Waiting("coder", TimeoutsSpec(total_seconds=10, first_token_seconds=3), Clock(), 8)
    assert waiting.limit(first=True) == Limit(2, "whole answer within 10 seconds")
    waiting.seconds = 10
    with pytest.raises(EngineUnavailable, match="no whole answer within 10 seconds"):
        waiting.limit(first=False)
