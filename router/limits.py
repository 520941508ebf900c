"""Slots: how many requests one model answers at once, and how many may wait. Never memory growth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from inference.errors import DeadlineExceeded, EngineUnavailable


class Slots:
    """A bounded queue in front of a bounded number of calls."""

    def __init__(self, model: str, concurrency: int, queue: int) -> None:
        self._model = model
        self._semaphore = asyncio.Semaphore(concurrency)
        self._queue = queue
        self.waiting = 0
        self.running = 0

    @asynccontextmanager
    async def slot(self, deadline: float | None) -> AsyncGenerator[None, None]:
        """Hold one slot. Raises `EngineUnavailable` when the queue is full, `DeadlineExceeded` (epoch seconds)."""
        await self._enter(deadline)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._semaphore.release()

    async def _enter(self, deadline: float | None) -> None:
        if self._semaphore.locked() and self.waiting >= self._queue:
            raise EngineUnavailable(
                f"All slots of {self._model} are busy and {self.waiting} requests wait; try again shortly.",
                retry_after_seconds=1,
            )
        self.waiting += 1
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.time())):
                await self._semaphore.acquire()
        except TimeoutError:
            raise DeadlineExceeded(f"The deadline passed while the request waited for {self._model}.") from None
        finally:
            self.waiting -= 1
