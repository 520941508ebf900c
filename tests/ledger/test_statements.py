"""What the driver executes itself: known to both databases, in one transaction, and it fails as SQLAlchemy does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from ledger.accounting import NOTHING, Amount
from ledger.chain import digest_of, made_ready, seal
from ledger.protocol import GENESIS_HASH, Draft, LedgerDamaged, LedgerUnavailable
from ledger.store import accounts, bodies, entries
from ledger.store.accounts import Hold
from ledger.store.database import Database
from ledger.store.statements import Statement

if TYPE_CHECKING:
    from tests.ledger.postgres import Postgres

pytest_plugins = ["tests.ledger.postgres"]

NOON = datetime(2025, 11, 21, 12, tzinfo=UTC)
HOLD = Hold("call_1", "default", Amount(5, 9), "2025-11-21T12:00:00.000000Z", ("key/one", "model/coder"))


def opened(url: str) -> Database:
    database = Database(url, readers=1, lock_timeout_seconds=5)
    database.upgrade()
    return database


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    database = opened(ledger_url)
    yield database
    database.close()


def statements(*modules: ModuleType) -> list[Statement]:
    return [each for module in modules for each in vars(module).values() if isinstance(each, Statement)]


def test_each_database_knows_every_statement(database: Database) -> None:
    hot = statements(accounts, bodies, entries)
    assert len(hot) > 10
    with database.writing() as connection:
        for statement in hot:
            compiled = statement._compiled[connection.dialect.name]
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN {compiled.text}", [None] * len(compiled.names))
            assert cursor.fetchall()


def test_statements_say_what_they_changed(database: Database) -> None:
    body = bodies.pack(b"what was asked")
    with database.writing() as connection:
        assert accounts.held(connection) == {}
        assert accounts.settled(connection, "tenant/default", None) == NOTHING
        assert accounts.find_hold(connection, "call_1") is None
        assert accounts.find_hold_and_entry(connection, "call_1", None) is None
        assert [accounts.insert_hold(connection, HOLD) for _ in range(2)] == [True, False]
        assert [bodies.insert_body(connection, body) for _ in range(2)] == [True, False]
        for amount in (Amount(3, 1), Amount(4, 2)):
            accounts.add_spend(connection, "tenant/default", "2025-11-21", amount)
    with database.reading() as connection:
        assert accounts.find_hold(connection, "call_1") == HOLD
        assert accounts.find_hold_and_entry(connection, "call_1", None) == (HOLD, False)
        assert accounts.held(connection) == dict.fromkeys(HOLD.accounts, Amount(5, 9))
        assert accounts.settled(connection, "tenant/default", NOON) == Amount(7, 3)
        assert bodies.load_body(connection, digest_of(b"what was asked")) == body


def test_a_transaction_of_the_drivers_statements_sees_one_state_and_is_undone_as_one(database: Database) -> None:
    with database.reading() as connection:
        assert accounts.held(connection) == {}
        with database.writing() as writing:
            accounts.insert_hold(writing, HOLD)
        assert accounts.held(connection) == {}
    with pytest.raises(KeyError), database.writing() as connection:
        accounts.delete_hold(connection, "call_1")
        raise KeyError
    with database.reading() as connection:
        assert accounts.held(connection)["tenant/default"] == Amount(5, 9)


def test_what_the_database_refuses_is_a_damaged_ledger_and_nothing_is_left_of_it(database: Database) -> None:
    ready = made_ready(Draft("calls", "call.completed", "key_1"), {})
    entry = seal(ready, seq=7, time=NOON, previous_hash=GENESIS_HASH)
    with pytest.raises(LedgerDamaged, match="append-only") as caught, database.writing() as connection:
        accounts.insert_hold(connection, HOLD)
        entries.insert_entry(connection, entry, ready.data_json)
    assert isinstance(caught.value.__cause__, DBAPIError)
    with database.writing() as connection:
        assert accounts.find_hold(connection, "call_1") is None


def test_a_connection_that_breaks_under_a_statement_leaves_the_pool(postgres: Postgres) -> None:
    database = opened(postgres.create_database())
    dropped: list[type[BaseException]] = []
    event.listen(database._writer, "invalidate", lambda _connection, _record, error: dropped.append(type(error)))
    with pytest.raises(LedgerUnavailable, match="cannot be written now"), database.writing() as connection:
        accounts.insert_hold(connection, HOLD)
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        accounts.held(connection)
    assert dropped == [AdminShutdown]
    with database.writing() as connection:
        assert accounts.insert_hold(connection, HOLD)
    database.close()
