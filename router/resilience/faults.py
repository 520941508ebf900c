"""Which errors an upstream is blamed for, and the one that says it was not even asked. Pure.

Only infrastructure counts. Answers that fail verification are no errors and never come here.
"""

from __future__ import annotations

from inference.deadline import seconds_left
from inference.errors import DeadlineExceeded, EngineError, EngineUnavailable

CLOCKS_APART_SECONDS = 0.1
"""A timer may end a little before the deadline by the clock on the wall."""


class NotAsked(EngineUnavailable):
    """The upstream is left alone for now: its circuit is open, or it asked for a pause. Another one may answer."""


def is_failure(error: EngineError, deadline: float | None) -> bool:
    """Whether it is the upstream's fault: unreachable, too slow, broken, refusing our key; 5xx in HTTP's words.

    A deadline that has passed is the caller's; one that the upstream speaks of before (a 504) is the upstream's.
    """
    if isinstance(error, DeadlineExceeded):
        left = seconds_left(deadline)
        return left is None or left > CLOCKS_APART_SECONDS
    return error.status >= 500


def asks_for_pause(error: EngineError) -> float:
    """Seconds for which the upstream wants to be left alone; 0 if it does not say."""
    return (error.retry_after_seconds or 0.0) if error.retryable else 0.0


def may_pass(error: BaseException) -> bool:
    """Whether asking the same upstream again can help."""
    return isinstance(error, EngineError) and error.retryable and not isinstance(error, NotAsked)
