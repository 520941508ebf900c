"""Who runs next: a number of slots, and before them a bounded queue in which tenants take turns.

Each tenant's commands keep their order. When the queue is full, whoever has the most waiting gives way, so that one
tenant's flood is that tenant's loss. Called by `nsjail.py`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox.protocol import SandboxOverloaded

_Turn = asyncio.Future[int]


class Slots:
    """Slots 0 to `count - 1`; at most `most_waiting` commands wait for one, for at most `wait_seconds` each."""

    def __init__(self, count: int, most_waiting: int, wait_seconds: float) -> None:
        self._count = count
        self._most_waiting = most_waiting
        self._wait_seconds = wait_seconds
        self._free = list(reversed(range(count)))  # the last one used is taken first: less to warm up
        self._waiting: OrderedDict[str, deque[_Turn]] = OrderedDict()  # the first tenant has the next turn

    @asynccontextmanager
    async def held(self, tenant: str) -> AsyncIterator[int]:
        """A slot for as long as the context lasts. Raises `SandboxOverloaded` when none comes free in time."""
        slot = self._free.pop() if self._free else await self._wait(tenant)
        try:
            yield slot
        finally:
            self._hand_on(slot)

    def waiting(self) -> int:
        """How many commands wait."""
        return sum(map(len, self._waiting.values()))

    async def _wait(self, tenant: str) -> int:
        turn = self._line_up(tenant)
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await turn
        except TimeoutError:
            raise SandboxOverloaded(
                f"All {self._count} sandbox slots were busy for {self._wait_seconds:g} s; "
                "try again, or raise sandbox.slots."
            ) from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._hand_on(turn.result())  # it came at the same moment
            raise
        finally:
            self._leave(tenant, turn)

    def _line_up(self, tenant: str) -> _Turn:
        if self.waiting() >= self._most_waiting:
            self._make_room(tenant)
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        return turn

    def _make_room(self, tenant: str) -> None:
        """Send the newest command of whoever has the most waiting away; it may be the one that comes."""
        full = SandboxOverloaded(f"{self._most_waiting} commands wait for the sandbox already; try again later.")
        longest = max(self._waiting, key=lambda other: len(self._waiting[other]), default=tenant)
        if len(self._waiting.get(tenant, ())) + 1 >= len(self._waiting.get(longest, ())):
            raise full
        newest = self._waiting[longest][-1]
        self._leave(longest, newest)
        if not newest.done():
            newest.set_exception(full)

    def _hand_on(self, slot: int) -> None:
        """Give a slot to the tenant whose turn it is, who is then last in line."""
        if not self._waiting:
            self._free.append(slot)
            return
        tenant = next(iter(self._waiting))
        turn = self._waiting[tenant][0]
        self._waiting.move_to_end(tenant)
        self._leave(tenant, turn)
        if turn.cancelled():
            self._hand_on(slot)
        else:
            turn.set_result(slot)

    def _leave(self, tenant: str, turn: _Turn) -> None:
        line = self._waiting.get(tenant)
        if line is None or turn not in line:
            return
        line.remove(turn)
        if not line:
            del self._waiting[tenant]
