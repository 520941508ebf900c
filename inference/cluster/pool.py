"""The replicas of one model, from the gateway's side: who is free, who waits, and how long for.

Nothing here knows Ray or HTTP. `concurrency` is what one replica answers at once. Times are seconds of a clock that is
handed in, and `expire` is called from time to time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference.cluster.messages import Replica
from inference.cluster.spread import choose
from inference.errors import EngineUnavailable
from inference.protocol import Priority

RETRY_AFTER_SECONDS = 5.0

Able = Callable[[str], bool]
"""Whether the replica with this id has what a request needs, where not all of them do."""


@dataclass(slots=True, eq=False)
class _Turn:
    """Somebody who waits for a replica that is `able`; `granted` is its id."""

    head: bytes
    priority: Priority
    since: float
    granted: asyncio.Future[str]
    able: Able | None


class Pool:
    """Leases replicas. One that refused or broke a connection is left out until it says something new."""

    def __init__(self, model: str, concurrency: int, cold_start_seconds: float, clock: Callable[[], float]) -> None:
        self._model = model
        self._concurrency = concurrency
        self._cold_start_seconds = cold_start_seconds
        self._clock = clock
        self._replicas: dict[str, Replica] = {}
        self._leased: dict[str, int] = {}
        self._doubted: dict[str, float] = {}
        self._turns: list[_Turn] = []
        self._last_ready = clock()
        self._knocked = False
        self.wanted = 0
        self.problem = ""

    @property
    def demand(self) -> int:
        """Requests in flight: those that hold a replica and those that wait for one."""
        waiting = sum(not turn.granted.done() for turn in self._turns)
        return sum(self._leased.values()) + waiting + (1 if self._knocked else 0)

    @property
    def replicas(self) -> Sequence[Replica]:
        """What is known of all of them."""
        return tuple(self._replicas.values())

    def counts(self) -> Mapping[str, int]:
        """How many replicas are wanted, ready, starting and leaving."""
        ready = len(self.ready)
        leaving = sum(each.draining for each in self._replicas.values())
        starting = len(self._replicas) - ready - leaving
        return {"wanted": self.wanted, "ready": ready, "starting": starting, "leaving": leaving}

    @property
    def ready(self) -> Sequence[str]:
        """The ids of those that would answer now."""
        return [each for each, replica in self._replicas.items() if self._usable(replica)]

    def update(self, replicas: Sequence[Replica]) -> None:
        """Take note of how things are."""
        now = self._clock()
        self._replicas = {each.id: each for each in replicas}
        self._doubted = {each: when for each, when in self._doubted.items() if each in self._replicas}
        for each in replicas:  # what a replica says after it was doubted takes the doubt away
            if now - each.age_seconds > self._doubted.get(each.id, math.inf):
                del self._doubted[each.id]
        self._settle()

    def doubt(self, replica: str) -> None:
        """A connection to this one broke: leave it out until it has said something after now."""
        self._doubted[replica] = self._clock()

    def knock(self) -> None:
        """Count as one request until the next `expire`: somebody would have asked, and was sent elsewhere."""
        self._knocked = True

    def expire(self) -> None:
        """Refuse those who have waited too long while no replica was ready at all."""
        now, self._knocked = self._clock(), False
        self._settle()
        for turn in list(self._turns):
            if not turn.granted.done() and now - self._last_chance(turn) > self._cold_start_seconds:
                turn.granted.set_exception(self._unavailable(now - turn.since))

    @asynccontextmanager
    async def lease(self, head: bytes, priority: Priority, able: Able | None = None) -> AsyncGenerator[Replica, None]:
        """Hold a place at a replica that is `able`, as soon as one is free.

        Raises `EngineUnavailable` when none has become ready in time.
        """
        turn = _Turn(head, priority, self._clock(), asyncio.get_running_loop().create_future(), able)
        self._turns.append(turn)
        try:
            self._settle()
            replica = await turn.granted
            yield self._replicas.get(replica) or Replica(model=self._model, id=replica)
        finally:  # also when the caller leaves, even in the moment of the grant
            self._turns.remove(turn)
            if turn.granted.done() and not turn.granted.cancelled() and turn.granted.exception() is None:
                self._release(turn.granted.result())

    def close(self) -> None:
        """Refuse all who wait."""
        for turn in self._turns:
            if not turn.granted.done():
                turn.granted.set_exception(EngineUnavailable(f"The engine of {self._model!r} is closed."))

    def _release(self, replica: str) -> None:
        self._leased[replica] -= 1
        if not self._leased[replica]:
            del self._leased[replica]
        self._settle()

    def _settle(self) -> None:
        """Give every free place to whoever is first in line for it: interactive requests before batch ones."""
        loads = {each: self._leased.get(each, 0) for each in self.ready}
        if loads:
            self._last_ready = self._clock()
        waiting = [turn for turn in self._turns if not turn.granted.done()] if loads else []
        for turn in sorted(waiting, key=lambda turn: turn.priority != "interactive"):
            able = loads if turn.able is None else {each: loads[each] for each in loads if turn.able(each)}
            if (replica := choose(turn.head, able, self._concurrency)) is None:
                if turn.able is None:
                    return  # all are full
                continue
            loads[replica] += 1
            self._leased[replica] = self._leased.get(replica, 0) + 1
            turn.granted.set_result(replica)

    def _last_chance(self, turn: _Turn) -> float:
        """Until when a replica was there that could have answered, as far as its places were not taken."""
        if turn.able is not None and self.ready and not any(turn.able(each) for each in self.ready):
            return turn.since
        return max(turn.since, self._last_ready)

    def _usable(self, replica: Replica) -> bool:
        return replica.ready and not replica.draining and replica.id not in self._doubted

    def _unavailable(self, waited: float) -> EngineUnavailable:
        starting = [f"{each.id[-6:]}: {each.detail}" for each in self._replicas.values() if each.detail]
        why = self.problem or "; ".join(starting) or "none has been placed yet"
        return EngineUnavailable(
            f"No replica of {self._model!r} became ready within {waited:.0f} seconds ({why}).",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
