"""One timer for all waits of a stream."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

import pytest

from inference.wire.patience import Patience


async def test_a_wait_that_takes_too_long_ends_in_time() -> None:
    with closing(Patience()) as patience:
        for _ in range(5):
            with patience.at_most(0.2):
                await asyncio.sleep(0.05)
        started = time.monotonic()
        with pytest.raises(TimeoutError), patience.at_most(0.2):
            await asyncio.sleep(60)
        assert 0.19 < time.monotonic() - started < 5
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        with patience.at_most(0.2):  # and it can be used on
            await asyncio.sleep(0.01)


async def test_time_between_waits_does_not_count() -> None:
    with closing(Patience()) as patience:
        for _ in range(3):
            with patience.at_most(0.1):
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError), patience.at_most(0.1):
            await asyncio.sleep(60)


async def test_a_shorter_limit_holds_though_the_timer_was_set_for_a_longer_one() -> None:
    with closing(Patience()) as patience:
        with patience.at_most(60):
            await asyncio.sleep(0)
        started = time.monotonic()
        with pytest.raises(TimeoutError), patience.at_most(0.1):
            await asyncio.sleep(60)
        assert time.monotonic() - started < 5


async def test_who_cancels_meanwhile_is_obeyed() -> None:
    async def work() -> None:
        with closing(Patience()) as patience, patience.at_most(0.05):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)  # long enough for a second one
                raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_work_pass_and_tasks_may_take_turns() -> None:
    async def wait(seconds: float) -> None:
        with patience.at_most(0.1):
            await asyncio.sleep(seconds)

    with closing(Patience()) as patience:
        await asyncio.create_task(wait(0.01))
        with pytest.raises(KeyError), patience.at_most(0.1):
            raise KeyError
        with pytest.raises(TimeoutError):
            await asyncio.create_task(wait(60))
