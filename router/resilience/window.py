"""How many calls there were lately and how many failed: counts in a ring of time slices, never a list that grows."""

from __future__ import annotations

from collections.abc import Callable

_SLICES = 10


class Window:
    """The calls of the last `seconds`, a tenth of that more or less. `clock` gives seconds and never goes back."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._slice_seconds = seconds / _SLICES
        self._clock = clock
        self._newest = self._number()
        self._calls = [0] * _SLICES
        self._failures = [0] * _SLICES

    def add(self, *, failed: bool) -> None:
        """A call ended now."""
        self._forget()
        place = self._newest % _SLICES
        self._calls[place] += 1
        self._failures[place] += failed

    def counts(self) -> tuple[int, int]:
        """Calls, and how many of them failed."""
        self._forget()
        return sum(self._calls), sum(self._failures)

    def clear(self) -> None:
        """Forget everything."""
        self._calls = [0] * _SLICES
        self._failures = [0] * _SLICES

    def _forget(self) -> None:
        """What is older than the window."""
        now = self._number()
        for number in range(self._newest + 1, min(now, self._newest + _SLICES) + 1):
            self._calls[number % _SLICES] = self._failures[number % _SLICES] = 0
        self._newest = now

    def _number(self) -> int:
        return int(self._clock() // self._slice_seconds)
