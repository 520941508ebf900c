"""Limits of the time that one answer is waited for, for engines that have none of their own. Who calls it: a guard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from inference.errors import EngineUnavailable
from inference.resilience import TimeoutsSpec
from inference.wire.patience import Patience

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many `seconds` are left; `what` says in a phrase what has not come when they are over."""

    seconds: float
    what: str


@dataclass(slots=True)
class Waiting:
    """How long one request has waited for `name` so far, in `seconds`; `clock` gives seconds, too."""

    name: str
    limits: TimeoutsSpec
    clock: Callable[[], float]
    seconds: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.limits != TimeoutsSpec()

    def limit(self, *, first: bool) -> Limit | None:
        """Of the next wait; None if it may take any time. Raises `EngineUnavailable` when no time is left at all."""
        shortest = min(self._limits(first), key=lambda limit: limit.seconds, default=None)
        if shortest and shortest.seconds <= 0:
            raise too_late(self.name, shortest)
        return shortest

    async def pieces(self, source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The source's pieces, as long as none comes too late. Closing the source is up to who opened it."""
        first = True
        with closing(Patience()) as patience:
            while True:
                limit, began = self.limit(first=first), self.clock()
                try:
                    if limit is None:
                        piece = await anext(source)
                    else:
                        with patience.at_most(limit.seconds):
                            piece = await anext(source)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise too_late(self.name, limit) from error
                self.seconds += self.clock() - began
                first = False
                yield piece

    def _limits(self, first: bool) -> Iterator[Limit]:
        token, what = self.limits.between_tokens_seconds, "next token"
        if first:
            token, what = self.limits.first_token_seconds, "first token"
        if token is not None:
            yield Limit(token, f"{what} within {token:g} seconds")
        if (total := self.limits.total_seconds) is not None:
            yield Limit(total - self.seconds, f"whole answer within {total:g} seconds")


def too_late(name: str, limit: Limit | None) -> EngineUnavailable:
    """The error for what did not come in time."""
    return EngineUnavailable(f"{name} gave no {limit.what if limit else 'answer'}.")
