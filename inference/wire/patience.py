"""How long each wait for another piece of a stream may take, with one timer for all of them.

`asyncio.timeout` makes a timer for each wait, which takes a tenth of the time that a gateway has for a piece.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """Use it as `with patience.at_most(seconds): await ...`, from one task at a time; `close` it at the end.

    A wait that takes longer is cancelled and raises `TimeoutError`.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._due: float | None = None  # of the wait that is under way
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._ran_out = False

    def at_most(self, seconds: float) -> Self:
        """The limit of the waits that follow."""
        self._seconds = seconds
        return self

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._cancelled_before = task.cancelling()
        self._due = due = loop.time() + self._seconds
        if self._timer is None or self._timer.when() > due:
            self.close()
            self._timer = loop.call_at(due, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._due = None
        if not self._ran_out:
            return
        self._ran_out = False
        assert self._task is not None
        # As in asyncio.timeout: if somebody else cancels, too, that is what happens.
        if self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _look(self) -> None:
        """Whether the wait that is under way now has taken too long; if there is none, the next sets the timer."""
        self._timer = None
        if self._due is None or self._task is None:
            return
        loop = self._task.get_loop()
        if loop.time() < self._due:
            self._timer = loop.call_at(self._due, self._look)
            return
        self._ran_out = True
        self._task.cancel()
