"""Deadlines: each wait for a chunk of a stream, and a call for vectors, ends when its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from inference.errors import DeadlineExceeded

T = TypeVar("T")


async def within_deadline(stream: AsyncGenerator[T, None], deadline: float | None) -> AsyncGenerator[T, None]:
    """The stream's items until `deadline` (seconds since the epoch), then `DeadlineExceeded`.

    The stream is closed when the deadline passes and when this generator is closed.
    """
    async with aclosing(stream):
        if deadline is None:  # a timer for each item would cost more than the item
            async for item in stream:
                yield item
            return
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


@asynccontextmanager
async def until_deadline(deadline: float | None) -> AsyncGenerator[None, None]:
    """Whatever runs inside is cancelled at `deadline` (seconds since the epoch) and ends in `DeadlineExceeded`."""
    left = seconds_left(deadline)
    if left == 0.0:
        raise deadline_exceeded()
    try:
        async with asyncio.timeout(left) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise deadline_exceeded() from error


def seconds_left(deadline: float | None) -> float | None:
    """Time until the deadline, not below zero; None if there is none."""
    return None if deadline is None else max(0.0, deadline - time.time())


def deadline_exceeded() -> DeadlineExceeded:
    """The error that every engine raises when a request's time is over."""
    return DeadlineExceeded("The request's deadline passed before the answer was complete.")
