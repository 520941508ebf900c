"""Clients that leave, and any course of things: whatever happens, all that was opened is closed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.catalog import ScriptedModel, ScriptedReply
from inference.errors import AuthenticationFailed, DeadlineExceeded, EngineError, InvalidRequest
from inference.protocol import ChatRequest, Message
from inference.scripted import ScriptedEngine
from router.resilience.faults import NotAsked
from router.resilience.guard import Guard
from tests.router.resilience.doubles import DOWN, Clock, Hang, Step, Upstream, guard, later, texts


@pytest.mark.parametrize("script", [[Hang()], ["a", Hang()]])
async def test_a_client_that_is_cancelled_cancels_the_engine_and_is_no_failure(script: list[Step]) -> None:
    made, upstream = guard(Clock()), Upstream(script)
    call = asyncio.create_task(texts(made.stream(upstream.stream)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert upstream.open == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (upstream.asked, upstream.open, upstream.cancelled) == (1, 0, 1)
    assert (made.state().calls, made.state().retries) == (0, 0)


async def test_a_client_that_stops_reading_closes_the_engine_and_is_no_failure() -> None:
    made, upstream = guard(Clock(), {"timeouts": {"total_seconds": 60}}), Upstream(["a", "b"])
    async with aclosing(made.stream(upstream.stream)) as chunks:
        assert (await anext(chunks)).text == "a"
        assert upstream.open == 1
    assert (upstream.open, made.state().calls) == (0, 0)


async def test_who_leaves_during_a_pause_leaves_nothing_behind() -> None:
    upstream, pausing = Upstream([DOWN], ["never"]), asyncio.Event()

    async def sleep(seconds: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    clock = Clock()
    made = Guard("coder", guard(clock).spec, clock, lambda low, high: high, sleep)
    call = asyncio.create_task(texts(made.stream(upstream.stream)))
    await pausing.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (upstream.asked, upstream.open) == (1, 0)


async def test_a_real_engine_is_freed_when_its_client_leaves() -> None:
    model = ScriptedModel(
        engine="scripted", name="small", tier="draft", context_tokens=1000, replies=(ScriptedReply(text="a b c"),)
    )
    engine, request = ScriptedEngine(model), ChatRequest("small", (Message("user", "Say"),))
    async with aclosing(guard(Clock()).stream(lambda: engine.stream(request))) as chunks:
        await anext(chunks)
        assert engine.in_flight == 1
    assert engine.in_flight == 0


_SCRIPTS: Any = st.sampled_from(
    [
        [],
        ["a"],
        ["a", "b"],
        [DOWN],
        ["a", DOWN],
        [later(1)],
        [later(500)],
        [InvalidRequest("Wrong.")],
        [AuthenticationFailed("No.")],
        [DeadlineExceeded("Late.")],
    ]
)


@settings(deadline=None)
@given(st.lists(_SCRIPTS, max_size=60), st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 5), st.integers(0, 4))
def test_whatever_happens_retries_stay_within_the_budget_and_all_is_closed(
    scripts: list[list[Step]], share: float, burst: int, most: int
) -> None:
    async def play() -> None:
        clock, upstream, requests, admitted = Clock(), Upstream(*scripts), 0, 0
        made = guard(clock, {"retries": {"budget_share": share, "budget_burst": burst, "most": most}})
        while len(upstream.scripts) > most:
            requests += 1
            before = upstream.asked
            try:
                came = await texts(made.stream(upstream.stream))
                assert came
            except EngineError as error:
                if isinstance(error, NotAsked):
                    clock.now += error.retry_after_seconds or 0
            admitted += upstream.asked > before
            assert upstream.asked - before <= 1 + most
            assert upstream.open == 0
            # A retry that is granted may still be refused by a circuit that opened meanwhile, never the other way.
            assert upstream.asked - admitted <= made.state().retries <= burst + share * requests + 1e-9

    asyncio.run(play())
