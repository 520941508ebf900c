"""How many requests and tokens a minute an account may ask for. In memory: each gateway process counts its own.

The generic cell rate algorithm: a whole minute's worth may come at once, afterwards it flows back evenly, so there is
no border of a window at which twice as much gets through. One number is kept for each account and unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from inference.errors import RateLimited

Unit = Literal["requests", "tokens"]
_MINUTE_SECONDS = 60.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `per_minute` of a unit for an account."""

    account: str
    unit: Unit
    per_minute: int


class Rates:
    """Admits requests. `clock` gives seconds, such as `time.monotonic`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Everybody has a whole minute's worth."""
        self._clock = clock
        self._empty_at: dict[Rate, float] = {}  # when all that was taken has flowed back

    def take(self, rates: Iterable[Rate], tokens: int) -> None:
        """Take one request and so many tokens, everywhere or nowhere. Raises `RateLimited` with the time to wait.

        Who asks for more tokens than a minute has waits until all of them are there.
        """
        now = self._clock()
        wanted = {rate: max(self._empty_at.get(rate, now), now) + _seconds(rate, tokens) for rate in rates}
        for rate, empty_at in wanted.items():
            if (wait := empty_at - now - _MINUTE_SECONDS) > 1e-6:  # floats do not add up to a minute quite
                raise RateLimited(
                    f"{rate.account} may ask for {rate.per_minute} {rate.unit} a minute; try again in {wait:.1f} s.",
                    retry_after_seconds=wait,
                )
        if len(self._empty_at) > _MOST_REMEMBERED:
            self._empty_at = {rate: empty_at for rate, empty_at in self._empty_at.items() if empty_at > now}
        self._empty_at.update(wanted)

    def correct(self, rates: Iterable[Rate], taken: int, used: int) -> None:
        """A request is over that took `taken` tokens and used `used`: give back the rest, or take what is more."""
        for rate in rates:
            if rate.unit == "tokens" and rate in self._empty_at:
                self._empty_at[rate] += _seconds(rate, used) - _seconds(rate, taken)


def _seconds(rate: Rate, tokens: int) -> float:
    """How long it takes until what is taken has flowed back."""
    amount = 1 if rate.unit == "requests" else min(tokens, rate.per_minute)
    return _MINUTE_SECONDS * amount / rate.per_minute
