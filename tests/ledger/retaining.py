"""Retention rules for tests, and a process that sweeps by them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection

from ledger.protocol import Entry, JsonValue
from ledger.sql_ledger import open_ledger
from ledger.store.transactions import Reading, Writing
from tests.ledger.clock import HandClock


class ByClass:
    """Days by what an entry's data say of its class; other entries are kept for good."""

    def __init__(self, **days: int) -> None:
        self._days = days
        self.periods: Sequence[int] = sorted(set(days.values()))

    def days(self, entry: Entry) -> int | None:
        return self._days.get(str(entry.data.get("class")))

    def told(self) -> Mapping[str, JsonValue]:
        return dict(self._days)


def sweep_slowly(pipe: Connection, url: str, clock: HandClock, rules: ByClass) -> None:
    """Sweep, telling every transaction; the other side's word lets the next one begin."""

    async def main() -> None:
        ledger = await open_ledger(url, clock=clock)
        days, after, more = rules.periods[0], 0, True
        while more:
            due = await ledger._read(partial(Reading.due, rules=rules, days=days, after=after))
            await ledger._write(partial(Writing.let_go_of, due=due, rules=rules))
            pipe.send(due.through)
            pipe.recv()
            after, more = due.through, due.more

    asyncio.run(main())
