"""Other processes that use the same store: what they do, and how a test starts one.

They are forked from a server that has imported everything, so each starts in milliseconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ledger.protocol import Budget, BudgetExceeded, Draft, Reservation
from ledger.sql_ledger import SqlLedger, open_ledger


@dataclass(frozen=True, slots=True)
class Worker:
    """A running process and the pipe to it."""

    process: BaseProcess
    pipe: Connection

    def kill(self) -> list[Any]:
        """Kill it (signal 9); what it had said and nobody had read."""
        self.process.kill()
        self.process.join()
        said = []
        while self.pipe.poll():
            try:
                said.append(self.pipe.recv())
            except EOFError:
                break
        return said


@contextmanager
def start(work: Callable[..., None], *arguments: Any) -> Iterator[Worker]:
    """Run `work(pipe, *arguments)` in a process; killed at the end of the block if it still runs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, "detect_secrets.plugins.aws"])
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        yield Worker(process, ours)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def append_entries(pipe: Connection, url: str, name: str, number: int | None) -> None:
    """Append `number` entries (for ever, if None) from four tasks at once; say which one is recorded, each time."""

    async def task(ledger: SqlLedger, numbers: Iterator[int]) -> None:
        for each in numbers:
            if number is not None and each >= number:
                return
            key = f"{name}/{each}"
            body = await ledger.put_body(key.encode() * 50)
            cost = Decimal(each % 3).scaleb(-3)
            draft = Draft(f"process/{name}", "step.done", name, output_digest=body, cost_usd=cost, key=key)
            await ledger.append(draft)
            pipe.send(key)

    async def main() -> None:
        ledger = await open_ledger(url)
        numbers = count()
        await asyncio.gather(*(task(ledger, numbers) for _ in range(4)))
        await ledger.close()

    asyncio.run(main())


def spend_money(pipe: Connection, url: str, name: str, limit_usd: Decimal) -> None:
    """25 tasks at once reserve, then settle for less, or release; say how many were let through and refused."""
    budgets, chance = [Budget("tenant/default", limit_usd)], random.Random(name)
    outcomes = {"held": 0, "refused": 0}

    async def task(ledger: SqlLedger, number: int) -> None:
        for turn in range(3):
            key, amount = f"{name}/{number}/{turn}", Decimal(chance.randint(1, 900)).scaleb(-3)
            try:
                await ledger.reserve(key, Reservation("default", amount), budgets)
            except BudgetExceeded:
                outcomes["refused"] += 1
                continue
            outcomes["held"] += 1
            if chance.random() < 0.3:
                await ledger.release(key)
            else:
                cost = amount * chance.randint(0, 100) / 100
                await ledger.settle(key, Draft("calls", "call.completed", name, cost_usd=cost))

    async def main() -> None:
        ledger = await open_ledger(url)
        await asyncio.gather(*(task(ledger, number) for number in range(25)))
        await ledger.close()

    asyncio.run(main())
    pipe.send(outcomes)


def hold_and_wait(pipe: Connection, url: str, key: str, amount_usd: Decimal) -> None:
    """Reserve, say so, and never settle."""

    async def main() -> None:
        ledger = await open_ledger(url)
        await ledger.reserve(key, Reservation("default", amount_usd), [Budget("tenant/default", Decimal(100))])
        pipe.send("held")
        pipe.recv()

    asyncio.run(main())


def claim_and_wait(pipe: Connection, url: str) -> None:
    """Claim the store, say so, and never close it."""

    async def main() -> None:
        ledger = await open_ledger(url)
        await ledger.claim()
        pipe.send("claimed")
        pipe.recv()

    asyncio.run(main())
