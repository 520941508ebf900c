"""Letting go under retention is neither tampering nor a cover for it, and what went is out of the store's bytes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from ledger.protocol import Draft
from ledger.sql_ledger import SqlLedger, open_ledger
from ledger.store import audit, entries
from tests.ledger.clock import HandClock
from tests.ledger.retaining import ByClass
from tests.ledger.test_tampering import behind_the_back, drop_triggers

pytest_plugins = ["tests.ledger.postgres"]

RULES = ByClass(short=7, long=30)


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[SqlLedger]:
    """Entries 1 to 3 have bodies, of which the first went; entry 4 says so."""
    clock = HandClock()
    ledger = await open_ledger(ledger_url, clock=clock)
    for kind in ("short", "long", "of nobody"):
        await ledger.append(Draft("calls", "call.finished", "a", data={"class": kind}, output_body=kind.encode() * 40))
    clock.advance(days=8)
    assert (await ledger.sweep(RULES)).bodies == 1
    yield ledger
    await ledger.close()


async def test_a_body_that_vanishes_without_an_entry_is_found_whatever_else_is_made_to_fit(
    ledger: SqlLedger, ledger_url: str
) -> None:
    digest = str((await ledger.read())[2].output_digest)
    said_to = f"INSERT INTO let_go (digest, seq) VALUES ('{digest}', {{}})"
    cases = {
        "the body alone": ([], "Entry 3 names body"),
        "and a note that no entry makes": ([said_to.format(4)], "Entry 4 says which bodies"),
        "and a note of an entry that says something else": ([said_to.format(5)], "Bodies are noted as let go"),
    }
    for what, (statements, sentence) in cases.items():
        with behind_the_back(ledger_url) as connection:
            drop_triggers(connection)
            assert audit.verify(connection).ok
            connection.exec_driver_sql(f"DELETE FROM bodies WHERE digest = '{digest}'")
            left = entries.combine(connection.exec_driver_sql("SELECT digest FROM bodies").scalars())
            connection.exec_driver_sql(f"UPDATE head SET bodies = '{left}'")
            for statement in statements:
                connection.exec_driver_sql(statement)
            assert str(audit.verify(connection).problem).startswith(sentence), what


@pytest.mark.usefixtures("ledger")
def test_the_database_lets_nothing_go_of_which_its_last_entry_does_not_speak(ledger_url: str) -> None:
    for attempt in (
        "DELETE FROM bodies",
        "INSERT INTO let_go SELECT digest, 3 FROM bodies; DELETE FROM bodies",
    ):
        with behind_the_back(ledger_url) as connection, pytest.raises(DBAPIError, match="append-only"):
            for statement in attempt.split(";"):
                connection.exec_driver_sql(statement)


async def test_the_bytes_of_what_went_are_neither_in_sqlites_file_nor_in_its_log(tmp_path: Path) -> None:
    clock = HandClock()
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock=clock)
    marks = [f"mark-{number}-of-the-body".encode() for number in range(300)]
    draft = Draft("calls", "call.finished", "a", data={"class": "short"})
    await asyncio.gather(*(ledger.append(replace(draft, output_body=mark + b" and more words")) for mark in marks))
    long = b"mark-of-a-long-body" + bytes(range(256)) * 3
    await ledger.append(replace(draft, output_body=long))
    assert marks[7] in stored(tmp_path)
    clock.advance(days=8)
    assert (await ledger.sweep(RULES)).erased
    left = stored(tmp_path)
    assert not [mark for mark in (*marks, b"mark-of-a-long-body") if mark in left]
    await ledger.close()


async def test_a_log_that_somebody_reads_is_emptied_by_the_next_sweep(tmp_path: Path) -> None:
    clock = HandClock()
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock=clock)
    await ledger.append(Draft("calls", "call.finished", "a", data={"class": "short"}, output_body=b"mark-of-the-body"))
    clock.advance(days=8)
    with ledger._database.reading() as connection:
        entries.load_head(connection)
        assert not (await ledger.sweep(RULES)).erased
    assert (await ledger.sweep(RULES)).erased
    assert b"mark-of-the-body" not in stored(tmp_path)
    await ledger.close()


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


ENTRY = st.tuples(st.sampled_from(["short", "long", "of nobody"]), st.integers(0, 3), st.integers(0, 3))


@settings(deadline=None, max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 12), st.one_of(ENTRY, st.none())), max_size=25))
def test_what_goes_is_what_no_entry_keeps(history: list[tuple[int, tuple[str, int, int] | None]]) -> None:
    """Days pass, entries name bodies, and (None) sweeps by one cursor let go: the same bodies as a few lines find."""
    asyncio.run(_follow(history))


async def _follow(history: list[tuple[int, tuple[str, int, int] | None]]) -> None:
    folder, clock, after = tempfile.mkdtemp(), HandClock(), dict[int, int]()
    ledger = await open_ledger(f"sqlite:///{folder}/ledger.db", clock=clock)
    kept: dict[str, list[tuple[str, datetime]]] = {}
    try:
        for days, what in (*history, (40, None)):
            clock.advance(days=days)
            if what is None:
                await ledger.sweep(RULES, after=after)
                kept = {body: named for body, named in kept.items() if not all(past(each, clock()) for each in named)}
                assert set(await ledger._read(lambda state: state.digests())) == set(kept)
                continue
            kind, asked, answered = what
            body = await ledger.put_body(f"body {asked}".encode())
            draft = Draft("calls", "call.finished", "a", data={"class": kind}, input_digest=body)
            entry = await ledger.append(replace(draft, output_body=f"body {answered}".encode()))
            for digest in (str(entry.input_digest), str(entry.output_digest)):
                kept.setdefault(digest, []).append((kind, entry.time))
        assert (await ledger.verify()).problem is None
    finally:
        await ledger.close()
        shutil.rmtree(folder)


def past(named: tuple[str, datetime], now: datetime) -> bool:
    days = {"short": 7, "long": 30}.get(named[0])
    return days is not None and named[1] + timedelta(days=days) <= now
