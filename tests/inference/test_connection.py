"""Work for a client that may leave: it ends with the client, and every other ending stays what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from inference.wire.connection import ClientGone, while_connected


def leaving(seconds: float) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        await asyncio.sleep(seconds)
        return {"type": "http.disconnect"}

    return receive


async def test_the_result_and_the_errors_of_the_work_pass() -> None:
    async def broken() -> None:
        raise KeyError("work")

    assert await while_connected(leaving(60), asyncio.sleep(0, "done")) == "done"
    with pytest.raises(KeyError):
        await while_connected(leaving(60), broken())
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nobody waits for the client any more


async def test_a_client_that_leaves_cancels_the_work_and_nothing_else() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.set()

    with pytest.raises(ClientGone):
        await while_connected(leaving(0.01), work())
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    await asyncio.sleep(0)  # and it can be waited on


async def test_a_cancellation_from_outside_stays_one_also_when_the_client_leaves_too() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)  # long enough for both

    for leaves_after in (60, 0.02):
        task = asyncio.create_task(while_connected(leaving(leaves_after), work()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_that_the_work_makes_of_its_cancellation_passes() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise KeyError("while ending") from None

    with pytest.raises(KeyError):
        await while_connected(leaving(0.01), work())
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


async def test_a_time_limit_around_it_keeps_working() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await while_connected(leaving(60), asyncio.sleep(60))
