"""How many replicas a model is to have, from the requests in flight. Pure but for its own memory; time is handed in.

More come at once; fewer only when fewer have been enough for the whole of `scale_down_delay_seconds`.
"""

from __future__ import annotations

import math
from collections import deque

from inference.placement import Replicas

BUSY_SHARE = 0.75
"""Of a replica's concurrency, unless models.yaml says otherwise: what is left takes the burst while another starts."""


class Scaling:
    """One model's count. `begin` says how many there were before."""

    def __init__(self, replicas: Replicas, concurrency: int) -> None:
        self._replicas = replicas
        self._per_replica = replicas.in_flight or max(1.0, BUSY_SHARE * concurrency)
        self._enough: deque[tuple[float, int]] = deque()

    def begin(self, count: int, now: float) -> None:
        """`count` replicas are there already; they stay until fewer have been enough for a while."""
        self._note(now, min(count, self._replicas.max))

    def wanted(self, in_flight: int, now: float) -> int:
        """How many there should be for so many requests in flight, waiting ones included, at `now` (seconds)."""
        enough = math.ceil(in_flight / self._per_replica)
        self._note(now, max(self._replicas.min, min(enough, self._replicas.max)))
        return self._enough[0][1]

    def _note(self, now: float, enough: int) -> None:
        """Keep what could still be the most of the last while: nothing that is older and not more."""
        while self._enough and self._enough[-1][1] <= enough:
            self._enough.pop()
        self._enough.append((now, enough))
        while now - self._enough[0][0] > self._replicas.scale_down_delay_seconds:
            self._enough.popleft()
