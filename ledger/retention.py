"""Retention: bodies go when their time has passed, the entries with their digests stay, and an entry says what went.

What the words mean, no SQL and no rule of anybody's: whose bodies go when is decided by whoever calls `sweep`
(`router/retention.py` knows the workload classes). The store is in `ledger/store/departures.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, cast

from ledger.protocol import Entry, JsonValue

RETENTION_STREAM = "retention"
LET_GO = "bodies.let_go"


def went_with(entry: Entry) -> Sequence[str]:
    """The bodies of which an entry says that they went; none for any other entry."""
    if (entry.stream, entry.type) != (RETENTION_STREAM, LET_GO):
        return ()
    return cast("Sequence[str]", entry.data["bodies"])


class RetentionRules(Protocol):
    """Who keeps the bodies of an entry for how long. A body goes when no entry that names it keeps it any more."""

    @property
    def periods(self) -> Sequence[int]:
        """Every number of days that `days` may say."""
        ...

    def days(self, entry: Entry) -> int | None:
        """How many days after an entry its bodies may go; None: never."""
        ...

    def told(self) -> Mapping[str, JsonValue]:
        """The rules as the ledger records them with what went."""
        ...


@dataclass(frozen=True, slots=True)
class LetGo:
    """A body went under retention: the entry that says so, and its time."""

    seq: int
    time: datetime

    def __str__(self) -> str:
        """As a clause for people."""
        return f"let go under retention on {self.time:%Y-%m-%d} (ledger entry {self.seq})"


@dataclass(slots=True)
class Swept:
    """What a sweep did, or would do. `content_bytes` are those that the store held.

    `entries` are the ones that say what went. `erased` is False while old pages of SQLite's write-ahead log may still
    have what went, because somebody was reading; the next sweep sees to that.
    """

    bodies: int = 0
    content_bytes: int = 0
    entries: list[int] = field(default_factory=list)
    erased: bool = True

    def count(self, sizes: Collection[int]) -> None:
        """Bodies of these sizes went, too."""
        self.bodies += len(sizes)
        self.content_bytes += sum(sizes)


class Retention(Protocol):
    """What a store that keeps bodies does about their age."""

    async def sweep(
        self, rules: RetentionRules, *, after: dict[int, int] | None = None, dry_run: bool = False
    ) -> Swept:
        """Let go of every body whose time has passed; in small transactions, one page of entries at a time.

        Killed at any moment, it leaves nothing half done: the entry that says which bodies went and their deletion are
        one transaction. `after` has the seq up to which entries were looked at, for each period, and is kept up here,
        so that a later sweep by the same rules begins there. A `dry_run` only counts.
        """
        ...

    async def let_go(self, digests: Sequence[str]) -> Mapping[str, LetGo]:
        """Those of these bodies that went under retention and did not come back."""
        ...
