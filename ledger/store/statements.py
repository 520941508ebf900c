"""Statements that every call runs: composed with SQLAlchemy, executed by the driver itself.

SQLAlchemy takes ten times as long over a statement as SQLite does. Values go to the driver as they are, so they are
text, whole numbers, bytes or None. What the driver raises, `database.py` turns into what SQLAlchemy would have raised.
Whatever is not run for every call goes through SQLAlchemy. Who calls it: the other files of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

# Values go by position: for each one by name, Python's sqlite3 lets go of the interpreter and queues for it again.
_SQLITE = sqlite.dialect(paramstyle="qmark")
_POSTGRESQL = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy did not annotate it


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Text, and the names of its parameters in order."""

    text: str
    names: tuple[str, ...]


class Statement:
    """One statement, compiled once for each database. All its parameters are named."""

    def __init__(self, composed: ClauseElement, for_postgresql: ClauseElement | None = None) -> None:
        """Compile `composed`, for PostgreSQL the other one if there is one: an upsert is composed for its dialect."""
        self._compiled = {
            _SQLITE.name: _compile(composed, _SQLITE),
            _POSTGRESQL.name: _compile(composed if for_postgresql is None else for_postgresql, _POSTGRESQL),
        }

    def rows(self, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        """What is selected, in a transaction that has begun."""
        return list(self._executed(connection, values).fetchall())

    def run(self, connection: Connection, **values: object) -> int:
        """Write, in a transaction that has begun; the number of rows that changed."""
        return self._executed(connection, values).rowcount

    def _executed(self, connection: Connection, values: dict[str, object]) -> DBAPICursor:
        compiled = self._compiled[connection.dialect.name]
        cursor = connection.connection.cursor()
        cursor.execute(compiled.text, [values[name] for name in compiled.names])
        return cursor


def _compile(composed: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled = cast("SQLCompiler", composed.compile(dialect=dialect))
    return _Compiled(compiled.string, tuple(compiled.positiontup or ()))
