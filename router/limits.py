"""Slots: how many requests one model answers at once, how many may wait, and who goes first. Never memory growth."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from inference.deadline import seconds_left
from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.protocol import Priority

RETRY_AFTER_SECONDS = 1.0

Turn = asyncio.Future[None]
"""Done when its request may go on: a slot is then taken in its name."""


class Slots:
    """A bounded queue in front of a bounded number of calls.

    A free slot goes to the interactive request that waits longest; batch requests get one when none of those waits,
    in order, too. So a batch starves as long as interactive requests keep all slots busy: that is what the priority
    means, and a deadline bounds it. In a full queue the newest batch request gives way to an interactive one.

    With `preempts` the engine sets batch answers aside for interactive ones: batch then takes no slot from them,
    they pass on to the engine, where at most twice `concurrency` requests are.
    """

    def __init__(self, model: str, concurrency: int, queue: int, *, preempts: bool = False) -> None:
        self._model = model
        self._concurrency = concurrency
        self._queue = queue
        self._preempts = preempts
        self._turns: dict[Priority, deque[Turn]] = {"interactive": deque(), "batch": deque()}
        self._held: dict[Priority, int] = {"interactive": 0, "batch": 0}

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot; one that was cancelled a moment ago does not."""
        return sum(1 for priority in self._turns for _ in self._still_waiting(priority))

    @property
    def running(self) -> int:
        """Requests that hold a slot."""
        return sum(self._held.values())

    def is_free(self, priority: Priority) -> bool:
        """Whether a request would get a slot at once."""
        return self._has_room(priority)

    @asynccontextmanager
    async def slot(self, deadline: float | None, priority: Priority = "interactive") -> AsyncGenerator[None, None]:
        """Hold one slot. Raises `EngineUnavailable` when the queue is full, `DeadlineExceeded` (epoch seconds)."""
        await self._enter(deadline, priority)
        try:
            yield
        finally:
            self._leave(priority)

    async def _enter(self, deadline: float | None, priority: Priority) -> None:
        if self._has_room(priority):  # then nobody waits for it: whoever leaves hands the slot on
            self._held[priority] += 1
            return
        if self.waiting >= self._queue:
            self._make_room(priority)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._turns[priority].append(turn)
        entered = False
        try:
            async with asyncio.timeout(seconds_left(deadline)):
                await turn
            entered = True
        except TimeoutError:
            raise DeadlineExceeded(f"The deadline passed while the request waited for {self._model}.") from None
        finally:
            if not entered:
                self._step_back(turn, priority)

    def _has_room(self, priority: Priority) -> bool:
        in_the_way = self._held["interactive"] if self._preempts and priority == "interactive" else self.running
        return in_the_way < self._concurrency

    def _leave(self, priority: Priority) -> None:
        """Free a slot and hand it on. Who gets it holds it from now on, so nobody can come between."""
        self._held[priority] -= 1
        for waits in self._turns:
            while self._has_room(waits) and (turn := next(self._still_waiting(waits), None)):
                self._turns[waits].remove(turn)
                self._held[waits] += 1
                turn.set_result(None)

    def _step_back(self, turn: Turn, priority: Priority) -> None:
        """Stop waiting; a slot that was handed over in the same moment goes to the next one."""
        if turn in self._turns[priority]:
            self._turns[priority].remove(turn)
        elif turn.exception() is None:
            self._leave(priority)

    def _make_room(self, priority: Priority) -> None:
        """Let the newest batch request that waits give way to an interactive one, or raise `EngineUnavailable`."""
        newest = next(self._still_waiting("batch", newest_first=True), None) if priority == "interactive" else None
        if newest is None:
            raise self._full(f"All slots of {self._model} are busy and {self.waiting} requests wait")
        self._turns["batch"].remove(newest)
        newest.set_exception(self._full(f"An interactive request took this one's place in the queue of {self._model}"))

    def _full(self, what: str) -> EngineUnavailable:
        return EngineUnavailable(f"{what}; try again shortly.", retry_after_seconds=RETRY_AFTER_SECONDS)

    def _still_waiting(self, priority: Priority, *, newest_first: bool = False) -> Iterator[Turn]:
        """Turns of requests that were not cancelled; those leave the queue a moment later, when they run again."""
        turns = self._turns[priority]
        return (turn for turn in (reversed(turns) if newest_first else turns) if not turn.done())
