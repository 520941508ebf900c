"""A share that was counted, and what it says of the share there is."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959964  # 95 % of a normal distribution lies within so many standard deviations


@dataclass(slots=True)
class Proportion:
    """So many of so many."""

    of: int = 0
    count: int = 0

    def add(self, *, counts: bool) -> None:
        """One more, which counts or not."""
        self.of += 1
        self.count += counts

    @property
    def share(self) -> float | None:
        """Counted; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence, which holds for few and for extreme shares too; None of nothing.

        E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
        """
        if not self.of:
            return None
        share, square = self.count / self.of, _Z**2 / self.of
        middle = share + square / 2
        spread = _Z * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of))
        low, high = (middle - spread) / (1 + square), (middle + spread) / (1 + square)
        return max(0.0, low), min(1.0, high)
