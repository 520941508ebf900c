"""Bodies that went under retention, in SQL: which are due, that they went, and which entry says so.

One function, one statement; rules are in `transactions.py`. A body that went may come back, when the same words are
said again; what counts then are the entries since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, bindparam, delete, exists, func, insert, or_, select

from ledger.protocol import Entry
from ledger.retention import LetGo
from ledger.store import entries, tables
from ledger.store.statements import Statement

_PAGE = 100
_ENTRIES, _BODIES, _LET_GO = tables.entries.c, tables.bodies.c, tables.let_go.c
_LET_GO_SINCE = Statement(
    select(_LET_GO.seq).where(_LET_GO.digest == bindparam("digest"), _LET_GO.seq > bindparam("since"))
)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that name a stored body, oldest first; `more` unless these were the last."""

    entries: Sequence[Entry]
    more: bool


def naming_entries(connection: Connection, after: int) -> Page:
    """The next entries with seq > `after` that name a stored body."""
    is_stored = or_(*(exists().where(_BODIES.digest == column) for column in _names()))
    found = entries.read_where(connection, is_stored, after=after, limit=_PAGE)
    return Page(found, len(found) == _PAGE)


def named_by(connection: Connection, digest: str) -> Iterator[Entry]:
    """All entries that name a body, the newest of each kind first, read as far as somebody asks."""
    for column in _names():
        before = None
        while page := entries.newest_where(connection, column == digest, before=before, limit=_PAGE):
            yield from page
            before = page[-1].seq


def free(connection: Connection, digests: Sequence[str], since: int) -> dict[str, int]:
    """Those that are stored, that no entry after `since` and no open hold names; and how many bytes each takes."""
    named_since = or_(*(exists().where(column == _BODIES.digest, _ENTRIES.seq > since) for column in _names()))
    held = exists().where(tables.holds.c.body == _BODIES.digest)
    query = select(_BODIES.digest, func.length(_BODIES.content)).where(_BODIES.digest.in_(digests))
    return {digest: int(size) for digest, size in connection.execute(query.where(~named_since, ~held))}


def let_go(connection: Connection, digests: Sequence[str], seq: int) -> None:
    """Delete bodies, which the entry `seq` says: the chain's last one, or the database refuses."""
    connection.execute(insert(tables.let_go), [{"digest": digest, "seq": seq} for digest in digests])
    connection.execute(delete(tables.bodies).where(_BODIES.digest.in_(digests)))


def was_let_go_since(connection: Connection, digest: str, seq: int) -> bool:
    """Whether a body went after an entry."""
    return bool(_LET_GO_SINCE.rows(connection, digest=digest, since=seq))


def departures(connection: Connection, digests: Sequence[str]) -> dict[str, LetGo]:
    """Those that went and did not come back, each with the entry that said so last."""
    found: dict[str, LetGo] = {}
    for at in range(0, len(digests), _PAGE):
        found |= _departures(connection, digests[at : at + _PAGE])
    return found


def _departures(connection: Connection, digests: Sequence[str]) -> dict[str, LetGo]:
    last = select(_LET_GO.digest, func.max(_LET_GO.seq).label("seq")).where(
        _LET_GO.digest.in_(digests), ~exists().where(_BODIES.digest == _LET_GO.digest)
    )
    of_each = last.group_by(_LET_GO.digest).subquery()
    query = select(of_each.c.digest, _ENTRIES.seq, _ENTRIES.time).join(tables.entries, _ENTRIES.seq == of_each.c.seq)
    return {digest: LetGo(seq, datetime.fromisoformat(time)) for digest, seq, time in connection.execute(query)}


def said_by(connection: Connection, seq: int) -> list[str]:
    """The bodies that went with an entry, in order."""
    query = select(_LET_GO.digest).where(_LET_GO.seq == seq).order_by(_LET_GO.digest)
    return list(connection.execute(query).scalars())


def count(connection: Connection) -> int:
    """How often a body went."""
    return int(connection.execute(select(func.count()).select_from(tables.let_go)).scalar_one())


def _names() -> tuple[Column[str | None], Column[str | None]]:
    return _ENTRIES.input_digest, _ENTRIES.output_digest
