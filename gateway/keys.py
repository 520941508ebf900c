"""API keys: made once, shown once, kept as a hash. The set of keys is a fold of the ledger's key entries.

A key says who calls (actor), for whom (tenant), what they may do (role), until when, and how sensitive all that is.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from ledger.chain import check_name
from ledger.protocol import Draft, Entry, Ledger
from ledger.redaction import refuse_secrets

Role = Literal["developer", "approver"]
KEYS_STREAM = "keys"
# A revoked key stops working within this time in every process that shares the store.
_REFRESH_SECONDS = 1.0
_LONGEST_NAME = 100
_MOST_DAYS = 36_500


class KeyProblem(Exception):
    """Base of what is wrong with a key."""


class InvalidKey(KeyProblem):
    """No such key, or it was revoked."""


class ExpiredKey(KeyProblem):
    """The key's time is over."""


class RoleTooLow(KeyProblem):
    """The key is good, but its role may not do this."""


class UnknownKey(KeyProblem):
    """There is no key with this id."""


class UnusableKey(KeyProblem):
    """A key like this cannot be made: nothing that its owner does could be recorded, or it would last too long."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; the token itself is not kept."""

    id: str
    actor: str
    tenant: str
    role: Role
    expires: datetime | None
    created: datetime
    revoked: bool = False
    data_class: str = ""


class Keys:
    """Creates, finds and revokes keys."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now
        self._by_hash: dict[str, Key] = {}
        self._last_seq = 0
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def create(
        self, actor: str, *, tenant: str, role: Role, days: float | None = None, data_class: str = ""
    ) -> tuple[str, Key]:
        """A new token and its key; the token is never seen again. Raises `UnusableKey`.

        `data_class` is the least that its requests have, if that is stricter than the tenant's.
        """
        _check(actor, tenant, days)
        token = f"bly_{secrets.token_urlsafe(32)}"
        expires = self._now() + timedelta(days=days) if days is not None else None
        key_id = f"key_{secrets.token_hex(8)}"
        entry = await self._ledger.append(
            Draft(
                KEYS_STREAM,
                "key.created",
                actor="operator",
                tenant=tenant,
                data={
                    "id": key_id,
                    "actor": actor,
                    "role": role,
                    "expires": expires.isoformat() if expires else None,
                    "data_class": data_class,
                    "token_sha256": _hash(token),
                },
            )
        )
        return token, _key(entry)

    async def revoke(self, key_id: str) -> Key:
        """Take a key out of use. Raises `UnknownKey`."""
        key = next((key for key in await self.all() if key.id == key_id), None)
        if key is None:
            raise UnknownKey(f"There is no key {key_id!r}; `bailey keys list` shows them.")
        await self._ledger.append(
            Draft(KEYS_STREAM, "key.revoked", "operator", key.tenant, data={"id": key_id}, key=f"{key_id}/revoked")
        )
        return replace(key, revoked=True)

    async def all(self) -> list[Key]:
        """Every key ever made, oldest first."""
        await self._refresh(force=True)
        return list(self._by_hash.values())

    async def authenticate(self, token: str) -> Key:
        """The key of a token. Raises `InvalidKey` or `ExpiredKey`."""
        digest = _hash(token)
        await self._refresh(force=digest not in self._by_hash)
        key = self._by_hash.get(digest)
        if key is None or key.revoked:
            raise InvalidKey("This API key is not known here; `bailey keys create` makes one.")
        if key.expires is not None and key.expires <= self._now():
            raise ExpiredKey(f"This API key expired on {key.expires:%Y-%m-%d %H:%M} UTC; ask for a new one.")
        return key

    async def _refresh(self, *, force: bool) -> None:
        """Fold the entries that came since the last look."""
        if not force and time.monotonic() - self._read_at < _REFRESH_SECONDS:
            return
        async with self._lock:
            for entry in await self._ledger.read(stream=KEYS_STREAM, after=self._last_seq):
                self._last_seq = entry.seq
                if entry.type == "key.created":
                    self._by_hash[str(entry.data["token_sha256"])] = _key(entry)
                elif entry.type == "key.revoked":
                    self._revoke(str(entry.data["id"]))
            self._read_at = time.monotonic()

    def _revoke(self, key_id: str) -> None:
        for digest, key in self._by_hash.items():
            if key.id == key_id:
                self._by_hash[digest] = replace(key, revoked=True)


def _check(actor: str, tenant: str, days: float | None) -> None:
    try:
        check_name("key's owner", actor)
        refuse_secrets(actor, tenant)
    except ValueError as error:
        raise UnusableKey(str(error)) from None
    if actor != actor.strip() or len(actor) > _LONGEST_NAME:
        raise UnusableKey(
            f"A key's owner has at most {_LONGEST_NAME} characters and no spaces around them, not {actor!r}."
        )
    if days is not None and not abs(days) <= _MOST_DAYS:  # false also for what is no number
        raise UnusableKey(f"A key lasts at most {_MOST_DAYS} days, not {days:g}; leave it out for one without an end.")


def _key(entry: Entry) -> Key:
    expires = entry.data["expires"]
    role: Role = entry.data["role"]  # type: ignore[assignment]  # written above, read back from the chain
    return Key(
        id=str(entry.data["id"]),
        actor=str(entry.data["actor"]),
        tenant=entry.tenant,
        role=role,
        expires=datetime.fromisoformat(str(expires)) if expires else None,
        created=entry.time,
        data_class=str(entry.data.get("data_class", "")),  # keys of an earlier release have none
    )


def _hash(token: str) -> str:
    """Tokens are 256 random bits, so a plain digest cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()
