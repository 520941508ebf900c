"""A clock that moves only when a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class HandClock:
    """Called, it says what time it is."""

    def __init__(self, now: datetime = datetime(2025, 11, 21, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move, with the arguments of `timedelta`; also backwards."""
        self.now += timedelta(**by)
