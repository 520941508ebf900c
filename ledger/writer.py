"""One writer at a time, many at once: writes that wait together are committed together.

A thread of its own takes everything that is waiting into one transaction, so 64 callers pay for one flush to the
disk. A write that the store cannot take does not take its neighbours with it: they are tried again one by one. A
store that is unavailable is so for all of them at once, and nothing is tried twice.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from ledger.protocol import LedgerDamaged, LedgerError, LedgerUnavailable
from ledger.store.transactions import Writing

T = TypeVar("T")

MOST_TOGETHER = 128


@dataclass(slots=True)
class _Write(Generic[T]):
    """One write that waits, and where its caller waits."""

    act: Callable[[Writing], T]
    future: Future[T] = field(default_factory=Future)

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


class Writer:
    """The thread that writes. `transaction` opens one write transaction."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Writing]]) -> None:
        """Start nothing before the first write."""
        self._transaction = transaction
        self._waiting: deque[_Write[Any]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")

    def submit(self, act: Callable[[Writing], T]) -> Future[T]:
        """Do `act` in a transaction soon; the future is done when that is committed, and can be cancelled before."""
        write = _Write(act)
        self._waiting.append(write)
        self._thread.submit(self._write_waiting)
        return write.future

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._thread.shutdown()

    def _write_waiting(self) -> None:
        together: list[_Write[Any]] = []
        while self._waiting and len(together) < MOST_TOGETHER:
            write = self._waiting.popleft()
            if write.future.set_running_or_notify_cancel():
                together.append(write)
        if together:
            self._commit(together)

    def _commit(self, together: list[_Write[Any]]) -> None:
        try:
            with self._transaction() as transaction:
                outcomes = [write.attempt(transaction) for write in together]
        except LedgerError as error:
            if isinstance(error, LedgerDamaged) and len(together) > 1:
                for write in together:
                    self._commit([write])
            else:
                for write in together:
                    write.future.set_exception(error)
        else:
            for tell in outcomes:
                tell()
        finally:
            # Only a defect of ours leaves a caller without an answer; it is the answer.
            for write in together:
                if not write.future.done():
                    write.future.set_exception(sys.exception() or LedgerError("The ledger's writer stopped."))
