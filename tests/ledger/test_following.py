"""Followers look into the store when their own stream has news, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from ledger.protocol import Draft, Entry
from ledger.sql_ledger import SqlLedger, utc_now
from ledger.store.database import Database


class CountedReads:
    """A store's way of reading that counts how often it is used."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self.count = 0
        self._reading = reading

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        self.count += 1
        with self._reading() as connection:
            yield connection


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncGenerator[tuple[SqlLedger, CountedReads], None]:
    database = Database(f"sqlite:///{tmp_path}/ledger.db", readers=4, lock_timeout_seconds=5)
    database.upgrade()
    reads = CountedReads(database.reading)
    database.reading = reads  # type: ignore[method-assign]  # a wrapper around the real one
    ledger = SqlLedger(database, clock=utc_now, poll_seconds=3600)
    yield ledger, reads
    await ledger.close()


async def _waits(reads: CountedReads, looks: int) -> None:
    """Until a follower has looked so often; then it waits for news."""
    async with asyncio.timeout(10):
        while reads.count < looks:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("followed", "its_own"), [("estimates", "estimates"), ("task/", "task/1")])
async def test_entries_of_other_streams_wake_no_follower(
    counted: tuple[SqlLedger, CountedReads], followed: str, its_own: str
) -> None:
    ledger, reads = counted
    follower = ledger.follow(followed)
    coming: asyncio.Task[Entry] = asyncio.ensure_future(anext(follower))
    await _waits(reads, 1)
    for number in range(5):
        await ledger.append(Draft("calls", "call.finished", "ada", key=f"call/{number}"))
    assert reads.count == 1
    entry = await ledger.append(Draft(its_own, "noted", "ada"))
    async with asyncio.timeout(10):
        assert await coming == entry
    await follower.aclose()
