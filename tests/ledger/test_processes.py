"""Several processes on one store: no gap, no fork, no overdraft, and nothing half-written when one is killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from multiprocessing.connection import wait

import pytest

from ledger.protocol import Draft, LedgerClaimed
from ledger.sql_ledger import SqlLedger, open_ledger, utc_now
from tests.ledger.workers import append_entries, claim_and_wait, hold_and_wait, spend_money, start

pytest_plugins = ["tests.ledger.postgres"]

PATIENCE_SECONDS = 60


async def test_four_processes_open_an_empty_store_and_append_and_a_follower_sees_all(ledger_url: str) -> None:
    with ExitStack() as stack:
        for name in "abcd":
            stack.enter_context(start(append_entries, ledger_url, name, 25))
        ledger = await open_ledger(ledger_url, poll_seconds=0.02)
        async with asyncio.timeout(PATIENCE_SECONDS):
            follower = ledger.follow("process/")
            seen = [await anext(follower) for _ in range(100)]
            await follower.aclose()
    assert [entry.seq for entry in seen] == list(range(1, 101))
    assert Counter(entry.actor for entry in seen) == dict.fromkeys("abcd", 25)
    assert {entry.key for entry in seen} == {f"{name}/{number}" for name in "abcd" for number in range(25)}
    verification = await ledger.verify()
    assert (verification.entries, verification.bodies, verification.problem) == (100, 100, None)
    await ledger.close()


async def test_what_a_killed_process_was_told_is_recorded_is_recorded(ledger_url: str) -> None:
    chance = random.Random(ledger_url)
    told: list[str] = []
    for turn in range(4):
        with start(append_entries, ledger_url, f"turn{turn}", None) as worker:
            for _ in range(chance.randint(1, 40)):
                assert await asyncio.to_thread(worker.pipe.poll, PATIENCE_SECONDS)
                told.append(worker.pipe.recv())
            told += worker.kill()
        ledger = await open_ledger(ledger_url)
        entries = await ledger.read()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert set(told) <= {entry.key for entry in entries}
        verification = await ledger.verify()
        assert verification.problem is None
        await ledger.close()


async def test_budgets_hold_across_processes(ledger_url: str) -> None:
    limit = Decimal(12)
    ledger = await open_ledger(ledger_url)
    with ExitStack() as stack:
        workers = [stack.enter_context(start(spend_money, ledger_url, name, limit)) for name in "abcd"]
        looks = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not all(worker.pipe.poll() for worker in workers):
                spend = await ledger.spend("tenant/default", "month")
                assert spend.settled_usd + spend.held_usd <= limit
                looks += 1
                await asyncio.to_thread(wait, [worker.pipe for worker in workers if not worker.pipe.poll()], 0.02)
        outcomes = sum((Counter(worker.pipe.recv()) for worker in workers), Counter[str]())
    assert looks > 0
    assert outcomes["held"] > 20
    assert outcomes["refused"] > 20
    assert outcomes.total() == 4 * 25 * 3
    spend = await ledger.spend("tenant/default", "month")
    assert spend.held_usd == 0
    assert spend.settled_usd == sum(entry.cost_usd for entry in await ledger.read())
    assert (await ledger.verify()).ok
    await ledger.close()


async def test_the_hold_of_a_killed_process_lapses(ledger_url: str) -> None:
    with start(hold_and_wait, ledger_url, "call_1", Decimal(7)) as worker:
        assert await asyncio.to_thread(worker.pipe.poll, PATIENCE_SECONDS)
        assert worker.pipe.recv() == "held"
        worker.kill()
    ledger = await open_ledger(ledger_url)
    assert (await ledger.spend("tenant/default", "month")).held_usd == 7
    [lost] = await ledger.lapse(utc_now() + timedelta(seconds=1))
    assert (lost.type, lost.cost_usd, lost.data["hold"]) == ("call.lost", Decimal(7), "call_1")
    spend = await ledger.spend("tenant/default", "month")
    assert (spend.settled_usd, spend.held_usd) == (Decimal(7), Decimal(0))
    await ledger.close()


async def test_a_claim_is_held_by_one_process_and_ends_with_it(ledger_url: str) -> None:
    ledger = await open_ledger(ledger_url)
    with start(claim_and_wait, ledger_url) as worker:
        assert await asyncio.to_thread(worker.pipe.poll, PATIENCE_SECONDS)
        assert worker.pipe.recv() == "claimed"
        with pytest.raises(LedgerClaimed, match="Another appliance works with the ledger"):
            await ledger.claim()
        await ledger.append(Draft("keys", "key.created", "operator"))  # others still record what they do
        worker.kill()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await claimed(ledger):  # PostgreSQL takes a moment to see that the session is gone
            await asyncio.sleep(0.01)
    other = await open_ledger(ledger_url)
    assert not await claimed(other)
    await ledger.close()
    assert await claimed(other)
    await other.close()


async def claimed(ledger: SqlLedger) -> bool:
    try:
        await ledger.claim()
    except LedgerClaimed:
        return False
    return True
