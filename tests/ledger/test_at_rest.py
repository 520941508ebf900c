"""Secrets are nowhere in the bytes of the store, its write-ahead log included."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from ledger.protocol import Draft, JsonValue
from ledger.sql_ledger import open_ledger

if TYPE_CHECKING:
    from tests.ledger.postgres import Postgres

pytest_plugins = ["tests.ledger.postgres"]

SECRETS = ["bly_" + "Zx9-Qk2_" * 5 + "abc", "AKIA" + "QWERTYUIOPASDFGH", "hunter2hunter2"]


async def test_no_secret_is_in_the_bytes_of_the_store(ledger_url: str, request: pytest.FixtureRequest) -> None:
    ledger = await open_ledger(ledger_url)
    said = f"mark-short {SECRETS[0]} {SECRETS[1]} redis://me:{SECRETS[2]}@cache"
    await ledger.put_body(said.encode())
    await ledger.put_body(f"mark-long {said * 100}".encode())
    data: dict[str, JsonValue] = {"mark-data": said, SECRETS[0]: 1, "password": SECRETS[2]}
    await ledger.append(Draft("calls", "call.completed", "key_1", data=data))
    if ledger_url.startswith("postgresql"):
        server: Postgres = request.getfixturevalue("postgres")
        server.execute("CHECKPOINT")
        files = [path for part in ("base", "pg_wal") for path in (server.directory / "data" / part).rglob("*")]
    else:
        files = list(Path(str(make_url(ledger_url).database)).parent.iterdir())
    stored = b"".join(path.read_bytes() for path in files if path.is_file())
    assert all(mark in stored for mark in (b"mark-short [redacted", b"mark-data"))
    assert not [secret for secret in SECRETS if secret.encode() in stored]
    long_body = await ledger.get_body(await ledger.put_body(f"mark-long {said * 100}".encode()))
    assert zlib.compress(long_body, 1) in stored
    assert not [secret for secret in SECRETS if secret.encode() in long_body]
    await ledger.close()
