"""The ledger contract: append-only entries in one hash chain, and the money they account for.

Bodies (prompts, answers, patches, logs) are stored once under their digest and redacted before they
are hashed. Whoever continues from a body continues from the stored one, so a run and its resumption
see the same bytes. State elsewhere (tasks, keys, spend) is a fold of the entries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Window = Literal["day", "month", "total"]

GENESIS_HASH = "0" * 64


class LedgerError(Exception):
    """Base of the ledger's errors."""

    retryable = False


class LedgerUnavailable(LedgerError):
    """The store cannot be written or read now (disk full, database down).

    Nothing was recorded, unless the connection broke in the very commit: repeat with a key.
    """

    retryable = True


class LedgerDamaged(LedgerError):
    """What is stored contradicts itself; `verify` names the first entry that does not hold."""


class LedgerTooNew(LedgerError):
    """The store was written by a newer version of the product than this one."""


class LedgerClaimed(LedgerError):
    """Another process works this store's tasks."""


class UnknownBody(LedgerError):
    """No body is stored under this digest."""


class BodyLetGo(UnknownBody):
    """The body was stored under this digest, and went under retention."""


class UnknownHold(LedgerError):
    """No open reservation has this key (it was settled, released or lapsed)."""


class BudgetExceeded(LedgerError):
    """The reservation does not fit what is left of an account's budget in this window."""

    def __init__(self, message: str, *, account: str, window_ends: datetime | None) -> None:
        super().__init__(message)
        self.account = account
        self.window_ends = window_ends


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants recorded. A malformed draft (names, digests, negative costs) raises `ValueError`.

    `stream` groups entries ("task/tsk_…", "calls", "keys"); `type` is a dotted past tense
    ("task.submitted"). `cause` is the seq of the entry that led to this one. `data` is small, readable
    and redacted. `key` makes the append idempotent: appending the same key again returns the entry
    that is already there and records nothing. `output_body` is stored in the same transaction,
    and the entry names its digest. `cost_usd` and `tokens` count for the tenant's account (`tenant_account`)
    and for `accounts`, other names that money is counted under ("key/key_1", "model/coder").
    """

    stream: str
    type: str
    actor: str
    tenant: str = "default"
    cause: int | None = None
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    input_digest: str | None = None
    output_digest: str | None = None
    cost_usd: Decimal = Decimal(0)
    key: str | None = None
    output_body: bytes | None = None
    tokens: int = 0
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One chained fact. `hash` is SHA-256 (hex) over the canonical JSON of all other fields.

    There, `tokens` and `accounts` are left out where there are none: entries had neither at first.
    """

    seq: int
    time: datetime
    stream: str
    type: str
    actor: str
    tenant: str
    cause: int | None
    data: Mapping[str, JsonValue]
    input_digest: str | None
    output_digest: str | None
    cost_usd: Decimal
    key: str | None
    previous_hash: str
    hash: str
    tokens: int = 0
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; `problem` names the first entry that does not hold, or is None.

    `let_go` counts bodies that went under retention, which is neither a problem nor tampering.
    """

    entries: int
    bodies: int
    head_hash: str
    problem: str | None
    let_go: int = 0

    @property
    def ok(self) -> bool:
        """Every entry, link and body holds."""
        return self.problem is None


def tenant_account(tenant: str) -> str:
    """The account that everything of a tenant counts for."""
    return f"tenant/{tenant}"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much an account may spend per window (UTC days and months): dollars, tokens or both."""

    account: str
    limit_usd: Decimal | None = None
    window: Window = "month"
    limit_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst that a piece of work of a tenant may cost, and the accounts it counts for beside the tenant's."""

    tenant: str
    amount_usd: Decimal = Decimal(0)
    tokens: int = 0
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spend:
    """What an account has in the current window: settled, and held by open reservations."""

    settled_usd: Decimal
    held_usd: Decimal
    window_begins: datetime | None
    window_ends: datetime | None
    settled_tokens: int = 0
    held_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation that fits: the digest of its body, and what each account with a budget has with it."""

    body_digest: str | None
    spends: tuple[tuple[Budget, Spend], ...]


class Ledger(Protocol):
    """Append, read, verify. Many processes may share one store."""

    async def append(self, draft: Draft) -> Entry:
        """Chain one entry; durable when this returns. Raises `LedgerUnavailable` or `LedgerDamaged`."""
        ...

    async def read(
        self, *, stream: str | None = None, types: Sequence[str] = (), after: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """Entries with seq > `after`, oldest first. `stream` ending in "/" matches all streams below it."""
        ...

    async def find(self, key: str) -> Entry | None:
        """The entry that was appended under an idempotency key."""
        ...

    def follow(self, stream: str, *, after: int = 0) -> AsyncGenerator[Entry, None]:
        """Entries of a stream as they come, for ever, whichever process appends them."""
        ...

    async def put_body(self, content: bytes) -> str:
        """Store a body, redacted; its digest. Text is UTF-8; secrets are taken out of other bytes, too."""
        ...

    async def get_body(self, digest: str) -> bytes:
        """The stored (redacted) body. Raises `UnknownBody`: `BodyLetGo` if it went under retention."""
        ...

    async def verify(self) -> Verification:
        """Re-derive every hash through the read path, and every body's digest."""
        ...

    async def close(self) -> None:
        """Release the store; safe to call twice."""
        ...


class Accounts(Protocol):
    """Budgets that hold under concurrency: the store is the arbiter.

    Spend is derived from the entries' costs; holds are money reserved for work in flight.
    """

    async def reserve(
        self, key: str, reservation: Reservation, budgets: Sequence[Budget], *, body: bytes | None = None
    ) -> Reserved:
        """Hold the worst-case cost of a call before it is made, if every budget has room. Raises `BudgetExceeded`.

        The same reservation again is harmless; another one under the key raises `ValueError`, and so does a budget of
        an account that the reservation does not count for. No dollars always fit a limit of dollars, no tokens one of
        tokens. What is asked for comes along as `body`, is stored in the same transaction, and stays while it is held.
        """
        ...

    async def settle(self, key: str, draft: Draft) -> Entry:
        """In one transaction: drop the hold, append the entry, count its cost as spent. Raises `UnknownHold`.

        A draft whose own key is already recorded gives that entry.
        """
        ...

    async def release(self, key: str) -> None:
        """Drop a hold whose work never started, if there is one; nothing is recorded."""
        ...

    async def lapse(self, created_before: datetime) -> list[Entry]:
        """Settle holds left by a crash at their full amount ("call.lost"): money may have been spent."""
        ...

    async def spend(self, account: str, window: Window) -> Spend:
        """What an account has spent and holds in the current window."""
        ...
