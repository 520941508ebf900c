"""Embeddings kept on disk by the text they were made of, in one SQLite file that one process holds.

It is what makes a killed refresh resumable: everything else about an index is quickly made anew. Synchronous and
for one thread; `index.py` calls it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from retrieval.protocol import IndexUnavailable

Vector = Sequence[float]

SAME_MODEL = 0.99
"""Least cosine of a probe's vectors, then and now, for the stored vectors to be of the same model."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS origin (model TEXT NOT NULL, probe TEXT NOT NULL)",
    "CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)",
)


class VectorCache:
    """Vectors by key; the folder belongs to this process until `close`. Methods raise IndexUnavailable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._database = _open(folder / "embeddings.sqlite")
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:  # not a database any more; nothing in it is irreplaceable
                logging.getLogger(__name__).warning("The embeddings in %s are computed again: %s.", folder, error)
                for name in ("embeddings.sqlite", "embeddings.sqlite-journal"):
                    (folder / name).unlink(missing_ok=True)
                self._database = _open(folder / "embeddings.sqlite")

    def claim(self, model: str, probe: Vector) -> None:
        """Say which model the vectors are of, and what it makes of a fixed text. Those of another are dropped."""
        with self._explained(), self._database as database:
            row = database.execute("SELECT model, probe FROM origin").fetchone()
            change = _change(row[0], json.loads(row[1]), model, probe) if row is not None else ""
            if change is None:
                return
            if change:
                logging.getLogger(__name__).warning("%s The embeddings in %s are made anew.", change, self._folder)
            database.execute("DELETE FROM vectors")
            database.execute("DELETE FROM origin")
            database.execute("INSERT INTO origin VALUES (?, ?)", (model, json.dumps(list(probe))))

    def get(self, keys: Collection[str]) -> dict[str, Vector]:
        """The vectors known, by key."""
        with self._explained(), self._wanted(keys) as database:
            rows = database.execute("SELECT key, vector FROM vectors JOIN wanted USING (key)")
            return {key: array("f", blob) for key, blob in rows}

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors; they are on disk when this returns."""
        with self._explained(), self._database as database:
            rows = [(key, array("f", vector).tobytes()) for key, vector in vectors.items()]
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def trim(self, keys: Collection[str]) -> None:
        """Drop what is not among `keys`, once it is most of the file: other branches keep theirs until then."""
        with self._explained():
            (count,) = self._database.execute("SELECT count(*) FROM vectors").fetchone()
            if count > 4 * len(keys) + 1000:
                with self._wanted(keys) as database:
                    database.execute("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM wanted)")

    def close(self) -> None:
        """Give the folder free."""
        self._database.close()

    @contextmanager
    def _wanted(self, keys: Collection[str]) -> Iterator[sqlite3.Connection]:
        """A transaction in which the table `wanted` holds these keys, however many."""
        with self._database as database:
            database.execute("DELETE FROM wanted")
            database.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", [(key,) for key in keys])
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            raise IndexUnavailable(
                f"The index in {self._folder} cannot be used ({error}). If another process holds it, "
                "stop that or choose another folder; otherwise see that the folder can be written."
            ) from error


def _open(file: Path) -> sqlite3.Connection:
    """A connection that keeps every other process out until it is closed; a killed process lets go by itself."""
    database = sqlite3.connect(file, timeout=0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA:
            database.execute(statement)
        database.commit()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _change(stored_model: str, stored: Vector, model: str, probe: Vector) -> str | None:
    """How the embedder differs from the one of the stored vectors, as a sentence; None if it does not."""
    if stored_model != model:
        return f"The embedder was {stored_model} and is now {model}."
    if len(stored) != len(probe):
        return f"The embedder {model} gave {len(stored)} numbers a text and now gives {len(probe)}."
    if sum(a * b for a, b in zip(stored, probe, strict=True)) < SAME_MODEL:
        return f"The embedder {model} now gives other vectors for the same text: its weights have changed."
    return None
