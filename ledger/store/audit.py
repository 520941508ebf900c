"""`verify`: everything stored is derived again through the read path and compared; nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection

from ledger.accounting import NOTHING, Amount, amount_up, usd_text
from ledger.chain import ChainCheck
from ledger.protocol import Entry, LedgerDamaged, Verification
from ledger.retention import went_with
from ledger.store import accounts, bodies, departures, entries


def verify(connection: Connection) -> Verification:
    """Check bodies, chain, head and spend in one state of the store; the first entry that does not hold is named."""
    audit = _Audit(connection)
    problem = next(audit.problems(), None)
    return Verification(audit.chain.entries, len(audit.stored), audit.chain.head_hash, problem, audit.let_go)


class _Audit:
    """One pass over the store; each generator yields sentences about what does not hold."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.chain = ChainCheck()
        self.stored: set[str] = set()
        self.let_go = 0
        self._altered: dict[str, str] = {}
        self._spend: defaultdict[tuple[str, str], Amount] = defaultdict(Amount)
        self._last_cost: dict[tuple[str, str], int] = {}

    def problems(self) -> Iterator[str]:
        try:
            head = entries.load_head(self._connection)
            self._read_bodies()
            bodies_are_missing = entries.combine(self.stored) != head.bodies
            for entry in entries.all_entries(self._connection):
                yield from self._entry_problems(entry)
            yield from self._head_problems(head)
            yield from self._spend_problems()
            yield from self._departure_problems()
            yield from self._altered.values()
            if bodies_are_missing:
                yield "Bodies were added or removed that no entry names."
        except LedgerDamaged as error:
            yield str(error)
        except (
            TypeError,
            ValueError,
            KeyError,
        ) as error:  # SQLite keeps text in a column of numbers, if somebody puts it there
            yield f"The store was altered after entry {self.chain.entries}: something cannot be read ({error})."

    def _read_bodies(self) -> None:
        for packed in bodies.all_bodies(self._connection):
            self.stored.add(packed.digest)
            try:
                bodies.unpack(packed)
            except LedgerDamaged as error:
                self._altered[packed.digest] = str(error)

    def _entry_problems(self, entry: Entry) -> Iterator[str]:
        if problem := self.chain.add(entry):
            yield problem
        for digest in filter(None, (entry.input_digest, entry.output_digest)):
            if digest in self._altered:
                yield f"Entry {entry.seq} names a body that does not hold. {self._altered[digest]}"
            if digest not in self.stored and not departures.was_let_go_since(self._connection, digest, entry.seq):
                yield f"Entry {entry.seq} names body {digest}, which is missing and was not let go under retention."
        if went := went_with(entry):
            self.let_go += len(went)
            if sorted(went) != departures.said_by(self._connection, entry.seq):
                yield f"Entry {entry.seq} says which bodies were let go, and the store remembers others."
        amount, day = amount_up(entry.cost_usd, entry.tokens, "cost_usd"), accounts.day(entry.time)
        for account in accounts.counted_for(entry.tenant, entry.accounts) if amount != NOTHING else ():
            self._spend[account, day] = self._spend[account, day].plus(amount)
            self._last_cost[account, day] = entry.seq

    def _head_problems(self, head: entries.Head) -> Iterator[str]:
        last = self.chain.entries
        if head.seq > last:
            yield f"Entry {last + 1} is missing: the chain went up to entry {head.seq}."
        if head.seq < last:
            yield f"Entry {head.seq + 1} was added behind the ledger's back: its head is entry {head.seq}."
        if head.hash != self.chain.head_hash:
            yield f"Entry {last} does not have the hash that the ledger's head remembers."

    def _departure_problems(self) -> Iterator[str]:
        if departures.count(self._connection) != self.let_go:
            yield "Bodies are noted as let go of which no entry says so."

    def _spend_problems(self) -> Iterator[str]:
        recorded = accounts.all_spend(self._connection)
        for account, day in sorted({*recorded, *self._spend}):
            counted, total = self._spend[account, day], recorded.get((account, day), NOTHING)
            if counted != total:
                seq = self._last_cost.get((account, day), self.chain.entries)
                yield (
                    f"The spend of {account} on {day} does not add up at entry {seq}: {_in_words(total)} are recorded, "
                    f"the entries cost {_in_words(counted)}."
                )


def _in_words(amount: Amount) -> str:
    return f"{usd_text(amount.nanos)} USD and {amount.tokens} tokens"
