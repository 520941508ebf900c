"""The tables: made once whoever comes first, brought up from the first revision, and refused when too new."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, column, insert, table

from ledger.accounting import nanos_up
from ledger.chain import made_ready, seal, time_text
from ledger.protocol import Draft, Entry, LedgerError, LedgerTooNew
from ledger.sql_ledger import open_ledger
from ledger.store import entries, tables
from ledger.store.database import Database
from tests.ledger.clock import HandClock

pytest_plugins = ["tests.ledger.postgres"]


@pytest.fixture
def database(ledger_url: str) -> Database:
    return Database(ledger_url, readers=1, lock_timeout_seconds=30)


def test_the_migrations_make_the_tables_that_queries_see(database: Database) -> None:
    database.upgrade()
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


async def test_a_ledger_of_the_first_revision_is_brought_up_with_its_entries(
    database: Database, ledger_url: str
) -> None:
    database.upgrade("0001")
    clock = HandClock()
    with database.writing() as connection:
        head = entries.load_head(connection)
        for seq in (1, 2, 3):
            draft = Draft("calls", "call.completed", "key_1", cost_usd=Decimal("0.4") if seq > 1 else Decimal(0))
            entry = seal(made_ready(draft, {}), seq=seq, time=clock(), previous_hash=head.hash)
            _insert_as_then(connection, entry)
            head = replace(head, seq=seq, time=entry.time, hash=entry.hash)
        entries.save_head(connection, head)
    database.close()
    ledger = await open_ledger(ledger_url, clock=clock)
    assert (await ledger.spend("tenant/default", "day")).settled_usd == Decimal("0.8")
    assert (await ledger.append(Draft("calls", "call.completed", "key_1"))).seq == 4
    verification = await ledger.verify()
    assert (verification.entries, verification.problem) == (4, None)
    await ledger.close()


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(database: Database, ledger_url: str) -> None:
    database.upgrade()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerTooNew, match="has revision 9999; this version knows up to 0004") as caught:
        await open_ledger(ledger_url)
    assert isinstance(caught.value, LedgerError)
    assert not caught.value.retryable
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "9999"
    database.close()


async def test_many_may_open_an_empty_store_at_once(ledger_url: str) -> None:
    ledgers = await asyncio.gather(*(open_ledger(ledger_url) for _ in range(4)))
    await asyncio.gather(*(each.append(Draft("calls", "call.completed", "key_1")) for each in ledgers))
    verification = await ledgers[0].verify()
    assert (verification.entries, verification.problem) == (4, None)
    await asyncio.gather(*(each.close() for each in ledgers))


async def test_everybody_may_turn_a_fresh_file_to_write_ahead_logging_at_once(tmp_path: Path) -> None:
    """SQLite itself refuses some of them, now and then."""

    def look(database: Database) -> None:
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        database.close()

    for number in range(40):
        url = f"sqlite:///{tmp_path}/{number}.db"
        databases = [Database(url, readers=1, lock_timeout_seconds=30) for _ in range(6)]
        await asyncio.gather(*(asyncio.to_thread(look, each) for each in databases))


def _insert_as_then(connection: Connection, entry: Entry) -> None:
    """An entry as the first revision stored it: it had neither tokens nor accounts."""
    values = {name: value for name, value in asdict(entry).items() if name not in ("tokens", "accounts", "cost_usd")}
    values |= {"time": time_text(entry.time), "data": "{}", "cost_nanos": nanos_up(entry.cost_usd, "cost_usd")}
    connection.execute(insert(table("entries", *map(column, values))).values(values))
