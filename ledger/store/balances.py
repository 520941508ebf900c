"""What tenants have spent and hold, as one writing transaction leaves it: many calls, few statements."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection

from ledger.store import accounts
from ledger.store.accounts import Hold


class Balances:
    """Nobody else writes meanwhile, so a sum is read once and then kept up here. Costs are stored by `write`."""

    def __init__(self, connection: Connection) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._settled: dict[tuple[str, str], int] = {}
        self._held: dict[str, int] = {}
        self._unwritten: Counter[tuple[str, str]] = Counter()

    def settled(self, tenant: str, since: datetime | None) -> int:
        """As `accounts.settled`, with what is not written yet."""
        first_day = accounts.first_day(since)
        if (tenant, first_day) not in self._settled:
            here = sum(nanos for (who, day), nanos in self._unwritten.items() if who == tenant and day >= first_day)
            self._settled[tenant, first_day] = accounts.settled(self._connection, tenant, since) + here
        return self._settled[tenant, first_day]

    def held(self, tenant: str) -> int:
        """As `accounts.held`."""
        if tenant not in self._held:
            self._held[tenant] = accounts.held(self._connection, tenant)
        return self._held[tenant]

    def open(self, hold: Hold) -> bool:
        """Open a reservation; False, and nothing is done, if its key has one."""
        if not accounts.insert_hold(self._connection, hold):
            return False
        if hold.tenant in self._held:
            self._held[hold.tenant] += hold.nanos
        return True

    def close(self, hold: Hold) -> None:
        """Close a reservation."""
        accounts.delete_hold(self._connection, hold.key)
        if hold.tenant in self._held:
            self._held[hold.tenant] -= hold.nanos

    def spend(self, tenant: str, time: datetime, nanos: int) -> None:
        """Count a cost on the day of `time`."""
        day = accounts.day(time)
        self._unwritten[tenant, day] += nanos
        for who, first_day in self._settled:
            if who == tenant and day >= first_day:
                self._settled[who, first_day] += nanos

    def write(self) -> None:
        """Store the costs that were counted."""
        for (tenant, day), nanos in self._unwritten.items():
            accounts.add_spend(self._connection, tenant, day, nanos)
        self._unwritten.clear()
