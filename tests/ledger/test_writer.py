"""Writes that wait together are committed together, and each fails only for its own reasons."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.chain import made_ready
from ledger.protocol import Draft, Entry, LedgerDamaged, LedgerUnavailable, UnknownHold
from ledger.store import entries
from ledger.store.database import Database
from ledger.store.transactions import Writing
from ledger.writer import MOST_TOGETHER, Writer
from tests.ledger.clock import HandClock

READY = made_ready(Draft("calls", "call.completed", "key_1"), {})


class CountingStore:
    """A SQLite store that counts its commits."""

    def __init__(self, path: Path) -> None:
        self.commits = 0
        self.database = Database(f"sqlite:///{path}", readers=1, lock_timeout_seconds=5)
        self.database.upgrade()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        with self.database.writing() as connection:
            transaction = Writing(connection, HandClock())
            yield transaction
            transaction.finish()
        self.commits += 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    store = CountingStore(tmp_path / "ledger.db")
    yield store
    store.database.close()


@pytest.fixture
def writer(store: CountingStore) -> Iterator[Writer]:
    writer = Writer(store.writing)
    yield writer
    writer.close()


def append(transaction: Writing) -> Entry:
    return transaction.append(READY)


def stumble(transaction: Writing) -> Entry:
    transaction.append(READY)
    raise KeyError("a defect")


class Held:
    """A write that says when its turn has come, and then waits until it is let go."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, transaction: Writing) -> Entry:
        self.begun.set()
        assert self.free.wait(10)
        return append(transaction)


def submit_together(writer: Writer, *acts: Callable[[Writing], Entry]) -> list[asyncio.Future[Entry]]:
    """Submit while the writer is busy with an entry of its own, so that the acts wait together."""
    held = Held()
    writer.submit(held)
    assert held.begun.wait(10)
    futures = [writer.submit(act) for act in acts]
    held.free.set()
    return futures


async def seqs(*futures: asyncio.Future[Entry]) -> list[int]:
    async with asyncio.timeout(10):
        return [(await future).seq for future in futures]


def recorded(store: CountingStore) -> list[int]:
    with store.database.reading() as connection:
        return [entry.seq for entry in entries.all_entries(connection)]


async def test_what_waits_together_is_one_commit(writer: Writer, store: CountingStore) -> None:
    assert await seqs(*submit_together(writer, *[append] * 50)) == list(range(2, 52))
    assert store.commits == 2
    futures = submit_together(writer, *[append] * (MOST_TOGETHER + 1))
    assert await seqs(futures[-1]) == [52 + MOST_TOGETHER + 1]
    assert store.commits == 5


async def test_what_waits_together_wakes_the_thread_and_the_event_loop_once(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes: Counter[str] = Counter()

    def counted(what: str, wake: Callable[..., object]) -> Callable[..., object]:
        def wake_and_count(*arguments: object) -> object:
            wakes[what] += 1
            return wake(*arguments)

        return wake_and_count

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(writer._thread, "submit", counted("thread", writer._thread.submit))
    monkeypatch.setattr(loop, "call_soon_threadsafe", counted("loop", loop.call_soon_threadsafe))
    await seqs(*submit_together(writer, *[append] * 50))
    assert wakes == {"thread": 1, "loop": 2}  # the one that was waited for, and all the others
    while writer._awake:
        await asyncio.sleep(0)
    await seqs(writer.submit(append))
    assert wakes == {"thread": 2, "loop": 3}


async def test_a_refusal_is_of_one_write(writer: Writer, store: CountingStore) -> None:
    first, refused, last = submit_together(
        writer, append, lambda transaction: transaction.settle("call_1", READY), append
    )
    with pytest.raises(UnknownHold):
        await refused
    assert await seqs(first, last) == [2, 3]
    assert store.commits == 2


async def test_a_transaction_that_fails_is_tried_again_write_by_write(writer: Writer, store: CountingStore) -> None:
    def fail(transaction: Writing) -> Entry:
        transaction.append(READY)
        raise LedgerDamaged("This one cannot be written.")

    first, failed, last = submit_together(writer, append, fail, append)
    with pytest.raises(LedgerDamaged, match="This one"):
        await failed
    assert await seqs(first, last) == [2, 3]
    assert store.commits == 3


async def test_an_unavailable_store_is_so_for_all_and_tried_once(writer: Writer, store: CountingStore) -> None:
    attempts = []

    def fail(_: Writing) -> Entry:
        attempts.append(1)
        raise LedgerUnavailable("The disk is full.")

    for future in submit_together(writer, append, fail, append):
        with pytest.raises(LedgerUnavailable, match="disk is full"):
            await future
    assert (len(attempts), store.commits) == (1, 1)
    assert await seqs(writer.submit(append)) == [2]


async def test_a_defect_leaves_nobody_waiting_and_nothing_written(writer: Writer) -> None:
    for future in submit_together(writer, append, stumble):
        with pytest.raises(KeyError, match="a defect"):
            await future
    assert await seqs(writer.submit(append)) == [2]


async def test_a_defect_does_not_stop_who_waits_for_the_next_transaction(writer: Writer) -> None:
    *stumbled, last = submit_together(writer, *[stumble] * MOST_TOGETHER, append)
    assert await seqs(last) == [2]
    assert {type(future.exception()) for future in stumbled} == {KeyError}


async def test_who_is_cancelled_before_the_turn_is_not_recorded_and_after_it_is(
    writer: Writer, store: CountingStore
) -> None:
    before, held = Held(), Held()
    writer.submit(before)
    assert before.begun.wait(10)
    begun, waiting, neighbour = writer.submit(held), writer.submit(append), writer.submit(append)
    waiting.cancel()
    before.free.set()
    assert held.begun.wait(10)
    begun.cancel()
    held.free.set()
    assert await seqs(neighbour) == [3]
    assert begun.cancelled()
    assert recorded(store) == [1, 2, 3]


async def test_closing_finishes_what_waits(store: CountingStore) -> None:
    writer = Writer(store.writing)
    futures = submit_together(writer, *[append] * 10)
    writer.close()
    assert store.commits == 2
    assert await seqs(*futures) == list(range(2, 12))


def test_an_event_loop_that_is_closed_meanwhile_takes_neither_write_nor_thread_with_it(
    writer: Writer, store: CountingStore
) -> None:
    held = Held()

    async def leave() -> None:
        writer.submit(held)
        assert held.begun.wait(10)
        writer.submit(append)

    asyncio.run(leave())
    held.free.set()
    writer.close()
    assert store.commits == 2
    assert recorded(store) == [1, 2]
