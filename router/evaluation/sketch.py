"""Quantiles of a stream in little memory: counts in buckets whose bounds grow by a constant factor.

Every quantile is within 1 % of a value that was seen at that rank, however many there are: C. Masson, J. E. Rim and
H. K. Lee, DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees, VLDB 2019.
"""

from __future__ import annotations

import math
from collections import Counter

_ACCURACY = 0.01
_GROWTH = (1 + _ACCURACY) / (1 - _ACCURACY)
_LEAST = 1e-6
"""Less counts as this."""


class Sketch:
    """Takes positive numbers, such as seconds."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """One more value."""
        self._buckets[math.ceil(math.log(max(value, _LEAST), _GROWTH))] += 1

    def quantile(self, share: float) -> float | None:
        """The smallest value at or below which lies at least this share of all, within 1 %; None without values."""
        rank, below = share * self._buckets.total() - 1e-9, 0
        for bucket in sorted(self._buckets):
            below += self._buckets[bucket]
            if below >= rank:
                return float(2 * _GROWTH**bucket / (_GROWTH + 1))
        return None
