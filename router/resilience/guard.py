"""One upstream's guard: what the router puts around each attempt, instead of asking the engine itself.

It admits the attempt or refuses it, tries again before the first chunk, and notes how it ended. It is no Engine, so
that what engines can do besides (adapters, replicas) stays in sight. It prices nothing: tries that brought no chunk
cost nothing, as everywhere in the router. Who calls it: the router, inside of what it has reserved for the attempt.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from inference.deadline import seconds_left
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import Chunk
from inference.resilience import ResilienceSpec
from router.resilience.breaker import Breaker, Call, Outcome, State
from router.resilience.faults import NotAsked, asks_for_pause, is_failure, may_pass
from router.resilience.retry_budget import RetryBudget
from router.resilience.waiting import Waiting, too_late

T = TypeVar("T")
Clock = Callable[[], float]
Told = Callable[[EngineError], None]


@dataclass(frozen=True, slots=True)
class Ejection:
    """An upstream is passed over for so many `seconds` more; `reason` is a phrase."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How an upstream is doing, for metrics and for people.

    `calls` and `failures` are those of the breaker's window, `opens` and `retries` are totals; `retries_refused` are
    those that the budget did not allow.
    """

    name: str
    circuit: State
    ejection: Ejection | None
    calls: int
    failures: int
    opens: int
    retries: int
    retries_refused: int


@dataclass(frozen=True, slots=True)
class _Asking:
    """A request on its way: since when, until when at the latest, and who is told of errors that are tried again."""

    began: float
    deadline: float | None
    told: Told


@dataclass(frozen=True, slots=True)
class _Begun:
    """An answer whose first chunk has come; `opened` closes it."""

    opened: AsyncExitStack
    first: Chunk
    rest: AsyncGenerator[Chunk, None]


def tell_nobody(error: EngineError) -> None:
    """For whom retries are of no interest."""


class Guard:
    """`clock` gives seconds and never goes back; `draw(low, high)` is a random number; `sleep` waits so many seconds.

    `deadline` is in seconds since the epoch, as requests have it.
    """

    def __init__(
        self,
        name: str,
        spec: ResilienceSpec,
        clock: Clock = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is known of the upstream yet, so it may be asked."""
        self.name = name
        self.spec = spec
        self._clock = clock
        self._draw = draw
        self._sleep = sleep
        self._breaker = Breaker(spec.breaker, clock)
        self._budget = RetryBudget(spec.retries.budget_share, spec.retries.budget_burst)
        self._paused_until = 0.0
        self._retries = 0
        self._retries_refused = 0

    # -- seen from outside --------------------------------------------------------------------------------------

    def ejection(self) -> Ejection | None:
        """For how long it is to be passed over, and why; None if it may be asked now."""
        pause, opened = self._paused_until - self._clock(), self._breaker.open_for()
        if pause <= 0 and not opened:
            return None
        if pause > opened:
            return Ejection(pause, f"it asked for a pause of another {pause:.1f} s")
        if self._breaker.state == "half-open":
            return Ejection(opened, "its circuit is half-open and being probed")
        return Ejection(opened, f"its circuit is open for another {opened:.1f} s")

    def open_for(self) -> float:
        """Seconds for which it is to be passed over; 0 if it may be asked now."""
        ejection = self.ejection()
        return ejection.seconds if ejection else 0.0

    def state(self) -> UpstreamState:
        """As it is now."""
        calls, failures = self._breaker.counts()
        return UpstreamState(
            self.name,
            self._breaker.state,
            self.ejection(),
            calls,
            failures,
            self._breaker.opens,
            self._retries,
            self._retries_refused,
        )

    # -- asking -------------------------------------------------------------------------------------------------

    async def stream(
        self, ask: Callable[[], AsyncGenerator[Chunk, None]], deadline: float | None = None, told: Told = tell_nobody
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of the first try that has any; after the first one nothing is tried again.

        Raises `EngineError`: the last try's, or `NotAsked`.
        """
        self._budget.deposit()
        asking = _Asking(self._clock(), deadline, told)
        begun = await self._tried(lambda: self._begin(ask, asking), asking)
        async with begun.opened:
            yield begun.first
            async for chunk in begun.rest:
                yield chunk

    async def call(self, ask: Callable[[], Awaitable[T]], deadline: float | None = None, told: Told = tell_nobody) -> T:
        """The same for what is answered as a whole, such as vectors."""
        self._budget.deposit()
        asking = _Asking(self._clock(), deadline, told)
        return await self._tried(lambda: self._whole(ask, asking), asking)

    async def _begin(self, ask: Callable[[], AsyncGenerator[Chunk, None]], asking: _Asking) -> _Begun:
        """One try, up to its first chunk."""
        async with AsyncExitStack() as opening:
            call = opening.enter_context(self._admitted(asking))
            chunks = await opening.enter_async_context(aclosing(ask()))
            waiting = self._waiting(asking)
            if waiting.limited:
                chunks = await opening.enter_async_context(aclosing(waiting.pieces(chunks)))
            first = await anext(chunks, None)
            if first is None:
                raise EngineUnavailable(f"{self.name} ended its answer before it began.")
            self._breaker.answers(call)
            return _Begun(opening.pop_all(), first, chunks)
        raise AssertionError("unreachable: nothing above swallows errors")

    async def _whole(self, ask: Callable[[], Awaitable[T]], asking: _Asking) -> T:
        """One try."""
        with self._admitted(asking):
            limit = self._waiting(asking).limit(first=True)
            try:
                async with asyncio.timeout(limit.seconds if limit else None):
                    return await ask()
            except TimeoutError as error:
                raise too_late(self.name, limit) from error

    def _waiting(self, asking: _Asking) -> Waiting:
        return Waiting(self.name, self.spec.timeouts, self._clock, self._clock() - asking.began)

    @contextmanager
    def _admitted(self, asking: _Asking) -> Iterator[Call]:
        """Around one try, from before it is asked until its answer has ended. Raises `NotAsked`."""
        if ejection := self.ejection():
            raise NotAsked(f"{self.name} is not asked: {ejection.reason}.", retry_after_seconds=ejection.seconds)
        call = self._breaker.admit()
        outcome: Outcome = "nothing"
        try:
            yield call
            outcome = "success"
        except EngineError as error:
            outcome = self._judged(error, call, asking.deadline)
            raise
        finally:
            self._breaker.end(call, outcome)

    def _judged(self, error: EngineError, call: Call, deadline: float | None) -> Outcome:
        """Note a pause that is asked for; who says instead of an answer when to come back, has not failed."""
        pause = asks_for_pause(error)
        self._paused_until = max(self._paused_until, self._clock() + pause)
        blamed = is_failure(error, deadline) and (call.answered or not pause)
        return "failure" if blamed else "nothing"

    # -- trying again -------------------------------------------------------------------------------------------

    async def _tried(self, attempt: Callable[[], Awaitable[T]], asking: _Asking) -> T:
        """The first attempt that succeeds, or the last one's error. What tries again is set up for who needs it."""
        try:
            return await attempt()
        except EngineError as error:
            failed = [error]

        async def again() -> T:
            if failed:
                raise failed.pop()
            return await attempt()

        answer: T = await self._retrying(asking)(again)
        return answer

    def _retrying(self, asking: _Asking) -> AsyncRetrying:
        return AsyncRetrying(
            sleep=self._sleep,
            retry=retry_if_exception(may_pass),
            wait=self._pause,
            stop=lambda state: self._is_enough(state, asking),
            before_sleep=lambda state: self._note(state, asking),
            reraise=True,
        )

    def _pause(self, state: RetryCallState) -> float:
        """What the other end asks for, and then full jitter, so that not all who wait come back at once."""
        retries = self.spec.retries
        highest = min(retries.cap_seconds, retries.base_seconds * 2 ** (state.attempt_number - 1))
        return asks_for_pause(_error(state)) + self._draw(0.0, highest)

    def _is_enough(self, state: RetryCallState, asking: _Asking) -> bool:
        """Whether another try is not worth its pause, or not allowed."""
        pause = state.upcoming_sleep
        if state.attempt_number > self.spec.retries.most or pause >= self._time_left(asking):
            return True
        if self.open_for() > pause:
            return True
        granted = self._budget.withdraw()
        self._retries_refused += not granted
        return not granted

    def _time_left(self, asking: _Asking) -> float:
        """Until when another try may begin."""
        ends = [self.spec.retries.within_seconds]
        if (total := self.spec.timeouts.total_seconds) is not None:
            ends.append(total)
        left = min(ends) - (self._clock() - asking.began)
        until_deadline = seconds_left(asking.deadline)
        return left if until_deadline is None else min(left, until_deadline)

    def _note(self, state: RetryCallState, asking: _Asking) -> None:
        self._retries += 1
        asking.told(_error(state))


def _error(state: RetryCallState) -> EngineError:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, EngineError)  # nothing else is tried again
    return error
