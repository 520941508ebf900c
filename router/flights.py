"""A call whose pieces several listeners get, while it is being made and, if it is kept, afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from inference.protocol import Chunk


class Flight:
    """Makes the call in a task of its own, so that whoever came first may leave; without listeners it is broken off.

    It begins with the first listener. `request_id` is that of the call, `keep_until` the time (of whoever keeps it)
    from which it is not given any more; `when_over` is called when nothing more comes.
    """

    def __init__(self, request_id: str, chunks: AsyncGenerator[Chunk, None]) -> None:
        self.request_id = request_id
        self.keep_until = 0.0
        self.when_over: Callable[[], None] = lambda: None
        self._chunks = chunks
        self._pieces: list[Chunk] = []
        self._listeners = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether more may come."""
        return self._task is None or not self._task.done()

    @property
    def succeeded(self) -> bool:
        """Whether the answer is whole."""
        task = self._task
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    @property
    def size(self) -> int:
        """Pieces so far."""
        return len(self._pieces)

    async def listen(self) -> AsyncGenerator[Chunk, None]:
        """All pieces from the first on. Raises what the call raises."""
        task = self._begun()
        self._listeners += 1
        given = 0
        try:
            while given < len(self._pieces) or not task.done():
                news = self._news
                for piece in self._pieces[given:]:
                    given += 1
                    yield piece
                if given == len(self._pieces) and not task.done():
                    await news.wait()
            task.result()
        finally:
            self._listeners -= 1
            if not self._listeners and not task.done():
                task.cancel()
                await asyncio.wait([task])

    def _begun(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = asyncio.create_task(self._fly(), name=f"flight {self.request_id}")
            self._task.add_done_callback(self._land)
        return self._task

    async def _fly(self) -> None:
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                self._pieces.append(chunk)
                self._tell()

    def _land(self, task: asyncio.Task[None]) -> None:
        self._tell()
        self.when_over()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
