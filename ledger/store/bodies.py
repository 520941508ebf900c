"""Bodies in SQL: bytes under their digest, compressed when that makes them smaller. No redaction here."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from ledger.chain import digest_of
from ledger.protocol import LedgerDamaged
from ledger.store import tables

# Text shrinks to a third at level 1; higher levels cost far more time than they save space.
_LEVEL = 1

_HAS_BODY = select(tables.bodies.c.digest).where(tables.bodies.c.digest == bindparam("digest"))
_INSERT_BODY = insert(tables.bodies)
_LOAD_BODY = select(tables.bodies).where(tables.bodies.c.digest == bindparam("digest"))


@dataclass(frozen=True, slots=True)
class PackedBody:
    """A body as it is stored; the digest is over the plain bytes."""

    digest: str
    encoding: str
    content: bytes


def pack(content: bytes) -> PackedBody:
    """Name a body by its digest and compress it."""
    squeezed = zlib.compress(content, _LEVEL)
    if len(squeezed) < len(content):
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


def insert_body(connection: Connection, body: PackedBody) -> None:
    """Store a body that is not stored yet."""
    connection.execute(_INSERT_BODY, {"digest": body.digest, "encoding": body.encoding, "content": body.content})


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
