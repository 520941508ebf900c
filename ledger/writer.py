"""One writer at a time, many at once: writes that wait together are committed together.

A thread of its own takes everything that is waiting into one transaction, so 64 callers pay for one flush to the
disk, and for one wake-up of the event loop that tells them all. A write that the store cannot take does not take its
neighbours with it: they are tried again one by one. A store that is unavailable is so for all of them at once, and
nothing is tried twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from ledger.protocol import LedgerDamaged, LedgerError, LedgerUnavailable
from ledger.store.transactions import Writing

T = TypeVar("T")

MOST_TOGETHER = 128


@dataclass(slots=True)
class _Write(Generic[T]):
    """One write that waits, and where its caller waits: a future that only the event loop may complete."""

    act: Callable[[Writing], T]
    future: asyncio.Future[T]

    def attempt(self, transaction: Writing) -> Callable[[], None]:
        """Act; returns how to tell the caller once that is committed.

        A refusal concerns this write alone; whatever else is wrong concerns the transaction.
        """
        try:
            return partial(self.future.set_result, self.act(transaction))
        except (LedgerUnavailable, LedgerDamaged):
            raise
        except (LedgerError, ValueError) as refusal:
            return partial(self.future.set_exception, refusal)


class _Together:
    """Writes of one transaction. The block raises nothing: what goes wrong is what their callers are told."""

    def __init__(self, writes: list[_Write[Any]]) -> None:
        self.writes = writes
        self.answers: list[Callable[[], None]] = []
        self.failure: BaseException | None = None

    def __enter__(self) -> _Together:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, failure: BaseException | None, _trace: TracebackType | None
    ) -> Literal[True]:
        self.failure = failure
        return True

    def tell(self) -> None:
        """Tell the callers, with one wake-up of their event loop."""
        if self.failure is not None:
            self.answers = [partial(write.future.set_exception, self.failure) for write in self.writes]
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.writes[0].future.get_loop().call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        for write, answer in zip(self.writes, self.answers, strict=True):
            if not write.future.done():  # who was cancelled does not wait any more
                answer()


class Writer:
    """The thread that writes. `transaction` opens one write transaction."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Writing]]) -> None:
        """Start nothing before the first write."""
        self._transaction = transaction
        self._waiting: deque[_Write[Any]] = deque()
        self._lock = Lock()
        self._awake = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")

    def submit(self, act: Callable[[Writing], T]) -> asyncio.Future[T]:
        """Do `act` in a transaction soon; the future is done when that is committed, and can be cancelled before.

        Call it in the event loop, which is always the same one.
        """
        write = _Write(act, asyncio.get_running_loop().create_future())
        with self._lock:
            self._waiting.append(write)
            was_awake, self._awake = self._awake, True
        if not was_awake:
            self._thread.submit(self._write_waiting)
        return write.future

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._thread.shutdown()

    def _write_waiting(self) -> None:
        while together := self._next():
            if wanted := [write for write in together if not write.future.cancelled()]:
                self._commit(wanted)

    def _next(self) -> list[_Write[Any]]:
        """What waits, and has its turn now; if nothing does, the thread falls asleep."""
        with self._lock:
            together = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            self._awake = bool(together)
        return together

    def _commit(self, writes: list[_Write[Any]]) -> None:
        together = _Together(writes)
        with together, self._transaction() as transaction:
            together.answers = [write.attempt(transaction) for write in writes]
        if isinstance(together.failure, LedgerDamaged) and len(writes) > 1:
            for write in writes:
                self._commit([write])
        else:
            together.tell()
