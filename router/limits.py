"""Slots: how many requests one model answers at once, how many may wait, and who goes first. Never memory growth."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from inference.deadline import seconds_left
from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.protocol import Priority
from router.fair_queue import FairQueue

RETRY_AFTER_SECONDS = 1.0


class Turn(asyncio.Future[None]):
    """Done when its request may go on: a slot is then taken in its name.

    Who is cancelled leaves the queue in that moment, though the task runs again only later: what waits is always alive.
    """

    def __init__(self, tenant: str, queue: FairQueue[Turn]) -> None:
        super().__init__()
        self._tenant = tenant
        self._queue = queue
        queue.add(tenant, self)

    def cancel(self, msg: Any | None = None) -> bool:
        """As of any future."""
        self._queue.discard(self._tenant, self)
        return super().cancel(msg)


class Slots:
    """A bounded queue in front of a bounded number of calls.

    A free slot goes to an interactive request; batch requests get one when none of those waits. So a batch starves as
    long as interactive requests keep all slots busy: that is what the priority means, and a deadline bounds it. Within
    a priority tenants take turns by weight (fair_queue.py), and each tenant's requests go in the order they came in.
    In a full queue the request whose turn would come last gives way to one that would come before it: of a flood the
    newest. Interactive requests come before all batch ones.

    With `preempts` the engine sets batch answers aside for interactive ones: batch then takes no slot from them,
    they pass on to the engine, where at most twice `concurrency` requests are.
    """

    def __init__(
        self,
        model: str,
        concurrency: int,
        queue: int,
        *,
        preempts: bool = False,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Nobody is there. `weights` are those of tenants; 1 if left out."""
        self._model = model
        self._concurrency = concurrency
        self._queue = queue
        self._preempts = preempts
        self._turns: dict[Priority, FairQueue[Turn]] = {
            "interactive": FairQueue(weights or {}),
            "batch": FairQueue(weights or {}),
        }
        self._held: dict[Priority, int] = {"interactive": 0, "batch": 0}
        self.turned_away: Counter[str] = Counter()
        """Requests of each tenant that found the queue full, or gave way in it, so far."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot; one that was cancelled a moment ago does not."""
        return sum(map(len, self._turns.values()))

    @property
    def waiting_by_tenant(self) -> Mapping[str, int]:
        """The same for each tenant that has any."""
        return sum((Counter(turns.counts()) for turns in self._turns.values()), Counter())

    @property
    def running(self) -> int:
        """Requests that hold a slot."""
        return sum(self._held.values())

    def is_free(self, priority: Priority) -> bool:
        """Whether a request would get a slot at once."""
        return self._has_room(priority)

    @asynccontextmanager
    async def slot(
        self, deadline: float | None, priority: Priority = "interactive", tenant: str = ""
    ) -> AsyncGenerator[None, None]:
        """Hold one slot. Raises `EngineUnavailable` when the queue is full, `DeadlineExceeded` (epoch seconds)."""
        await self._enter(deadline, priority, tenant)
        try:
            yield
        finally:
            self._leave(priority)

    async def _enter(self, deadline: float | None, priority: Priority, tenant: str) -> None:
        turns = self._turns[priority]
        if self._has_room(priority):  # then nobody waits for it: whoever leaves hands the slot on
            turns.take_turn(tenant)
            self._held[priority] += 1
            return
        if self.waiting >= self._queue:
            self._make_room(priority, tenant)
        turn = Turn(tenant, turns)
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
        for waits, turns in self._turns.items():
            while turns and self._has_room(waits):
                self._held[waits] += 1
                turns.pop().set_result(None)

    def _step_back(self, turn: Turn, priority: Priority) -> None:
        """Stop waiting; a slot that was handed over in the same moment goes to the next one."""
        turn.cancel()
        if not turn.cancelled() and turn.exception() is None:
            self._leave(priority)

    def _make_room(self, priority: Priority, tenant: str) -> None:
        """Let a request that waits give way to one that comes, or raise `EngineUnavailable`."""
        if priority == "interactive" and self._turns["batch"]:
            self._give_way("batch", f"An interactive request took this one's place in the queue of {self._model}")
        elif self._turns[priority].is_before_last(tenant):
            who = "a request of another tenant, whose turn is sooner,"
            self._give_way(priority, f"The queue of {self._model} is full, and {who} took this one's place")
        else:
            raise self._full(tenant, f"All slots of {self._model} are busy and {self.waiting} requests wait")

    def _give_way(self, priority: Priority, why: str) -> None:
        tenant, turn = self._turns[priority].pop_last()
        turn.set_exception(self._full(tenant, why))

    def _full(self, tenant: str, what: str) -> EngineUnavailable:
        self.turned_away[tenant] += 1
        return EngineUnavailable(f"{what}; try again shortly.", retry_after_seconds=RETRY_AFTER_SECONDS)
