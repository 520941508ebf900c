"""Whoever changes the store behind the ledger's back is stopped by it, or found by `verify` at the right entry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from ledger.chain import made_ready, seal
from ledger.protocol import Draft, Entry, LedgerDamaged
from ledger.sql_ledger import SqlLedger, open_ledger
from ledger.store import audit, entries
from tests.ledger.clock import HandClock

pytest_plugins = ["tests.ledger.postgres"]

DAY = "2025-11-21"
SWAP = [f"UPDATE entries SET seq = {new} WHERE seq = {old}" for old, new in ((2, 99), (3, 2), (99, 3))]
# What is done to a ledger of six entries, and how the sentence about it begins.
TAMPERING: dict[str, tuple[list[str], str]] = {
    "a cost": (["UPDATE entries SET cost_nanos = 1 WHERE seq = 3"], "Entry 3 was altered"),
    "a data value": (["""UPDATE entries SET data = '{"number":7}' WHERE seq = 4"""], "Entry 4 was altered"),
    "data that is no JSON": (["UPDATE entries SET data = '{' WHERE seq = 4"], "Entry 4 was altered"),
    "a time": ([f"UPDATE entries SET time = '{DAY}T11:00:00.000000Z' WHERE seq = 5"], "Entry 5 was altered"),
    "a hash": ([f"UPDATE entries SET hash = '{'f' * 64}' WHERE seq = 2"], "Entry 2 was altered"),
    "a link": ([f"UPDATE entries SET previous_hash = '{'f' * 64}' WHERE seq = 2"], "Entry 2 does not link"),
    "two entries swapped": (SWAP, "Entry 2 does not link"),
    "the first entry gone": (["DELETE FROM entries WHERE seq = 1"], "Entry 1 is missing"),
    "a middle entry gone": (["DELETE FROM entries WHERE seq = 3"], "Entry 3 is missing"),
    "the last entry gone": (["DELETE FROM entries WHERE seq = 6"], "Entry 6 is missing"),
    "all entries gone": (["DELETE FROM entries"], "Entry 1 is missing"),
    "the head's hash": ([f"UPDATE head SET hash = '{'f' * 64}'"], "Entry 6 does not have the hash"),
    "the head gone": (["DELETE FROM head"], "The ledger's head is missing"),
    "a second head": (["INSERT INTO head SELECT * FROM head"], "The ledger's head is missing or not the only one"),
    "a body": (["UPDATE bodies SET content = 'other', encoding = 'plain'"], "Entry 5 names a body"),
    "a body that cannot be unpacked": (["UPDATE bodies SET content = 'other'"], "Entry 5 names a body"),
    "a short body": (
        ["UPDATE bodies SET content = 'other' WHERE encoding = 'plain'"],
        "Entry 6 names a body that does",
    ),
    "a body gone": (["DELETE FROM bodies"], "Entry 5 names body"),
    "a body added": (
        [f"INSERT INTO bodies (digest, encoding, content) VALUES ('{'0' * 64}', 'plain', '')"],
        "Body 0000",
    ),
    "tokens": (["UPDATE entries SET tokens = 7 WHERE seq = 2"], "Entry 2 was altered"),
    "accounts": (["UPDATE entries SET accounts = 'key/2' WHERE seq = 2"], "Entry 2 was altered"),
    "a running total of tokens": (
        ["UPDATE spend SET tokens = 9"],
        "The spend of tenant/default on 2025-11-21 does not",
    ),
    "a running total": (["UPDATE spend SET nanos = nanos - 1"], "The spend of tenant/default on 2025-11-21 does not"),
    "a running total gone": (["DELETE FROM spend"], "The spend of tenant/default on 2025-11-21 does not"),
    "a running total added": (
        [f"INSERT INTO spend VALUES ('tenant/other', '{DAY}', 1, 0)"],
        "The spend of tenant/other",
    ),
}


@pytest.fixture
async def ledger(ledger_url: str) -> SqlLedger:
    """Six entries; 3 and 4 cost money, 5 names a body that is compressed, 6 a short one that is not."""
    ledger = await open_ledger(ledger_url, clock=HandClock())
    bodies = {5: await ledger.put_body(b"what was asked " * 100), 6: await ledger.put_body(b"what was asked")}
    for number in range(1, 7):
        draft = Draft(
            stream="calls",
            type="call.completed",
            actor="key_1",
            data={"number": number},
            input_digest=bodies.get(number),
            cost_usd=Decimal(number if number in (3, 4) else 0),
        )
        await ledger.append(draft)
    assert (await ledger.verify()).ok
    await ledger.close()
    return ledger


@contextmanager
def behind_the_back(url: str) -> Iterator[Connection]:
    """A connection of somebody else; what it does is rolled back at the end."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if url.startswith("p") else url)
    try:
        with engine.connect() as connection:
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def drop_triggers(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET session_replication_role = replica")
        return
    for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


@pytest.mark.usefixtures("ledger")
def test_verify_names_the_first_entry_that_does_not_hold(ledger_url: str) -> None:
    sqlite_takes_words = {"a total in words": (["UPDATE spend SET nanos = 'much'"], "The store was altered")}
    cases = TAMPERING if ledger_url.startswith("postgresql") else TAMPERING | sqlite_takes_words
    for what, (statements, sentence) in cases.items():
        with behind_the_back(ledger_url) as connection:
            drop_triggers(connection)
            assert audit.verify(connection).ok
            for statement in statements:
                connection.exec_driver_sql(statement)
            verification = audit.verify(connection)
            assert not verification.ok, what
            assert str(verification.problem).startswith(sentence), (what, verification.problem)


@pytest.mark.usefixtures("ledger")
def test_the_spend_that_does_not_add_up_names_the_last_entry_that_counts(ledger_url: str) -> None:
    with behind_the_back(ledger_url) as connection:
        connection.exec_driver_sql("UPDATE spend SET nanos = 1")
        assert audit.verify(connection).problem == (
            "The spend of tenant/default on 2025-11-21 does not add up at entry 4: "
            "0.000000001 USD and 0 tokens are recorded, the entries cost 7.000000000 USD and 0 tokens."
        )


@pytest.mark.usefixtures("ledger")
def test_a_chain_written_anew_does_not_fit_the_head(ledger_url: str) -> None:
    with behind_the_back(ledger_url) as connection:
        drop_triggers(connection)
        kept = entries.read_entries(connection, stream=None, types=(), after=0, limit=3)
        connection.exec_driver_sql("DELETE FROM entries WHERE seq > 3")
        for seq in (4, 5, 6):
            kept.append(forged(kept[-1], seq))
            entries.insert_entry(connection, kept[-1], "{}")
        assert str(audit.verify(connection).problem).startswith("Entry 6 does not have the hash")
        entries.insert_entry(connection, forged(kept[-1], 7), "{}")
        assert str(audit.verify(connection).problem).startswith("Entry 7 was added")


def forged(previous: Entry, seq: int) -> Entry:
    draft = Draft(stream="calls", type="call.completed", actor="somebody")
    return seal(made_ready(draft, {}), seq=seq, time=previous.time, previous_hash=previous.hash)


@pytest.mark.usefixtures("ledger")
def test_the_database_itself_refuses_to_change_what_is_recorded(ledger_url: str) -> None:
    insert = "INTO entries SELECT {}, time, stream, type, actor, tenant, cause, data, input_digest, output_digest,"
    row = f"INSERT {insert} cost_nanos, NULL, previous_hash, hash, tokens, accounts FROM entries WHERE seq = 2"
    attempts = [
        "UPDATE entries SET cost_nanos = 0",
        "UPDATE entries SET cost_nanos = cost_nanos WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 6",
        "UPDATE bodies SET encoding = 'plain'",
        "DELETE FROM bodies",
        row.format(8),
        row.format(6),
    ]
    if ledger_url.startswith("postgresql"):
        attempts += ["TRUNCATE entries", "TRUNCATE bodies"]
    else:
        attempts += [
            row.format(6).replace("INSERT", "INSERT OR REPLACE", 1),
            "REPLACE INTO bodies SELECT * FROM bodies",
        ]
    for attempt in attempts:
        with behind_the_back(ledger_url) as connection, pytest.raises(DBAPIError, match="append-only"):
            connection.exec_driver_sql(attempt)


async def test_a_damaged_ledger_says_so_and_takes_no_more(ledger: SqlLedger, ledger_url: str) -> None:
    with behind_the_back(ledger_url) as connection:
        drop_triggers(connection)
        connection.exec_driver_sql("UPDATE entries SET data = '{' WHERE seq = 2")
        connection.exec_driver_sql("UPDATE bodies SET content = 'other'")
        connection.exec_driver_sql("UPDATE head SET seq = 4")
        connection.commit()
    opened = await open_ledger(ledger_url)
    assert str((await opened.verify()).problem).startswith("Entry 2 was altered")
    with pytest.raises(LedgerDamaged, match="Entry 2"):
        await opened.read()
    [fifth] = await opened.read(after=4, limit=1)
    assert fifth.input_digest is not None
    with pytest.raises(LedgerDamaged, match="Body"):
        await opened.get_body(fifth.input_digest)
    with pytest.raises(LedgerDamaged, match="bailey ledger verify"):
        await opened.append(Draft(stream="calls", type="call.completed", actor="key_1"))
    await opened.close()
