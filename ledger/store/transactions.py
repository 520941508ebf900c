"""What may happen in one transaction, and by which rules: append, bodies, reserve, settle, lapse, read.

A `Writing` refuses before it writes: when one of its methods raises `LedgerError` (other than unavailable or
damaged) or `ValueError`, nothing of that call was written, and the transaction goes on with the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import Connection

from ledger.accounting import NOTHING, amount_up, usd, usd_text, window_begins
from ledger.budgets import Balance, refusal
from ledger.chain import ReadyDraft, made_ready, seal, time_text
from ledger.protocol import (
    BodyLetGo,
    Budget,
    Draft,
    Entry,
    JsonValue,
    Reservation,
    Spend,
    UnknownBody,
    UnknownHold,
    Verification,
    Window,
)
from ledger.retention import LET_GO, RETENTION_STREAM, LetGo, RetentionRules
from ledger.store import accounts, audit, bodies, departures, entries
from ledger.store.balances import Balances
from ledger.store.entries import Head

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Due:
    """Bodies that nobody keeps any more, with their sizes, and how far was looked.

    `through` is the last entry that was looked at, `seen` the chain's last one; `more` if there is another page.
    """

    sizes: Mapping[str, int]
    seen: int
    through: int
    more: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The entry that says which bodies went, and their sizes."""

    entry: Entry
    sizes: Collection[int]


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
            if went := departures.departures(self._connection, [digest]).get(digest):
                raise BodyLetGo(f"The body {digest} was {went}.")
            raise UnknownBody(f"No body is stored under the digest {digest!r}.")
        return bodies.unpack(packed)

    def digests(self) -> list[str]:
        """The digests of all bodies."""
        return bodies.all_digests(self._connection)

    def spend(self, account: str, window: Window) -> Spend:
        """As `Accounts.spend`."""
        now = self._now(entries.load_head(self._connection))
        settled = accounts.settled(self._connection, account, window_begins(window, now))
        return Balance(settled, accounts.held(self._connection)[account], window, now).spend()

    def let_go(self, digests: Sequence[str]) -> dict[str, LetGo]:
        """As `Retention.let_go`."""
        return departures.departures(self._connection, digests)

    def due(self, rules: RetentionRules, days: int, after: int, counted: Collection[str] = ()) -> Due:
        """The next page of entries after one whose bodies are kept for `days`: which bodies nobody keeps any more.

        Those that are `counted` already are left out.
        """
        now = self._clock()
        page = departures.naming_entries(self._connection, after)
        aged = list(takewhile(lambda entry: _is_past(entry, days, now), page.entries))
        named = [
            each for entry in aged if rules.days(entry) == days for each in (entry.input_digest, entry.output_digest)
        ]
        found = [digest for digest in dict.fromkeys(filter(None, named)) if digest not in counted]
        due = [digest for digest in found if self._is_due(digest, rules, now)]
        seen = entries.load_head(self._connection).seq
        sizes = departures.free(self._connection, due, seen)
        more = page.more and len(aged) == len(page.entries)
        return Due(sizes, seen, aged[-1].seq if aged else after, more)

    def _is_due(self, digest: str, rules: RetentionRules, now: datetime) -> bool:
        named_by = departures.named_by(self._connection, digest)
        return all(_is_past(entry, rules.days(entry), now) for entry in named_by)

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

    def append(self, ready: ReadyDraft, packed: bodies.PackedBody | None = None) -> Entry:
        """Chain a redacted draft, store its body, count its cost; or give the entry its key already has."""
        if ready.draft.key is not None and (there := self.find(ready.draft.key)):
            return there
        return self._chain(ready, packed)

    def put_body(self, packed: bodies.PackedBody) -> str:
        """Store a redacted body once; its digest."""
        if bodies.insert_body(self._connection, packed):
            self._head = replace(self._head, bodies=entries.combine((self._head.bodies, packed.digest)))
        return packed.digest

    def reserve(
        self, key: str, reservation: Reservation, budgets: Sequence[Budget], packed: bodies.PackedBody | None = None
    ) -> list[tuple[Budget, Spend]]:
        """As `Accounts.reserve`: what each budget's account has with it."""
        asked = amount_up(reservation.amount_usd, reservation.tokens, "The amount to reserve")
        now = self._now(self._head)
        body = packed.digest if packed else None
        hold = accounts.Hold(key, reservation.tenant, asked, time_text(now), reservation.accounts, body)
        refusals = (refusal(budget, self._balance(budget, hold, now), asked) for budget in budgets)
        refused = next(filter(None, refusals), None)
        if refused is not None or not self._balances.open(hold):
            there = accounts.find_hold(self._connection, key)
            if refused is not None and there is None:
                raise refused
            _check_same(there, hold)
        if packed is not None:
            self.put_body(packed)
        return [(budget, self._balance(budget, hold, now).spend()) for budget in budgets]

    def _balance(self, budget: Budget, hold: accounts.Hold, now: datetime) -> Balance:
        if budget.account not in hold.accounts:
            raise ValueError(f"The reservation {hold.key!r} does not count for the account {budget.account!r}.")
        settled = self._balances.settled(budget.account, window_begins(budget.window, now))
        return Balance(settled, self._balances.held(budget.account), budget.window, now)

    def settle(self, key: str, ready: ReadyDraft, packed: bodies.PackedBody | None = None) -> Entry:
        """As `Accounts.settle`; a draft whose own key is already recorded is settled, whatever became of the hold."""
        draft = ready.draft
        found = accounts.find_hold_and_entry(self._connection, key, draft.key)
        if found is None:
            if draft.key is not None and (there := self.find(draft.key)):
                return there
            raise UnknownHold(f"No open reservation has the key {key!r}: it was settled, released or lapsed.")
        hold, is_recorded = found
        if hold.tenant != draft.tenant:
            raise ValueError(f"The reservation {key!r} is of tenant {hold.tenant!r}, not of {draft.tenant!r}.")
        entry = self.append(ready, packed) if is_recorded else self._chain(ready, packed)
        self._balances.close(hold)
        return entry

    def release(self, key: str) -> None:
        """As `Accounts.release`."""
        if hold := accounts.find_hold(self._connection, key):
            self._balances.close(hold)

    def lapse(self, created_before: datetime) -> list[Entry]:
        """As `Accounts.lapse`."""
        return [self._lost(hold) for hold in accounts.holds_before(self._connection, created_before)]

    def let_go_of(self, due: Due, rules: RetentionRules) -> Gone | None:
        """Delete what is due and still free, and chain the entry that says so; None if nothing is."""
        sizes = departures.free(self._connection, list(due.sizes), due.seen)
        if not sizes:
            return None
        digests = sorted(sizes)
        data: dict[str, JsonValue] = {"bodies": digests, "bytes": sum(sizes.values()), "rules": rules.told()}
        entry = self._chain(made_ready(Draft(RETENTION_STREAM, LET_GO, "ledger"), data), None)
        departures.let_go(self._connection, digests, entry.seq)
        self._head = replace(self._head, bodies=entries.combine((self._head.bodies, *digests)))
        return Gone(entry, sizes.values())

    def finish(self) -> None:
        """Write what was spent and where the chain ends now."""
        self._balances.write()
        if self._head != self._stored_head:
            entries.save_head(self._connection, self._head)
            self._stored_head = self._head

    def _chain(self, ready: ReadyDraft, packed: bodies.PackedBody | None) -> Entry:
        head = self._head
        entry = seal(ready, seq=head.seq + 1, time=self._now(head), previous_hash=head.hash)
        if packed is not None:
            self.put_body(packed)
        entries.insert_entry(self._connection, entry, ready.data_json)
        amount = amount_up(entry.cost_usd, entry.tokens, "cost_usd")
        if amount != NOTHING:
            self._balances.spend(accounts.counted_for(entry.tenant, entry.accounts), entry.time, amount)
        self._head = Head(entry.seq, entry.time, entry.hash, self._head.bodies)
        return entry

    def _lost(self, hold: accounts.Hold) -> Entry:
        self._balances.close(hold)
        data: dict[str, JsonValue] = {"hold": hold.key, "reserved_at": hold.created}
        cost, tokens = usd(hold.amount.nanos), hold.amount.tokens
        lost = Draft("calls", "call.lost", "ledger", hold.tenant, cost_usd=cost, tokens=tokens, accounts=hold.others)
        return self.append(made_ready(replace(lost, input_digest=hold.body), data))


def _is_past(entry: Entry, days: int | None, now: datetime) -> bool:
    return days is not None and entry.time + timedelta(days=days) <= now


def _check_same(there: accounts.Hold | None, hold: accounts.Hold) -> None:
    if there is not None and replace(there, created=hold.created, body=hold.body) != hold:
        raise ValueError(
            f"The key {hold.key!r} already holds {usd_text(there.amount.nanos)} USD and {there.amount.tokens} tokens "
            f"of tenant {there.tenant!r}; a reservation of something else needs a key of its own."
        )
