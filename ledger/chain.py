"""The hash chain: canonical JSON, the hash of an entry, and the check of a sequence. Pure; no SQL.

Canonical JSON has sorted keys, no spaces and only ASCII; times are UTC with microseconds and a "Z",
costs are decimal strings with nine decimals. The store, the export and the offline check all use it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from ledger.accounting import amount_up, nanos_up, usd, usd_text
from ledger.protocol import GENESIS_HASH, Draft, Entry, JsonValue, tenant_account

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@dataclass(frozen=True, slots=True)
class ReadyDraft:
    """A draft that may be chained: checked, its data plain JSON; `data_json` is the canonical text of that data."""

    draft: Draft
    data_json: str

    def with_output(self, digest: str) -> ReadyDraft:
        """The same, its output body stored under `digest`."""
        return ReadyDraft(replace(self.draft, output_digest=digest, output_body=None), self.data_json)


def canonical_json(value: JsonValue) -> str:
    """The one text of a JSON value. Raises `ValueError` for a number that JSON does not have (NaN, infinity)."""
    return _CANONICAL.encode(value)


def time_text(moment: datetime) -> str:
    """`moment` as the chain writes it: "2025-11-21T02:08:00.000000Z". Raises `ValueError` without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"The time {moment.isoformat()} has no time zone; the ledger records UTC.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def digest_of(content: bytes) -> str:
    """SHA-256 in 64 hexadecimal digits: the name a body is stored under."""
    return hashlib.sha256(content).hexdigest()


def entry_to_json(entry: Entry) -> dict[str, JsonValue]:
    """All fields of an entry as JSON values; `entry_from_json` is the inverse."""
    return {
        "seq": entry.seq,
        "time": time_text(entry.time),
        "stream": entry.stream,
        "type": entry.type,
        "actor": entry.actor,
        "tenant": entry.tenant,
        "cause": entry.cause,
        "data": entry.data,
        "input_digest": entry.input_digest,
        "output_digest": entry.output_digest,
        "cost_usd": usd_text(nanos_up(entry.cost_usd, "cost_usd")),
        "key": entry.key,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        **({"tokens": entry.tokens} if entry.tokens else {}),
        **({"accounts": entry.accounts} if entry.accounts else {}),
    }


def entry_from_json(fields: Mapping[str, JsonValue]) -> Entry:
    """An entry from its JSON fields. Raises `ValueError` when a field is missing, unknown or cannot be read."""
    try:
        values = {
            **fields,
            "time": datetime.fromisoformat(cast("str", fields["time"])),
            "cost_usd": Decimal(cast("str", fields["cost_usd"])),
            "accounts": tuple(cast("Sequence[str]", fields.get("accounts", ()))),
        }
        return Entry(**values)  # type: ignore[arg-type]  # whatever the fields hold, the hash decides
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"The fields of an entry cannot be read: {error!r}.") from error


def entry_hash(entry: Entry) -> str:
    """SHA-256 over the canonical JSON of every field but `hash`."""
    fields = entry_to_json(entry)
    del fields["hash"]
    return digest_of(canonical_json(fields).encode())


def made_ready(draft: Draft, data: JsonValue) -> ReadyDraft:
    """A checked draft with what it may record of its data. Raises `ValueError` as `canonical_json`."""
    data_json = canonical_json(data)
    plain = json.loads(data_json)
    if "\\ud" in data_json:  # two halves of a character that stood side by side are that character now
        data_json = canonical_json(plain)
    return ReadyDraft(replace(draft, data=plain), data_json)


def seal(ready: ReadyDraft, *, seq: int, time: datetime, previous_hash: str) -> Entry:
    """The entry that a draft becomes at its place in the chain. Raises `ValueError` for its cause."""
    draft = ready.draft
    if draft.cause is not None and not 0 < draft.cause < seq:
        raise ValueError(f"The cause of an entry must be an earlier seq, from 1 to {seq - 1}, not {draft.cause}.")
    entry = Entry(
        seq=seq,
        time=time,
        stream=draft.stream,
        type=draft.type,
        actor=draft.actor,
        tenant=draft.tenant,
        cause=draft.cause,
        data=draft.data,
        input_digest=draft.input_digest,
        output_digest=draft.output_digest,
        cost_usd=usd(nanos_up(draft.cost_usd, "cost_usd")),
        key=draft.key,
        previous_hash=previous_hash,
        hash="",
        tokens=draft.tokens,
        accounts=draft.accounts,
    )
    return replace(entry, hash=_hash_with(entry, ready.data_json))


def _hash_with(entry: Entry, data_json: str) -> str:
    """As `entry_hash`; the text of the data, which is most of it, is there already."""
    fields = {**entry_to_json(entry), "data": None}
    del fields["hash"]
    # Quotes within a text are escaped, so this is the field itself.
    return digest_of(canonical_json(fields).replace('"data":null', f'"data":{data_json}').encode())


def check_draft(draft: Draft) -> None:
    """Raise `ValueError`, in a sentence, for a draft that no chain could hold."""
    for name in ("stream", "type", "actor", "tenant", "key"):
        if (value := getattr(draft, name)) is not None:
            check_name(name, value)
    for name in ("input_digest", "output_digest"):
        value = getattr(draft, name)
        if value is not None and not _DIGEST.fullmatch(value):
            raise ValueError(f"The draft's {name} must be 64 hexadecimal digits, as `put_body` returns them.")
    if draft.output_digest is not None and draft.output_body is not None:
        raise ValueError("A draft has an output_body or its output_digest, not both.")
    check_accounts(draft.accounts)
    amount_up(draft.cost_usd, draft.tokens, "The draft's cost_usd")


def check_accounts(accounts: Sequence[str]) -> None:
    """Raise `ValueError` unless each account has a name of its own that is no tenant's."""
    for account in accounts:
        check_name("account", account)
        if account.startswith(tenant_account("")) or accounts.count(account) > 1:
            raise ValueError(f"The account {account!r} stands there already: a tenant's is named by the tenant alone.")


def check_name(what: str, value: str) -> None:
    """Raise `ValueError` unless a stream, type, actor, tenant, account or key is one line of printable text."""
    if not value or not value.isprintable():
        raise ValueError(f"A {what} must be one line of printable text, not {value!r}.")


class ChainCheck:
    """Entries go in, oldest first; out comes the first sentence about one that does not hold."""

    def __init__(self) -> None:
        self.entries = 0
        self.head_hash = GENESIS_HASH
        self._time = datetime.min.replace(tzinfo=UTC)

    def add(self, entry: Entry) -> str | None:
        """What is wrong with the next entry, or None; then it is the head."""
        problem = self._problem(entry)
        self.entries, self.head_hash, self._time = entry.seq, entry.hash, entry.time
        return problem

    def _problem(self, entry: Entry) -> str | None:
        if entry.seq != self.entries + 1:
            return f"Entry {self.entries + 1} is missing: the entry after {self.entries} is {entry.seq}."
        if entry.previous_hash != self.head_hash:
            return f"Entry {entry.seq} does not link to the hash of entry {self.entries}."
        if entry.hash != _hash_or_none(entry):
            return f"Entry {entry.seq} was altered: its fields do not add up to its hash."
        if entry.time < self._time:
            return f"Entry {entry.seq} is older than the entry before it."
        return None


def _hash_or_none(entry: Entry) -> str | None:
    try:
        return entry_hash(entry)
    except (ValueError, TypeError, AttributeError):
        return None
