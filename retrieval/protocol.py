"""The retrieval contract: passages with their source, from an index kept current by content hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from inference.protocol import Caller

CountTokens = Callable[[str], int]
"""How many tokens a text costs, by the model that will read it (or a safe estimate)."""


class RetrievalError(Exception):
    """Base of the package's errors."""

    retryable = False


class IndexUnavailable(RetrievalError):
    """The index cannot be opened or written now (another process holds it, disk full, server down)."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Passage:
    """Text with its source: lines `start_line` to `end_line` (1-based, inclusive) of `path`.

    `symbols` are the definitions in it; `score` is comparable only within one search.
    """

    path: str
    start_line: int
    end_line: int
    text: str
    symbols: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a refresh did; files whose content hash is known are not read again."""

    files: int
    passages: int
    added: int
    removed: int
    unchanged: int
    skipped: tuple[str, ...]


class RepositoryIndex(Protocol):
    """The index of one repository at one revision of its files."""

    async def refresh(self, files: Mapping[str, bytes], caller: Caller) -> IndexReport:
        """Make the index hold exactly these files (path -> content). Killed half-way, the next refresh completes it.

        `caller` (here and below): on whose behalf texts are embedded; who pays, and whose data class decides
        where they may go.
        """
        ...

    async def search(self, query: str, caller: Caller, *, limit: int = 20) -> list[Passage]:
        """The best passages for a query in words and identifiers, best first."""
        ...

    async def search_in(
        self, files: Mapping[str, bytes], query: str, caller: Caller, *, limit: int = 20
    ) -> list[Passage]:
        """Refresh, then search, with nobody's refresh in between: every passage is one of these files'."""
        ...

    async def close(self) -> None:
        """Release the store; safe to call twice."""
        ...
