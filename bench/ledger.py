"""Appending to the ledger, beside the same rows written with the standard library's sqlite3, as durable."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.report import Row, keep
from ledger.protocol import Draft
from ledger.sql_ledger import open_ledger

_ENTRIES, _RUNS = 300, 5


async def ours(folder: Path, concurrency: int) -> float:
    """Chained, redacted, idempotent entries a second."""
    ledger = await open_ledger(f"sqlite:///{folder}/ours.db")
    queue = iter(range(_ENTRIES))

    async def worker() -> None:
        for number in queue:
            await ledger.append(Draft("bench", "bench.row", "bench", data={"number": number}, key=f"{number}"))

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    rate = _ENTRIES / (time.perf_counter() - started)
    await ledger.close()
    return rate


async def peer(folder: Path, concurrency: int) -> float:
    """Plain rows a second: one transaction each, write-ahead log, synchronised like ours."""
    database = sqlite3.connect(folder / "peer.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, data TEXT)")
    started = time.perf_counter()
    for number in range(_ENTRIES):
        row = (f"{number}", json.dumps({"number": number}))
        database.execute("INSERT INTO entries (key, data) VALUES (?, ?)", row)
    rate = _ENTRIES / (time.perf_counter() - started)
    database.close()
    return rate


async def median(measured: Callable[[Path, int], Awaitable[float]], concurrency: int) -> float:
    """The median rate over fresh stores."""
    rates = []
    for _ in range(_RUNS):
        with tempfile.TemporaryDirectory(prefix="bailey-bench-") as folder:
            rates.append(await measured(Path(folder), concurrency))
    return round(statistics.median(rates), 1)


async def measure() -> list[Row]:
    """One writer, and sixty-four at once."""
    plain = await median(peer, 1)
    rows = [
        Row("entries a second, one writer, beside plain sqlite3 rows", await median(ours, 1), plain, runs=_RUNS),
        Row("entries a second, 64 writers, beside plain sqlite3 rows", await median(ours, 64), plain, runs=_RUNS),
    ]
    keep("ledger", rows)
    return rows
