"""Deadlines and timeouts on a stream: each wait for a chunk ends when its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from inference.errors import DeadlineExceeded

T = TypeVar("T")


async def within_deadline(stream: AsyncGenerator[T, None], deadline: float | None) -> AsyncGenerator[T, None]:
    """The stream's items until `deadline` (seconds since the epoch), then `DeadlineExceeded`.

    The stream is closed when the deadline passes and when this generator is closed.
    """
    async with aclosing(stream):
        while True:
            left = seconds_left(deadline)
            if left == 0.0:
                raise deadline_exceeded()
            try:
                async with asyncio.timeout(left):
                    item = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise deadline_exceeded() from error
            yield item


def seconds_left(deadline: float | None) -> float | None:
    """Time until the deadline, not below zero; None if there is none."""
    return None if deadline is None else max(0.0, deadline - time.time())


def deadline_exceeded() -> DeadlineExceeded:
    """The error that every engine raises when a request's time is over."""
    return DeadlineExceeded("The request's deadline passed before the answer was complete.")
