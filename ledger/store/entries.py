"""Entries and the head in SQL: rows to `Entry` and back. One function, one statement; no rules here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import xor
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, select, update

from ledger.accounting import nanos_up, usd
from ledger.chain import time_text
from ledger.protocol import Entry, LedgerDamaged
from ledger.store import accounts, tables
from ledger.store.statements import Statement

_PAGE = 500
_COLUMNS = tables.entries.c.keys()
_INSERT = Statement(insert(tables.entries))
_FIND = Statement(select(tables.entries).where(tables.entries.c.key == bindparam("key")))
_LOAD_HEAD, _SAVE_HEAD = Statement(select(tables.head)), Statement(update(tables.head))


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: its last entry's seq, time and hash; and all stored digests, combined."""

    seq: int
    time: datetime
    hash: str
    bodies: str


def combine(digests: Iterable[str]) -> str:
    """One digest of a set of digests, in any order: their exclusive or."""
    return f"{reduce(xor, (int(digest, 16) for digest in digests), 0):064x}"


def load_head(connection: Connection) -> Head:
    """The head as the last write left it. Raises `LedgerDamaged` unless there is exactly one."""
    rows = _LOAD_HEAD.rows(connection)
    if len(rows) != 1:
        raise LedgerDamaged("The ledger's head is missing or not the only one. Run `bailey ledger verify`.")
    [(seq, time, head_hash, bodies)] = rows
    return Head(seq, datetime.fromisoformat(time), head_hash, bodies)


def save_head(connection: Connection, head: Head) -> None:
    """Move the head."""
    _SAVE_HEAD.run(connection, seq=head.seq, time=time_text(head.time), hash=head.hash, bodies=head.bodies)


def insert_entry(connection: Connection, entry: Entry, data_json: str) -> None:
    """Store a sealed entry; `data_json` is the canonical text of its data."""
    _INSERT.run(
        connection,
        seq=entry.seq,
        time=time_text(entry.time),
        stream=entry.stream,
        type=entry.type,
        actor=entry.actor,
        tenant=entry.tenant,
        cause=entry.cause,
        data=data_json,
        input_digest=entry.input_digest,
        output_digest=entry.output_digest,
        cost_nanos=nanos_up(entry.cost_usd, "cost_usd"),
        key=entry.key,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        tokens=entry.tokens,
        accounts=accounts.joined(entry.accounts),
    )


def find_entry(connection: Connection, key: str) -> Entry | None:
    """The entry with an idempotency key."""
    rows = _FIND.rows(connection, key=key)
    return _entry(dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None


def read_entries(
    connection: Connection, *, stream: str | None, types: Sequence[str], after: int, limit: int | None
) -> list[Entry]:
    """Entries with seq > `after`, oldest first, as `Ledger.read` filters them."""
    query = _after(after).limit(limit)
    if stream is not None:
        query = query.where(_in_stream(stream))
    if types:
        query = query.where(tables.entries.c.type.in_(types))
    return [_entry(row) for row in connection.execute(query).mappings()]


def read_where(connection: Connection, which: ColumnElement[bool], *, after: int, limit: int) -> list[Entry]:
    """The first entries with seq > `after` of which something holds."""
    return [_entry(row) for row in connection.execute(_after(after).where(which).limit(limit)).mappings()]


def newest_where(connection: Connection, which: ColumnElement[bool], *, before: int | None, limit: int) -> list[Entry]:
    """The last entries, newest first, with seq < `before` (any, if None) of which something holds."""
    seq = tables.entries.c.seq
    query = select(tables.entries).where(which).order_by(seq.desc()).limit(limit)
    query = query if before is None else query.where(seq < before)
    return [_entry(row) for row in connection.execute(query).mappings()]


def all_entries(connection: Connection) -> Iterator[Entry]:
    """The whole chain, read page by page. Raises `LedgerDamaged` at an entry that cannot be read."""
    after = 0
    while rows := connection.execute(_after(after).limit(_PAGE)).mappings().all():
        yield from map(_entry, rows)
        after = rows[-1]["seq"]


def _after(seq: int) -> Select[*tuple[Any, ...]]:
    return select(tables.entries).where(tables.entries.c.seq > seq).order_by(tables.entries.c.seq)


def _in_stream(stream: str) -> ColumnElement[bool]:
    column = tables.entries.c.stream
    if stream.endswith("/"):
        return (column > stream) & (column < stream[:-1] + chr(ord("/") + 1))
    return column == stream


def _entry(row: Mapping[Any, Any]) -> Entry:
    try:
        fields = {
            **row,
            "time": datetime.fromisoformat(row["time"]),
            "data": json.loads(row["data"]),
            "cost_usd": usd(row["cost_nanos"]),
            "accounts": accounts.split(row["accounts"]),
        }
        del fields["cost_nanos"]
        return Entry(**fields)
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise LedgerDamaged(f"Entry {row['seq']} was altered: it cannot be read ({error}).") from error
