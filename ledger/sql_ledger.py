"""The ledger and the accounts over one SQL store, for asyncio: redacts and checks, then hands over to threads.

One object keeps both contracts, because a settlement chains an entry and moves money in the same transaction. It
belongs to one event loop; other processes may have the same store open. `gateway/assemble.py` opens it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from ledger import export
from ledger.chain import ReadyDraft, check_accounts, check_name
from ledger.detectors import detectors
from ledger.protocol import (
    GENESIS_HASH,
    BodyLetGo,
    Budget,
    Draft,
    Entry,
    LedgerUnavailable,
    Reservation,
    Reserved,
    Spend,
    Verification,
    Window,
)
from ledger.redaction import redact_body, redact_draft, refuse_secrets
from ledger.retention import LetGo, RetentionRules, Swept
from ledger.store.bodies import PackedBody, pack
from ledger.store.database import Database
from ledger.store.transactions import Clock, Reading, Writing
from ledger.writer import Writer

T = TypeVar("T")

READERS = 4
PAGE = 500
# Redacting and packing so much takes a third of a millisecond; handing it to a thread and back takes as long.
_SHORT_BODY_BYTES = 8192


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


async def open_ledger(
    url: str, *, clock: Clock = utc_now, poll_seconds: float = 0.25, lock_timeout_seconds: float = 10.0
) -> SqlLedger:
    """Open a store, bringing its tables up to date: `sqlite:///path/to/ledger.db` or `postgresql://user@host/database`.

    `follow` looks for entries of other processes every `poll_seconds`; a write waits up to `lock_timeout_seconds`
    for another process's. Raises `ValueError` for another URL, `LedgerUnavailable`, and `LedgerTooNew` for a store
    that a newer version wrote.
    """
    database = Database(url, readers=READERS, lock_timeout_seconds=lock_timeout_seconds)
    with ExitStack() as failure:
        failure.callback(database.close)
        await asyncio.to_thread(_prepare, database)
        failure.pop_all()
    return SqlLedger(database, clock=clock, poll_seconds=poll_seconds)


def _prepare(database: Database) -> None:
    database.upgrade()
    detectors()


class SqlLedger:
    """`Ledger` and `Accounts` over SQLite or PostgreSQL; see the protocols for what each method promises."""

    def __init__(self, database: Database, *, clock: Clock, poll_seconds: float) -> None:
        """Take over a database whose tables are up to date. Use `open_ledger`."""
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._writer = Writer(self._writing)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-reader")
        self._news: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()  # by stream
        self._closed = False

    async def claim(self) -> None:
        """Be the one process that works this store's tasks, until `close`. Raises `LedgerClaimed`."""
        await self._in_thread(self._database.claim)

    async def append(self, draft: Draft) -> Entry:
        """As `Ledger.append`; `ValueError` for a draft that no chain could hold.

        Cancelled while it waits for its turn, it is not recorded; once its turn has come, it is.
        """
        ready, packed = await self._ready(draft)
        entry = await self._write(lambda transaction: transaction.append(ready, packed))
        self._tell_followers(entry)
        return entry

    async def read(
        self, *, stream: str | None = None, types: Sequence[str] = (), after: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """As `Ledger.read`."""
        return await self._read(lambda state: state.read(stream=stream, types=types, after=after, limit=limit))

    async def find(self, key: str) -> Entry | None:
        """As `Ledger.find`."""
        return await self._read(lambda state: state.find(key))

    async def follow(self, stream: str, *, after: int = 0) -> AsyncGenerator[Entry, None]:
        """As `Ledger.follow`; ends with `LedgerUnavailable` when the ledger is closed."""
        while True:
            news = self._news.setdefault(stream, asyncio.Event())
            entries = await self.read(stream=stream, after=after, limit=PAGE)
            for entry in entries:
                yield entry
                after = entry.seq
            if not entries:
                # Not `wait_for`: in Python 3.11 it forgets a cancellation that comes together with news.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await news.wait()

    async def put_body(self, content: bytes) -> str:
        """As `Ledger.put_body`. Secrets are also found in text that is not quite UTF-8."""
        packed = await self._packed(content)
        if not await self._read(lambda state: state.has_body(packed.digest)):
            await self._write(lambda transaction: transaction.put_body(packed))
        return packed.digest

    async def _packed(self, content: bytes) -> PackedBody:
        """A redacted body; a long one is worked on in a thread."""
        if len(content) <= _SHORT_BODY_BYTES:
            return pack(redact_body(content))
        return await self._in_thread(lambda: pack(redact_body(content)))

    async def _ready(self, draft: Draft) -> tuple[ReadyDraft, PackedBody | None]:
        """A draft that may be chained, and the body that comes along."""
        ready = redact_draft(draft)
        if draft.output_body is None:
            return ready, None
        packed = await self._packed(draft.output_body)
        return ready.with_output(packed.digest), packed

    async def get_body(self, digest: str) -> bytes:
        """As `Ledger.get_body`; raises `LedgerDamaged` for a body that was altered."""
        return await self._read(lambda state: state.body(digest))

    async def verify(self) -> Verification:
        """As `Ledger.verify`: chain, bodies, head, and the projection of spend."""
        return await self._read(lambda state: state.verify())

    async def let_go(self, digests: Sequence[str]) -> Mapping[str, LetGo]:
        """As `Retention.let_go`."""
        return await self._read(lambda state: state.let_go(digests))

    async def sweep(
        self, rules: RetentionRules, *, after: dict[int, int] | None = None, dry_run: bool = False
    ) -> Swept:
        """As `Retention.sweep`."""
        swept, after = Swept(), {} if after is None else after
        counted: set[str] = set()
        for days in rules.periods:
            more = True
            while more:
                look = partial(Reading.due, rules=rules, days=days, after=after.get(days, 0), counted=counted)
                due = await self._read(look)
                if dry_run:
                    counted |= due.sizes.keys()
                    swept.count(due.sizes.values())
                elif due.sizes and (went := await self._write(partial(Writing.let_go_of, due=due, rules=rules))):
                    swept.count(went.sizes)
                    swept.entries.append(went.entry.seq)
                after[days], more = due.through, due.more
        if rules.periods and not dry_run:
            swept.erased = await self._in_thread(self._database.erase)
        return swept

    async def export(self, *, bodies: bool = False) -> AsyncGenerator[export.Line, None]:
        """The whole ledger as the lines of an export, which `ledger.export.verify_export` checks offline."""
        yield export.BEGIN
        seq, head_hash, count = 0, GENESIS_HASH, 0
        while entries := await self.read(after=seq, limit=PAGE):
            for entry in entries:
                yield export.entry_line(entry)
            seq, head_hash = entries[-1].seq, entries[-1].hash
        if bodies:
            for digest in await self._read(lambda state: state.digests()):
                try:
                    content = await self.get_body(digest)
                except BodyLetGo:  # meanwhile
                    continue
                yield export.body_line(digest, content)
                count += 1
        yield export.end_line(seq, count, head_hash)

    async def reserve(
        self, key: str, reservation: Reservation, budgets: Sequence[Budget], *, body: bytes | None = None
    ) -> Reserved:
        """As `Accounts.reserve`. Nothing free is refused; `ValueError` when the key already holds something else."""
        check_name("key", key)
        check_name("tenant", reservation.tenant)
        check_accounts(reservation.accounts)
        refuse_secrets(key, reservation.tenant, *reservation.accounts)
        packed = None if body is None else await self._packed(body)

        spends = await self._write(lambda transaction: transaction.reserve(key, reservation, budgets, packed))
        return Reserved(None if packed is None else packed.digest, tuple(spends))

    async def settle(self, key: str, draft: Draft) -> Entry:
        """As `Accounts.settle`. A draft whose own key is already recorded returns that entry, as in `append`."""
        ready, packed = await self._ready(draft)
        entry = await self._write(lambda transaction: transaction.settle(key, ready, packed))
        self._tell_followers(entry)
        return entry

    async def release(self, key: str) -> None:
        """As `Accounts.release`; a key that holds nothing is no error."""
        await self._write(lambda transaction: transaction.release(key))

    async def lapse(self, created_before: datetime) -> list[Entry]:
        """As `Accounts.lapse`; the entries are in the stream "calls"."""
        entries = await self._write(lambda transaction: transaction.lapse(created_before))
        self._tell_followers(*entries)
        return entries

    async def spend(self, account: str, window: Window) -> Spend:
        """As `Accounts.spend`."""
        return await self._read(lambda state: state.spend(account, window))

    async def close(self) -> None:
        """As `Ledger.close`; what was asked before is still done."""
        if not self._closed:
            self._closed = True
            for news in list(self._news.values()):
                news.set()
            await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._writer.close()
        self._threads.shutdown()
        self._database.close()

    def _tell_followers(self, *entries: Entry) -> None:
        """Only those whose stream has news: every call appends an entry, and few are followed."""
        for followed, news in list(self._news.items()):
            if any(_is_in(entry.stream, followed) for entry in entries):
                news.set()
                del self._news[followed]

    async def _write(self, act: Callable[[Writing], T]) -> T:
        self._require_open()
        return await self._writer.submit(act)

    async def _read(self, look: Callable[[Reading], T]) -> T:
        def read() -> T:
            with self._database.reading() as connection:
                return look(Reading(connection, self._clock))

        return await self._in_thread(read)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        with self._database.writing() as connection:
            transaction = Writing(connection, self._clock)
            yield transaction
            transaction.finish()

    def _require_open(self) -> None:
        if self._closed:
            raise LedgerUnavailable("The ledger is closed; open it again to use it.")


def _is_in(stream: str, followed: str) -> bool:
    """As `entries.read_entries` chooses them."""
    return stream.startswith(followed) if followed.endswith("/") else stream == followed
