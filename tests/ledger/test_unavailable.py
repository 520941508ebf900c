"""Disk full, locked, gone: a full sentence, nothing half-written, and on it goes afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from ledger.protocol import Draft, LedgerDamaged, LedgerUnavailable
from ledger.sql_ledger import SqlLedger, open_ledger

if TYPE_CHECKING:
    from tests.ledger.postgres import Postgres

pytest_plugins = ["tests.ledger.postgres"]

DRAFT = Draft("calls", "call.completed", "key_1")


@contextmanager
def small_disk(directory: Path, mebibytes: int, owner: str = "root") -> Iterator[Path]:
    """A file system of this size, for as long as the block lasts."""
    directory.mkdir()
    size = f"size={mebibytes}m,uid={owner}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


async def fill(ledger: SqlLedger) -> str:
    """Append until the store refuses; its sentence."""
    for number in range(1000):
        try:
            body = await ledger.put_body(random.Random(number).randbytes(50_000))
            await ledger.append(Draft("calls", "call.completed", "key_1", input_digest=body))
        except LedgerUnavailable as error:
            assert error.retryable
            return str(error)
    pytest.fail("A thousand bodies fit on a small disk.")


async def check_full_and_freed(ledger: SqlLedger, ballast: Path) -> None:
    """Fill the disk, look at what is there, make room, and go on."""
    sentence = await fill(ledger)
    assert "cannot be written now" in sentence
    assert "Free some disk space" in sentence
    outcomes = await asyncio.gather(*(ledger.append(DRAFT) for _ in range(10)), return_exceptions=True)
    recorded = [outcome.seq for outcome in outcomes if not isinstance(outcome, BaseException)]
    before = await ledger.verify()
    assert before.problem is None
    assert before.entries >= max(recorded, default=1)
    ballast.unlink()
    assert (await ledger.append(DRAFT)).seq == before.entries + 1
    assert (await ledger.verify()).ok
    await ledger.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk; the next test has another limit")
async def test_a_full_disk_under_sqlite(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 1_000_000)
        await check_full_and_freed(await open_ledger(f"sqlite:///{disk}/ledger.db"), ballast)


async def test_a_full_sqlite_database(tmp_path: Path) -> None:
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    with ledger._database.writing() as connection:  # the one connection that writes keeps the limit
        connection.exec_driver_sql("PRAGMA max_page_count = 100")
    assert "database or disk is full" in await fill(ledger)
    verification = await ledger.verify()
    assert verification.problem is None
    assert verification.entries > 0
    await ledger.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_under_postgresql(postgres: Postgres) -> None:
    with small_disk(postgres.directory / "disk", 14, owner="postgres") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 1_000_000)
        space = disk / "space"
        space.mkdir()
        os.chown(space, disk.stat().st_uid, -1)
        postgres.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        url = postgres.create_database("TABLESPACE small")
        try:
            await check_full_and_freed(await open_ledger(url), ballast)
        finally:
            ballast.unlink(missing_ok=True)
            postgres.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")
            postgres.execute("DROP TABLESPACE small")


async def test_another_process_that_holds_the_store_is_waited_for_but_not_for_ever(ledger_url: str) -> None:
    ledger = await open_ledger(ledger_url, lock_timeout_seconds=0.3)
    other = await open_ledger(ledger_url)
    with other._database.writing():
        with pytest.raises(LedgerUnavailable, match="Another process holds the store; try again"):
            await ledger.append(DRAFT)
        assert await ledger.read() == []
        waiting = asyncio.ensure_future(other.read())
        assert await waiting == []
    assert (await ledger.append(DRAFT)).seq == 1
    await ledger.close()
    await other.close()


async def test_a_write_that_is_cancelled_while_it_waits_is_not_done(ledger_url: str) -> None:
    ledger = await open_ledger(ledger_url)
    other = await open_ledger(ledger_url)
    with other._database.writing():
        begun = asyncio.ensure_future(ledger.append(Draft("calls", "call.first", "key_1")))
        await asyncio.sleep(0)
        cancelled = asyncio.ensure_future(ledger.append(Draft("calls", "call.cancelled", "key_1")))
        after = asyncio.ensure_future(ledger.append(Draft("calls", "call.after", "key_1")))
        while not ledger._writer._waiting:  # both stand in line
            await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
    assert [(await begun).seq, (await after).seq] == [1, 2]
    assert [entry.type for entry in await ledger.read()] == ["call.first", "call.after"]
    await ledger.close()
    await other.close()


async def test_connections_that_the_server_dropped_are_made_anew(postgres: Postgres) -> None:
    ledger = await open_ledger(postgres.create_database())
    await ledger.append(DRAFT)
    await ledger.read()
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert (await ledger.append(DRAFT)).seq == 2
    assert len(await ledger.read()) == 2
    await ledger.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://bailey:sehrgeheim@/ledger?host=/nowhere", "reached"),
        ("sqlite:////nowhere/at/all/ledger.db", "cannot be opened"),
    ],
)
async def test_a_store_that_cannot_be_reached(url: str, sentence: str) -> None:
    with pytest.raises(LedgerUnavailable, match=sentence) as caught:
        await open_ledger(url)
    assert "sehrgeheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["ledger.db", "mysql://root@db/ledger", "sqlite://", "sqlite:///:memory:", ""])
async def test_other_urls_are_refused_with_the_ones_that_work(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///path/to/ledger\.db or postgresql://"):
        await open_ledger(url)


async def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("Dear diary, " * 100)
    with pytest.raises(LedgerDamaged, match="file is not a database"):
        await open_ledger(f"sqlite:///{path}")
    assert path.read_text() == "Dear diary, " * 100


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.append(DRAFT)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    connection.close()
    await ledger.close()


async def test_messages_do_not_show_what_was_written(ledger_url: str) -> None:
    ledger = await open_ledger(ledger_url)
    await ledger.append(DRAFT)
    with ledger._database.writing() as connection:
        connection.exec_driver_sql("UPDATE head SET seq = 5")
    with pytest.raises(LedgerDamaged, match="append-only") as caught:
        await ledger.append(Draft("calls", "call.completed", "key_1", data={"prompt": "ganz privat"}))
    assert "ganz privat" not in f"{caught.value} {caught.value.__cause__}"
    await ledger.close()
