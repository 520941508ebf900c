"""Leases of replicas: who gets one, who waits, who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inference.cluster.messages import Replica
from inference.cluster.pool import Able, Pool
from inference.errors import EngineUnavailable
from inference.protocol import Priority


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def replica(name: str, **more: object) -> Replica:
    return Replica.model_validate({"model": "m", "id": name, "url": f"http://{name}", "ready": True} | more)


def pool_of(*replicas: Replica, concurrency: int = 2) -> tuple[Pool, Clock]:
    clock = Clock()
    pool = Pool("m", concurrency, 30.0, clock)
    pool.update(replicas)
    return pool, clock


@asynccontextmanager
async def asking(
    pool: Pool, priority: Priority = "interactive", able: Able | None = None
) -> AsyncIterator[asyncio.Task[str]]:
    """Somebody who asks for a lease and keeps it until this block ends."""
    done = asyncio.Event()

    async def hold(leased: asyncio.Future[str]) -> None:
        try:
            async with pool.lease(b"head", priority, able) as found:
                leased.set_result(found.id)
                await done.wait()
        except EngineUnavailable as error:
            leased.set_exception(error)

    leased: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(hold(leased))
    await asyncio.sleep(0)
    try:
        yield leased  # type: ignore[misc]
    finally:
        done.set()
        if not leased.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if leased.done() and not leased.cancelled():
            leased.exception()


async def test_a_full_pool_lets_wait_and_interactive_requests_go_first() -> None:
    pool, _ = pool_of(replica("a"), concurrency=1)
    async with asking(pool) as first, asking(pool, "batch") as batch, asking(pool) as interactive:
        assert first.done()
        assert pool.demand == 3
        assert not batch.done()
        assert not interactive.done()
        pool.update([replica("a"), replica("b")])
        await asyncio.sleep(0)
        assert interactive.done()
        assert not batch.done()
    assert pool.demand == 0


async def test_who_leaves_while_waiting_leaves_nothing_behind() -> None:
    pool, _ = pool_of(concurrency=1)
    async with asking(pool):
        assert pool.demand == 1
    assert pool.demand == 0
    pool.update([replica("a")])
    async with asking(pool) as leased:
        assert await leased == "a"


async def test_leaving_in_the_moment_of_the_grant_frees_the_place() -> None:
    pool, _ = pool_of(concurrency=1)

    async def ask() -> None:
        async with pool.lease(b"head", "interactive"):
            raise AssertionError("was cancelled before")

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    pool.update([replica("a")])  # grants
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert pool.demand == 0
    async with asking(pool) as leased:
        assert await leased == "a"


async def test_cold_requests_are_held_and_then_refused_with_the_reason() -> None:
    pool, clock = pool_of(replica("a", ready=False, detail="is loading shards 1/3"))
    async with asking(pool) as waiting:
        clock.now += 29
        pool.expire()
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.now += 2
        pool.expire()
        with pytest.raises(EngineUnavailable, match=r"within 31 seconds \(a: is loading shards 1/3\)") as caught:
            await waiting
        assert caught.value.retry_after_seconds


async def test_busy_replicas_are_waited_for_however_long() -> None:
    pool, clock = pool_of(replica("a"), concurrency=1)
    async with asking(pool), asking(pool) as waiting:
        clock.now += 1000
        pool.expire()
        await asyncio.sleep(0)
        assert not waiting.done()


async def test_replicas_that_leave_are_loading_or_broke_a_connection_get_nothing() -> None:
    pool, clock = pool_of(replica("a", draining=True), replica("b", ready=False), replica("c"), replica("d"))
    assert pool.ready == ["c", "d"]
    pool.doubt("c")
    assert pool.ready == ["d"]
    clock.now += 1
    pool.update([replica("c", age_seconds=2), replica("d")])  # said that before it was doubted
    assert pool.ready == ["d"]
    clock.now += 9
    pool.expire()
    assert pool.ready == ["d"]
    pool.update([replica("c", age_seconds=0.5), replica("d")])
    assert pool.ready == ["c", "d"]
    assert pool.counts() == {"wanted": 0, "ready": 2, "starting": 0, "leaving": 0}


async def test_a_knock_counts_as_one_request_until_the_next_look() -> None:
    pool, _ = pool_of()
    pool.knock()
    pool.knock()
    assert pool.demand == 1
    pool.expire()
    assert pool.demand == 0


async def test_closing_refuses_those_who_wait() -> None:
    pool, _ = pool_of()
    async with asking(pool) as waiting:
        pool.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await waiting
