"""How many retries the recent requests allow, so that retries never multiply an outage.

A token bucket as Finagle's RetryBudget (twitter.github.io/finagle/guide/Clients.html#retries): each request adds a
share of a token, each retry takes a whole one. What may be saved up is bounded as in gRPC's retry throttling (gRFC A6),
instead of by age. Who calls it: a guard.
"""

from __future__ import annotations


class RetryBudget:
    """At any time: retries granted <= `burst` + `share` * requests. It begins full."""

    def __init__(self, share: float, burst: int) -> None:
        self._share = share
        self._burst = float(burst)
        self._tokens = float(burst)

    @property
    def tokens(self) -> float:
        """Retries that would be granted now."""
        return self._tokens

    def deposit(self) -> None:
        """A request came; its retries are none."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def withdraw(self) -> bool:
        """Whether one more retry may be; it is counted then."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
