"""Bodies in SQL: bytes under their digest, compressed when they are long and that helps. No redaction here."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, exists, insert, select

from ledger.chain import digest_of
from ledger.protocol import LedgerDamaged
from ledger.store import tables
from ledger.store.statements import Statement

# Text shrinks to a third at level 1; higher levels cost far more time than they save space.
_LEVEL = 1
# zlib sets itself up and lets go of the interpreter whatever the length: for so little that costs more than it saves.
_SHORT_BYTES = 1024

_HAS_BODY = select(tables.bodies.c.digest).where(tables.bodies.c.digest == bindparam("digest"))
_NEW_BODY = [bindparam(column.name, type_=column.type) for column in tables.bodies.c]
_INSERT_BODY = Statement(
    insert(tables.bodies).from_select(
        tables.bodies.c.keys(),
        select(*_NEW_BODY).where(~exists().where(tables.bodies.c.digest == bindparam("digest"))),
    )
)
_LOAD_BODY = select(tables.bodies).where(tables.bodies.c.digest == bindparam("digest"))


@dataclass(frozen=True, slots=True)
class PackedBody:
    """A body as it is stored; the digest is over the plain bytes."""

    digest: str
    encoding: str
    content: bytes


def pack(content: bytes) -> PackedBody:
    """Name a body by its digest; compress it, unless it is short or that makes it longer."""
    if len(content) > _SHORT_BYTES and len(squeezed := zlib.compress(content, _LEVEL)) < len(content):
        return PackedBody(digest_of(content), "zlib", squeezed)
    return PackedBody(digest_of(content), "plain", content)


def unpack(body: PackedBody) -> bytes:
    """The plain bytes. Raises `LedgerDamaged` when they are not the ones that were stored."""
    try:
        content = zlib.decompress(body.content) if body.encoding == "zlib" else body.content
        digest = digest_of(content)
    except (zlib.error, TypeError) as error:
        raise LedgerDamaged(f"Body {body.digest} was altered: it cannot be unpacked ({error}).") from error
    if digest != body.digest:
        raise LedgerDamaged(f"Body {body.digest} was altered: its bytes have another digest.")
    return content


def has_body(connection: Connection, digest: str) -> bool:
    """Whether a body is stored."""
    return connection.execute(_HAS_BODY, {"digest": digest}).first() is not None


def insert_body(connection: Connection, body: PackedBody) -> bool:
    """Store a body; False, and nothing is done, if it is stored already."""
    return _INSERT_BODY.run(connection, digest=body.digest, encoding=body.encoding, content=body.content) == 1


def load_body(connection: Connection, digest: str) -> PackedBody | None:
    """A stored body."""
    row = connection.execute(_LOAD_BODY, {"digest": digest}).one_or_none()
    return None if row is None else PackedBody(row.digest, row.encoding, row.content)


def all_bodies(connection: Connection) -> Iterator[PackedBody]:
    """All bodies, one at a time."""
    for digest in all_digests(connection):
        if (body := load_body(connection, digest)) is not None:
            yield body


def all_digests(connection: Connection) -> list[str]:
    """The digests of all bodies, in order."""
    return list(connection.execute(select(tables.bodies.c.digest).order_by(tables.bodies.c.digest)).scalars())
