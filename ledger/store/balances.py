"""What accounts have spent and hold, as one writing transaction leaves it: many calls, few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from ledger.accounting import Amount
from ledger.store import accounts
from ledger.store.accounts import Hold


class Balances:
    """Nobody else writes meanwhile, so a sum is read once and then kept up here. Costs are stored by `write`."""

    def __init__(self, connection: Connection) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._settled: dict[tuple[str, str], Amount] = {}
        self._held: defaultdict[str, Amount] | None = None
        self._unwritten: defaultdict[tuple[str, str], Amount] = defaultdict(Amount)

    def settled(self, account: str, since: datetime | None) -> Amount:
        """As `accounts.settled`, with what is not written yet."""
        first_day = accounts.first_day(since)
        if (account, first_day) not in self._settled:
            total = accounts.settled(self._connection, account, since)
            for (whose, day), amount in self._unwritten.items():
                if whose == account and day >= first_day:
                    total = total.plus(amount)
            self._settled[account, first_day] = total
        return self._settled[account, first_day]

    def held(self, account: str) -> Amount:
        """What the open reservations of an account add up to."""
        if self._held is None:
            self._held = accounts.held(self._connection)
        return self._held[account]

    def open(self, hold: Hold) -> bool:
        """Open a reservation; False, and nothing is done, if its key has one."""
        if not accounts.insert_hold(self._connection, hold):
            return False
        if self._held is not None:
            for account in hold.accounts:
                self._held[account] = self._held[account].plus(hold.amount)
        return True

    def close(self, hold: Hold) -> None:
        """Close a reservation."""
        accounts.delete_hold(self._connection, hold.key)
        if self._held is not None:
            for account in hold.accounts:
                self._held[account] = self._held[account].minus(hold.amount)

    def spend(self, whose: Sequence[str], time: datetime, amount: Amount) -> None:
        """Count a cost of accounts on the day of `time`."""
        day = accounts.day(time)
        for account in whose:
            self._unwritten[account, day] = self._unwritten[account, day].plus(amount)
        for known, first_day in self._settled:
            if known in whose and day >= first_day:
                self._settled[known, first_day] = self._settled[known, first_day].plus(amount)

    def write(self) -> None:
        """Store the costs that were counted."""
        for (account, day), amount in self._unwritten.items():
            accounts.add_spend(self._connection, account, day, amount)
        self._unwritten.clear()
