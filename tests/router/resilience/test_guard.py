"""A guard around engines that fail, stall and are left; over real asyncio, on a hand-moved clock."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import aclosing

import pytest

from inference.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    WeightsError,
)
from router.resilience.faults import NotAsked, asks_for_pause, is_failure, may_pass
from router.resilience.guard import Guard
from tests.router.resilience.doubles import DOWN, Clock, Hang, Step, Upstream, guard, later, texts


async def refused(made: Guard, upstream: Upstream, deadline: float | None = None) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await texts(made.stream(upstream.stream, deadline))
    assert upstream.open == 0
    return caught.value


# -- retries ------------------------------------------------------------------------------------------------------


async def test_a_try_that_fails_before_the_first_chunk_is_made_again_after_pauses_that_double() -> None:
    clock, told = Clock(), list[EngineError]()
    upstream = Upstream([DOWN], [DOWN], ["a", "b"])
    made = guard(clock, {"retries": {"base_seconds": 1, "cap_seconds": 1.5}})
    assert await texts(made.stream(upstream.stream, None, told.append)) == ["a", "b"]
    assert (clock.slept, told, upstream.open) == ([1, 1.5], [DOWN, DOWN], 0)
    state = made.state()
    assert (state.retries, state.calls, state.failures, state.ejection) == (2, 3, 2, None)


class Record:
    """What is told of retries, as a call's record is."""

    def retry(self, error: EngineError) -> None:
        """Nothing is kept."""


async def test_what_an_answered_call_held_is_free_without_a_garbage_collection() -> None:
    record, made = Record(), guard(Clock())
    freed = weakref.ref(record)
    gc.disable()
    try:
        assert await texts(made.stream(Upstream(["a"]).stream, None, record.retry)) == ["a"]
        assert await made.call(lambda: asyncio.sleep(0, "whole"), None, record.retry) == "whole"
        del record
        assert freed() is None
    finally:
        gc.enable()


async def test_the_last_error_is_raised_when_no_try_is_left() -> None:
    last = EngineUnavailable("Still down.")
    upstream = Upstream([DOWN], [DOWN], [last], ["never"])
    assert await refused(guard(Clock()), upstream) is last
    assert upstream.asked == 3


async def test_the_pause_is_drawn_between_nothing_and_its_most() -> None:
    clock, drawn = Clock(), list[tuple[float, float]]()

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.01

    made = Guard("coder", guard(clock).spec, clock, draw, clock.sleep)
    await texts(made.stream(Upstream([DOWN], [DOWN], ["a"]).stream))
    assert (drawn, clock.slept) == ([(0, 0.25), (0, 0.5)], [0.01, 0.01])


async def test_nothing_is_tried_again_after_the_first_chunk() -> None:
    upstream, made, came = Upstream(["a", DOWN], ["never"]), guard(Clock()), []
    with pytest.raises(EngineUnavailable, match="Down"):
        async with aclosing(made.stream(upstream.stream)) as chunks:
            async for chunk in chunks:
                came.append(chunk.text)
    assert (came, upstream.asked, upstream.open) == (["a"], 1, 0)
    assert (made.state().failures, made.state().retries) == (1, 0)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("Wrong."),
        ContextLengthExceeded("Too long."),
        ModelNotFound("None."),
        AuthenticationFailed("No."),
        WeightsError("Damaged."),
        EngineError("Broke."),
        DeadlineExceeded("Too late."),
    ],
)
async def test_what_cannot_pass_is_not_tried_again(error: EngineError) -> None:
    upstream = Upstream([error], ["never"])
    assert await refused(guard(Clock()), upstream) is error
    assert upstream.asked == 1


async def test_a_pause_that_the_other_end_asks_for_is_kept_and_others_are_refused_meanwhile() -> None:
    clock = Clock()
    made, seen = guard(clock), []

    def told(error: EngineError) -> None:
        seen.append(made.ejection())

    assert await texts(made.stream(Upstream([later(3)], ["a"]).stream, None, told)) == ["a"]
    assert clock.slept == [3.25]
    assert seen[0] is not None
    assert (seen[0].seconds, seen[0].reason) == (3, "it asked for a pause of another 3.0 s")
    assert (made.state().failures, made.ejection()) == (0, None)


async def test_who_asks_for_a_longer_pause_than_there_is_time_is_left_at_once_and_alone() -> None:
    clock = Clock()
    made, upstream = guard(clock), Upstream([later(60)], ["a"])
    assert isinstance(await refused(made, upstream), RateLimited)
    clock.now += 59
    error = await refused(made, upstream)
    assert isinstance(error, NotAsked)
    assert error.retry_after_seconds == pytest.approx(1)
    assert error.message == "coder is not asked: it asked for a pause of another 1.0 s."
    assert upstream.asked == 1
    clock.now += 1
    assert await texts(made.stream(upstream.stream)) == ["a"]
    assert (clock.slept, made.state().opens, made.state().failures) == ([], 0, 0)


async def test_of_two_pauses_the_one_that_ends_later_holds() -> None:
    clock = Clock()
    made = guard(clock, {"retries": {"most": 0}})
    calls = [asyncio.create_task(refused(made, Upstream(["a", later(seconds)]))) for seconds in (9, 3)]
    await asyncio.gather(*calls)
    assert made.open_for() == 9


async def test_a_server_that_says_when_it_is_back_is_left_alone_until_then_and_not_blamed() -> None:
    clock = Clock()
    made = guard(clock, {"retries": {"most": 0}, "breaker": {"consecutive_failures": 1}})
    loading = EngineUnavailable("It is loading.", retry_after_seconds=10)
    await refused(made, Upstream([loading]))
    assert (made.open_for(), made.state().circuit) == (10, "closed")
    clock.now += 10
    await refused(made, Upstream(["a", loading]))  # in the middle of an answer it is a failure
    assert made.state().circuit == "open"


async def test_no_try_begins_after_the_time_for_tries() -> None:
    clock = Clock()
    upstream = Upstream([DOWN], [DOWN], ["never"])
    spec = {"retries": {"base_seconds": 2, "cap_seconds": 4, "within_seconds": 6}}
    assert await refused(guard(clock, spec), upstream) is DOWN
    assert (clock.slept, upstream.asked) == ([2], 2)


async def test_no_pause_goes_beyond_the_deadline_or_the_whole_time() -> None:
    clock, spec = Clock(), {"retries": {"base_seconds": 5}, "timeouts": {"total_seconds": 4}}
    assert await refused(guard(clock, spec), Upstream([DOWN], ["never"])) is DOWN
    spec["timeouts"] = {"total_seconds": 400}
    assert await refused(guard(clock, spec), Upstream([DOWN], ["never"]), time.time() + 4) is DOWN
    assert clock.slept == []


async def test_the_budget_bounds_retries_of_all_requests_together() -> None:
    made = guard(Clock(), {"retries": {"budget_burst": 3}, "breaker": {"consecutive_failures": 100, "least_calls": 99}})
    scripts: list[list[Step]] = [[DOWN] for _ in range(100)]
    upstream = Upstream(*scripts)
    for _ in range(20):
        await refused(made, upstream)
    assert upstream.asked == 20 + 3 + 3  # what was saved up, and a fifth of what came after
    assert made.state().retries_refused > 0


# -- the circuit --------------------------------------------------------------------------------------------------


async def test_an_open_circuit_refuses_and_no_pause_is_spent_on_it() -> None:
    clock = Clock()
    made = guard(clock, {"breaker": {"consecutive_failures": 2, "open_seconds": 7}})
    upstream = Upstream([DOWN], [DOWN], ["a"])
    assert await refused(made, upstream) is DOWN
    assert (upstream.asked, clock.slept, made.state().circuit) == (2, [0.25], "open")
    error = await refused(made, upstream)
    assert isinstance(error, NotAsked)
    assert (error.status, error.retryable, error.retry_after_seconds) == (503, True, 7)
    clock.now += 7
    assert await texts(made.stream(upstream.stream)) == ["a"]
    assert (made.state().circuit, made.state().opens) == ("closed", 1)


async def test_one_probe_at_a_time_until_its_first_chunk() -> None:
    clock = Clock()
    made = guard(clock, {"retries": {"most": 0}, "breaker": {"consecutive_failures": 1}})
    await refused(made, Upstream([DOWN]))
    clock.now += 5
    stalled = Upstream([Hang()])
    probe = asyncio.create_task(texts(made.stream(stalled.stream)))
    while not stalled.open:
        await asyncio.sleep(0)
    assert "half-open and being probed" in (await refused(made, Upstream())).message
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    async with aclosing(made.stream(Upstream(["a", Hang()]).stream)) as answer:
        await anext(answer)
        assert await texts(made.stream(Upstream(["b"]).stream)) == ["b"]


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (EngineUnavailable("Down."), True),
        (AuthenticationFailed("No."), True),
        (WeightsError("Damaged."), True),
        (EngineError("Broke."), True),
        (DeadlineExceeded("504 of the upstream."), True),
        (InvalidRequest("Wrong."), False),
        (ContextLengthExceeded("Too long."), False),
        (ModelNotFound("None."), False),
        (RateLimited("Slow down."), False),
    ],
)
async def test_only_infrastructure_is_a_failure(error: EngineError, counts: bool) -> None:
    made = guard(Clock(), {"retries": {"most": 0}})
    await refused(made, Upstream([error]))
    assert made.state().failures == counts == is_failure(error, None)


def test_a_deadline_of_the_callers_that_has_passed_is_not_the_upstreams_fault() -> None:
    late = DeadlineExceeded("Too late.")
    assert not is_failure(late, time.time() - 1)
    assert not is_failure(late, time.time() + 0.01)  # the timer was a little early
    assert is_failure(late, time.time() + 60)


def test_pauses_are_only_those_of_errors_that_may_pass() -> None:
    assert asks_for_pause(later(3)) == 3
    assert asks_for_pause(RateLimited("Slow down.")) == 0
    assert asks_for_pause(InvalidRequest("Wrong.", retry_after_seconds=3)) == 0
    assert not may_pass(NotAsked("It is left alone."))
    assert not may_pass(KeyError())


async def test_an_answer_without_any_chunk_is_a_failure() -> None:
    made = guard(Clock())
    assert await texts(made.stream(Upstream([], ["a"]).stream)) == ["a"]
    assert (made.state().failures, made.state().retries) == (1, 1)


# -- answers as a whole -------------------------------------------------------------------------------------------


async def test_calls_that_are_answered_as_a_whole_are_guarded_in_the_same_way() -> None:
    clock = Clock()
    made, upstream = guard(clock), Upstream([DOWN], ["a"])
    assert await made.call(upstream.whole) == "a"
    state = made.state()
    assert (upstream.asked, clock.slept, state.calls, state.failures, state.retries) == (2, [0.25], 2, 1, 1)
