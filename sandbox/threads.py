"""Blocking kernel work off the event loop, never abandoned half-way.

A cancelled `asyncio.to_thread` leaves its thread running with descriptors that the caller then closes;
`finish` waits for the thread first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Callable[[], T]) -> T:
    """Run a blocking call in a thread; a cancellation is raised only when the call has ended."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await settle(task)
        raise


async def settle(task: asyncio.Task[T]) -> None:
    """Wait until a task is done, whatever it ends with and however often the waiter is cancelled."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # seen; nobody else will ask
