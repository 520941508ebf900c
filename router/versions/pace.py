"""How fast a model's stable version is at the moment, and which answers are slow beside it. Pure.

Slow is what takes a multiple of the stable version's median, to the first token or from token to token. What an answer
is compared with is known before it comes, so that the bounds of `bounds` hold.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from router.versions.trial import Arm

_KEPT = 256
_FEWEST = 20
# A few tokens say nothing about speed.
_FEWEST_TOKENS = 8
# Differences that nobody notices, in seconds: to the first chunk and per token.
_UNNOTICED_FIRST_CHUNK, _UNNOTICED_PER_TOKEN = 0.05, 0.005
# So many answers may pass before the medians are taken again.
_STRIDE = 16


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an answer took, in seconds: to its first chunk, then to its end; and its tokens."""

    first_chunk: float
    rest: float
    tokens: int

    @property
    def per_token(self) -> float | None:
        """Seconds per token after the first chunk, if there were enough."""
        return self.rest / self.tokens if self.tokens >= _FEWEST_TOKENS else None


@dataclass(slots=True)
class _Recent:
    values: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    came: int = 0
    middle: float | None = None

    def add(self, value: float) -> None:
        self.values.append(value)
        self.came += 1
        if len(self.values) >= _FEWEST and (self.middle is None or self.came % _STRIDE == 0):
            self.middle = median(self.values)

    def exceeded(self, value: float, factor: float, unnoticed: float) -> bool:
        return self.middle is not None and value > max(factor * self.middle, self.middle + unnoticed)


class Pace:
    """The stable version's recent medians."""

    def __init__(self) -> None:
        self._first_chunk = _Recent()
        self._per_token = _Recent()

    def slow(self, arm: Arm, timing: Timing, factor: float) -> bool | None:
        """Whether an answer is slow; None while too little is known. The stable version's are remembered."""
        verdict = self._verdict(timing, factor)
        if arm == "stable":
            self._first_chunk.add(timing.first_chunk)
            if timing.per_token is not None:
                self._per_token.add(timing.per_token)
        return verdict

    def _verdict(self, timing: Timing, factor: float) -> bool | None:
        if self._first_chunk.middle is None:
            return None
        if self._first_chunk.exceeded(timing.first_chunk, factor, _UNNOTICED_FIRST_CHUNK):
            return True
        return timing.per_token is not None and self._per_token.exceeded(timing.per_token, factor, _UNNOTICED_PER_TOKEN)
