"""What may happen in one transaction, and by which rules: append, bodies, reserve, settle, lapse, read.

A `Writing` refuses before it writes: when one of its methods raises `LedgerError` (other than unavailable or
damaged) or `ValueError`, nothing of that call was written, and the transaction goes on with the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from ledger.accounting import nanos_down, nanos_up, usd, usd_text, window_begins, window_ends
from ledger.chain import seal, time_text
from ledger.protocol import (
    Budget,
    BudgetExceeded,
    Draft,
    Entry,
    Spend,
    UnknownBody,
    UnknownHold,
    Verification,
    Window,
)
from ledger.store import accounts, audit, bodies, entries
from ledger.store.balances import Balances
from ledger.store.entries import Head

Clock = Callable[[], datetime]


class Reading:
    """One state of the store, to look at."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Nothing is read yet."""
        self._connection = connection
        self._clock = clock

    def find(self, key: str) -> Entry | None:
        """As `Ledger.find`."""
        return entries.find_entry(self._connection, key)

    def read(self, *, stream: str | None, types: Sequence[str], after: int, limit: int | None) -> list[Entry]:
        """As `Ledger.read`."""
        return entries.read_entries(self._connection, stream=stream, types=types, after=after, limit=limit)

    def has_body(self, digest: str) -> bool:
        """Whether a body is stored."""
        return bodies.has_body(self._connection, digest)

    def body(self, digest: str) -> bytes:
        """As `Ledger.get_body`; raises `LedgerDamaged` for a body that was altered."""
        packed = bodies.load_body(self._connection, digest)
        if packed is None:
            raise UnknownBody(f"No body is stored under the digest {digest!r}.")
        return bodies.unpack(packed)

    def digests(self) -> list[str]:
        """The digests of all bodies."""
        return bodies.all_digests(self._connection)

    def spend(self, tenant: str, window: Window) -> Spend:
        """As `Accounts.spend`."""
        now = self._now(entries.load_head(self._connection))
        settled = accounts.settled(self._connection, tenant, window_begins(window, now))
        held = accounts.held(self._connection, tenant)
        return Spend(usd(settled), usd(held), window_ends(window, now))

    def verify(self) -> Verification:
        """As `Ledger.verify`."""
        return audit.verify(self._connection)

    def _now(self, head: Head) -> datetime:
        """The clock's time, but never before the last entry's: time does not go backwards along the chain."""
        return max(self._clock(), head.time)


class Writing(Reading):
    """The one transaction that changes the store. Call `finish` before it is committed."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Read where the chain ends."""
        super().__init__(connection, clock)
        self._stored_head = self._head = entries.load_head(connection)
        self._balances = Balances(connection)

    def append(self, draft: Draft, packed: bodies.PackedBody | None = None) -> Entry:
        """Chain a checked, redacted draft, store its body, count its cost; or give the entry its key already has."""
        if draft.key is not None and (there := self.find(draft.key)):
            return there
        head = self._head
        entry = seal(draft, seq=head.seq + 1, time=self._now(head), previous_hash=head.hash)
        if packed is not None:
            self.put_body(packed)
        entries.insert_entry(self._connection, entry)
        if nanos := nanos_up(entry.cost_usd, "cost_usd"):
            self._balances.spend(entry.tenant, entry.time, nanos)
        self._head = Head(entry.seq, entry.time, entry.hash, self._head.bodies)
        return entry

    def put_body(self, packed: bodies.PackedBody) -> str:
        """Store a redacted body once; its digest."""
        if not self.has_body(packed.digest):
            bodies.insert_body(self._connection, packed)
            self._head = replace(self._head, bodies=entries.combine((self._head.bodies, packed.digest)))
        return packed.digest

    def reserve(self, key: str, tenant: str, amount_usd: Decimal, budget: Budget) -> None:
        """As `Accounts.reserve`; `ValueError` when the key already holds something else. What is free always fits."""
        nanos = nanos_up(amount_usd, "The amount to reserve")
        limit = nanos_down(budget.limit_usd, "The budget's limit_usd")
        now = self._now(self._head)
        settled = self._balances.settled(tenant, window_begins(budget.window, now))
        held = self._balances.held(tenant)
        fits = not nanos or settled + held + nanos <= limit
        if fits and self._balances.open(accounts.Hold(key, tenant, nanos, time_text(now))):
            return
        if there := accounts.find_hold(self._connection, key):
            if (there.tenant, there.nanos) == (tenant, nanos):
                return
            raise ValueError(
                f"The key {key!r} already holds {usd_text(there.nanos)} USD of tenant {there.tenant!r}; "
                "a reservation of something else needs a key of its own."
            )
        raise _budget_exceeded(tenant, budget, asked=nanos, spend=(settled, held), now=now)

    def settle(self, key: str, draft: Draft, packed: bodies.PackedBody | None = None) -> Entry:
        """As `Accounts.settle`; a draft whose own key is already recorded is settled, whatever became of the hold."""
        hold = accounts.find_hold(self._connection, key)
        if hold is None:
            if draft.key is not None and (there := self.find(draft.key)):
                return there
            raise UnknownHold(f"No open reservation has the key {key!r}: it was settled, released or lapsed.")
        if hold.tenant != draft.tenant:
            raise ValueError(f"The reservation {key!r} is of tenant {hold.tenant!r}, not of {draft.tenant!r}.")
        entry = self.append(draft, packed)
        self._balances.close(hold)
        return entry

    def release(self, key: str) -> None:
        """As `Accounts.release`."""
        if hold := accounts.find_hold(self._connection, key):
            self._balances.close(hold)

    def lapse(self, created_before: datetime) -> list[Entry]:
        """As `Accounts.lapse`."""
        return [self._lost(hold) for hold in accounts.holds_before(self._connection, created_before)]

    def finish(self) -> None:
        """Write what was spent and where the chain ends now."""
        self._balances.write()
        if self._head != self._stored_head:
            entries.save_head(self._connection, self._head)
            self._stored_head = self._head

    def _lost(self, hold: accounts.Hold) -> Entry:
        self._balances.close(hold)
        return self.append(
            Draft(
                stream="calls",
                type="call.lost",
                actor="ledger",
                tenant=hold.tenant,
                data={"hold": hold.key, "reserved_at": hold.created},
                cost_usd=usd(hold.nanos),
            )
        )


def _budget_exceeded(
    tenant: str, budget: Budget, *, asked: int, spend: tuple[int, int], now: datetime
) -> BudgetExceeded:
    ends = window_ends(budget.window, now)
    settled, held = spend
    end = f"The window ends {time_text(ends)}." if ends else "The budget has no window that ends."
    return BudgetExceeded(
        f"Tenant {tenant!r} may spend {budget.limit_usd} USD per {budget.window}: {usd_text(settled)} USD is settled "
        f"and {usd_text(held)} USD is held, so {usd_text(asked)} USD more does not fit. {end}",
        window_ends=ends,
    )
