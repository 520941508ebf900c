"""Writes that wait together are committed together, and each fails only for its own reasons."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.protocol import Draft, Entry, LedgerDamaged, LedgerUnavailable, UnknownHold
from ledger.store.database import Database
from ledger.store.transactions import Writing
from ledger.writer import MOST_TOGETHER, Writer
from tests.ledger.clock import HandClock

DRAFT = Draft("calls", "call.completed", "key_1")


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
    return transaction.append(DRAFT)


def submit_together(writer: Writer, *acts: Callable[[Writing], Entry]) -> list[Future[Entry]]:
    """Submit while the writer is busy, so that the acts wait together."""
    busy, free = threading.Event(), threading.Event()

    def wait(_: Writing) -> None:
        busy.set()
        assert free.wait(10)

    waiting = writer.submit(wait)
    assert busy.wait(10)
    futures = [writer.submit(act) for act in acts]
    free.set()
    waiting.result(10)
    return futures


def test_what_waits_together_is_one_commit(writer: Writer, store: CountingStore) -> None:
    futures = submit_together(writer, *[append] * 50)
    assert [future.result(10).seq for future in futures] == list(range(1, 51))
    assert store.commits == 2
    futures = submit_together(writer, *[append] * (MOST_TOGETHER + 1))
    assert futures[-1].result(10).seq == 50 + MOST_TOGETHER + 1
    assert store.commits == 5


def test_a_refusal_is_of_one_write(writer: Writer, store: CountingStore) -> None:
    first, refused, last = submit_together(
        writer, append, lambda transaction: transaction.settle("call_1", DRAFT), append
    )
    with pytest.raises(UnknownHold):
        refused.result(10)
    assert (first.result(10).seq, last.result(10).seq) == (1, 2)
    assert store.commits == 2


def test_a_transaction_that_fails_is_tried_again_write_by_write(writer: Writer, store: CountingStore) -> None:
    def fail(transaction: Writing) -> Entry:
        transaction.append(DRAFT)
        raise LedgerDamaged("This one cannot be written.")

    first, failed, last = submit_together(writer, append, fail, append)
    with pytest.raises(LedgerDamaged, match="This one"):
        failed.result(10)
    assert (first.result(10).seq, last.result(10).seq) == (1, 2)
    assert store.commits == 3


def test_an_unavailable_store_is_so_for_all_and_tried_once(writer: Writer, store: CountingStore) -> None:
    attempts = []

    def fail(_: Writing) -> Entry:
        attempts.append(1)
        raise LedgerUnavailable("The disk is full.")

    for future in submit_together(writer, append, fail, append):
        with pytest.raises(LedgerUnavailable, match="disk is full"):
            future.result(10)
    assert (len(attempts), store.commits) == (1, 1)
    assert writer.submit(append).result(10).seq == 1


def test_a_defect_leaves_nobody_waiting_and_nothing_written(writer: Writer) -> None:
    def stumble(transaction: Writing) -> Entry:
        transaction.append(DRAFT)
        raise KeyError("a defect")

    for future in submit_together(writer, append, stumble):
        with pytest.raises(KeyError, match="a defect"):
            future.result(10)
    assert writer.submit(append).result(10).seq == 1


def test_closing_finishes_what_waits(store: CountingStore) -> None:
    writer = Writer(store.writing)
    futures = submit_together(writer, *[append] * 10)
    writer.close()
    assert [future.result(0).seq for future in futures] == list(range(1, 11))
