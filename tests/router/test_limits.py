"""Slots: who goes first, who gives way, and that no slot is ever lost."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.protocol import Priority
from router.limits import Slots


class Visitors:
    """Requests that hold a slot until they are told to leave; `entered` has their names in order."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.entered: list[str] = []
        self.leaving: dict[str, asyncio.Event] = {}

    def come(
        self, name: str, priority: Priority, deadline: float | None = None, tenant: str = ""
    ) -> asyncio.Task[None]:
        self.leaving[name] = asyncio.Event()
        return asyncio.create_task(self._visit(name, priority, deadline, tenant))

    async def _visit(self, name: str, priority: Priority, deadline: float | None, tenant: str) -> None:
        async with self._slots.slot(deadline, priority, tenant):
            self.entered.append(name)
            await self.leaving[name].wait()

    async def leave(self, name: str) -> None:
        self.leaving[name].set()
        await settled()


async def settled() -> None:
    """Let everybody do what can be done without waiting."""
    for _ in range(5):
        await asyncio.sleep(0)


def counts(slots: Slots) -> tuple[int, int]:
    return slots.running, slots.waiting


async def test_interactive_goes_first_and_each_in_its_order() -> None:
    slots = Slots("m", 1, 9)
    visitors = Visitors(slots)
    names = ["first", "batch 1", "batch 2", "interactive 1", "interactive 2"]
    tasks = []
    for name in names:
        tasks.append(visitors.come(name, "batch" if name.startswith("batch") else "interactive"))
        await settled()
    assert counts(slots) == (1, 4)
    for name in ("first", "interactive 1", "interactive 2", "batch 1", "batch 2"):
        assert visitors.entered[-1] == name
        await visitors.leave(name)
    await asyncio.gather(*tasks)
    assert counts(slots) == (0, 0)


async def test_in_a_full_queue_the_newest_batch_request_gives_way() -> None:
    slots = Slots("m", 1, 2)
    visitors = Visitors(slots)
    batch = [visitors.come(f"batch {number}", "batch") for number in range(3)]
    await settled()
    with pytest.raises(EngineUnavailable, match="All slots of m are busy and 2 requests wait"):
        await visitors.come("batch 3", "batch")
    interactive = []
    for number, refused in enumerate((batch[2], batch[1])):
        interactive.append(visitors.come(f"interactive {number}", "interactive"))
        await settled()
        assert refused.done()
        with pytest.raises(EngineUnavailable, match="took this one's place") as caught:
            await refused
        assert caught.value.retry_after_seconds
        assert counts(slots) == (1, 2)
    with pytest.raises(EngineUnavailable, match="busy"):  # nobody is left to give way
        await visitors.come("interactive 2", "interactive")
    for name in ("batch 0", "interactive 0", "interactive 1"):
        await visitors.leave(name)
    await asyncio.gather(batch[0], *interactive)
    assert counts(slots) == (0, 0)


async def test_without_a_queue_nobody_waits() -> None:
    slots = Slots("m", 1, 0)
    visitors = Visitors(slots)
    held = visitors.come("first", "batch")
    await settled()
    with pytest.raises(EngineUnavailable, match="busy"):
        await visitors.come("second", "interactive")
    await visitors.leave("first")
    await held


@pytest.mark.parametrize("priority", ["interactive", "batch"])
async def test_who_is_cancelled_while_waiting_leaves_the_queue(priority: Priority) -> None:
    slots = Slots("m", 1, 1)
    visitors = Visitors(slots)
    first, second = visitors.come("first", "batch"), visitors.come("second", priority)
    await settled()
    second.cancel()
    assert counts(slots) == (1, 0)  # at once, though it did not run yet
    third = visitors.come("third", priority)
    await settled()
    await visitors.leave("first")
    assert visitors.entered == ["first", "third"]
    await visitors.leave("third")
    await asyncio.gather(first, third)
    assert second.cancelled()


async def test_a_slot_is_not_handed_to_who_was_cancelled_a_moment_ago() -> None:
    slots = Slots("m", 1, 9)
    visitors = Visitors(slots)
    tasks = [visitors.come(name, "interactive") for name in ("first", "second", "third")]
    await settled()
    tasks[1].cancel()  # it runs again only after the slot is free
    visitors.leaving["first"].set()
    await settled()
    assert visitors.entered == ["first", "third"]
    await visitors.leave("third")
    assert counts(slots) == (0, 0)


async def test_a_slot_handed_over_in_the_moment_of_a_cancellation_goes_on_to_the_next() -> None:
    slots = Slots("m", 1, 9)
    await slots._enter(None, "batch", "")
    visitors = Visitors(slots)
    second, third = visitors.come("second", "interactive"), visitors.come("third", "batch")
    await settled()
    slots._leave("batch")  # the second has the slot now, but did not run yet
    assert counts(slots) == (1, 1)
    second.cancel()
    await settled()
    assert (second.cancelled(), visitors.entered, counts(slots)) == (True, ["third"], (1, 0))
    await visitors.leave("third")
    await third
    assert counts(slots) == (0, 0)


async def test_who_gives_way_in_the_moment_of_a_cancellation_takes_no_slot_with_it() -> None:
    slots = Slots("m", 1, 1)
    visitors = Visitors(slots)
    first, second = visitors.come("first", "batch"), visitors.come("second", "batch")
    await settled()
    third = visitors.come("third", "interactive")
    await asyncio.sleep(0)  # the second has been refused, but did not run yet
    second.cancel()
    await settled()
    assert (second.cancelled(), counts(slots)) == (True, (1, 1))
    for name in ("first", "third"):
        await visitors.leave(name)
    await asyncio.gather(first, third)
    assert counts(slots) == (0, 0)


async def test_a_deadline_ends_the_waiting() -> None:
    slots = Slots("m", 1, 9)
    visitors = Visitors(slots)
    first = visitors.come("first", "interactive")
    for deadline in (time.time() - 1, time.time() + 0.02):
        with pytest.raises(DeadlineExceeded):
            await visitors.come("late", "interactive", deadline)
        assert counts(slots) == (1, 0)
    await visitors.leave("first")
    await first
    assert counts(slots) == (0, 0)


async def test_a_slot_handed_over_in_the_moment_of_a_deadline_goes_on_to_the_next() -> None:
    slots, loop = Slots("m", 1, 9), asyncio.get_running_loop()
    await slots._enter(None, "interactive", "")
    visitors = Visitors(slots)
    start = loop.time()
    late, third = visitors.come("late", "batch", time.time() + 0.04), visitors.come("third", "batch")
    await settled()
    loop.call_at(start + 0.02, slots._leave, "interactive")
    while loop.time() < start + 0.08:  # both timers run out before the loop looks again
        pass
    with pytest.raises(DeadlineExceeded):
        await late
    await settled()
    assert (visitors.entered, counts(slots)) == (["third"], (1, 0))
    await visitors.leave("third")
    await third
    assert counts(slots) == (0, 0)


async def test_nobody_comes_between_a_free_slot_and_who_waited_for_it() -> None:
    slots = Slots("m", 1, 9)
    visitors = Visitors(slots)
    tasks = [visitors.come("first", "interactive"), visitors.come("patient", "interactive")]
    await settled()
    visitors.leaving["first"].set()
    while slots.waiting:
        await asyncio.sleep(0)
    tasks.append(visitors.come("newcomer", "interactive"))
    await settled()
    assert visitors.entered == ["first", "patient"]
    await visitors.leave("patient")
    await visitors.leave("newcomer")
    await asyncio.gather(*tasks)


async def test_where_the_engine_preempts_batch_is_in_nobodys_way() -> None:
    slots = Slots("m", 2, 9, preempts=True)
    visitors = Visitors(slots)
    names = ["batch 1", "batch 2", "batch 3", "interactive 1", "interactive 2", "interactive 3"]
    tasks = [visitors.come(name, "batch" if name.startswith("batch") else "interactive") for name in names]
    await settled()
    assert visitors.entered == ["batch 1", "batch 2", "interactive 1", "interactive 2"]
    await visitors.leave("batch 1")
    assert visitors.entered[4:] == []  # neither: two interactive ones are enough for them, and three in all for batch
    await visitors.leave("interactive 1")
    assert visitors.entered[4:] == ["interactive 3"]
    for name in ("batch 2", "interactive 2"):
        await visitors.leave(name)
    assert visitors.entered[5:] == ["batch 3"]
    for name in ("batch 3", "interactive 3"):
        await visitors.leave(name)
    await asyncio.gather(*tasks)
    assert counts(slots) == (0, 0)


PRIORITIES: st.SearchStrategy[Priority] = st.sampled_from(["interactive", "batch"])
TENANTS = ("ann", "bob", "cid")
STEPS = st.one_of(
    st.tuples(st.just("come"), PRIORITIES),
    st.tuples(st.sampled_from(["leave", "cancel"]), st.integers(0, 30)),
    st.tuples(st.just("run"), st.none()),
)


@settings(deadline=None)
@given(steps=st.lists(STEPS, max_size=60), preempts=st.booleans())
def test_whatever_happens_no_slot_is_lost_and_none_too_many_given(
    steps: list[tuple[str, Priority | int | None]], preempts: bool
) -> None:
    asyncio.run(_whatever(steps, preempts))


async def _whatever(steps: list[tuple[str, Priority | int | None]], preempts: bool) -> None:
    slots = Slots("m", 2, 3, preempts=preempts)
    visitors = Visitors(slots)
    tasks: list[asyncio.Task[None]] = []
    for what, which in steps:
        if what == "come":
            priority: Priority = "batch" if which == "batch" else "interactive"
            tenant = TENANTS[len(tasks) % len(TENANTS)]
            tasks.append(visitors.come(str(len(tasks)), priority, tenant=tenant))
        elif what == "run":
            await asyncio.sleep(0)
        elif isinstance(which, int) and which < len(tasks):
            if what == "cancel":
                tasks[which].cancel()
            else:
                visitors.leaving[str(which)].set()
        assert slots.running <= (4 if preempts else 2)
        assert slots.waiting <= 3
        assert slots.running >= 2 or not slots.waiting
    for leaving in visitors.leaving.values():
        leaving.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert counts(slots) == (0, 0)
    async with slots.slot(None, "batch"), slots.slot(None, "batch"):
        assert counts(slots) == (2, 0)
