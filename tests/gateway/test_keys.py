"""Keys: shown once, kept as a hash, revoked within a second, expired by a hand-moved clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.keys import ExpiredKey, InvalidKey, Keys, UnknownKey, UnusableKey
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.ledger.clock import HandClock


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    store = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield store
    await store.close()


async def test_a_key_is_known_by_its_token_and_nothing_else_is_kept(ledger: SqlLedger, tmp_path: Path) -> None:
    keys = Keys(ledger, HandClock())
    token, key = await keys.create("ada", tenant="default", role="developer")
    assert (await keys.authenticate(token)) == key
    assert token.startswith("bly_")
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(InvalidKey):
        await keys.authenticate(token + "x")


async def test_an_expired_key_says_since_when(ledger: SqlLedger) -> None:
    clock = HandClock()
    keys = Keys(ledger, clock)
    token, _ = await keys.create("ada", tenant="default", role="developer", days=1)
    assert await keys.authenticate(token)
    clock.advance(days=1)
    with pytest.raises(ExpiredKey, match="expired on"):
        await keys.authenticate(token)


async def test_keys_made_and_revoked_elsewhere_are_seen_here(ledger: SqlLedger) -> None:
    here, elsewhere = Keys(ledger, HandClock()), Keys(ledger, HandClock())
    token, key = await elsewhere.create("grace", tenant="default", role="approver")
    assert (await here.authenticate(token)).role == "approver"
    await elsewhere.revoke(key.id)
    here._read_at = 0.0  # as if a second had passed
    with pytest.raises(InvalidKey):
        await here.authenticate(token)
    assert [known.revoked for known in await here.all()] == [True]


async def test_revoking_what_is_not_there(ledger: SqlLedger) -> None:
    with pytest.raises(UnknownKey, match="key_nothing"):
        await Keys(ledger, HandClock()).revoke("key_nothing")


@pytest.mark.parametrize(
    ("actor", "days", "sentence"),
    [
        ("", None, "must be one line of printable text"),
        (" ada", None, "no spaces around them"),
        ("a\nb", None, "must be one line of printable text"),
        ("x" * 101, None, "at most 100 characters"),
        ("ghp_" + "a1B2c3D4e5" * 4, None, "contains a secret"),
        ("ada", 1e12, "at most 36500 days"),
        ("ada", float("nan"), "at most 36500 days"),
    ],
)
async def test_a_key_that_no_call_could_be_recorded_with_is_not_made(
    ledger: SqlLedger, actor: str, days: float | None, sentence: str
) -> None:
    keys = Keys(ledger, HandClock())
    with pytest.raises(UnusableKey, match=sentence):
        await keys.create(actor, tenant="default", role="developer", days=days)
    assert await keys.all() == []
