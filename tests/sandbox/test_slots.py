"""Tenants take turns for slots, the queue is bounded, and no slot is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.protocol import SandboxOverloaded
from sandbox.slots import Slots


class Crowd:
    """Commands that hold a slot until they are let go; `served` is the order in which they got one."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.served: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, *names: str) -> None:
        """A command each; the letters of its name are its tenant."""
        for name in names:
            self.gates[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name))
            await asyncio.sleep(0)

    async def goes(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()
            await self.tasks[name]
            await asyncio.sleep(0)

    async def _hold(self, name: str) -> None:
        async with self.slots.held(name.rstrip("0123456789")):
            self.served.append(name)
            await self.gates[name].wait()


@asynccontextmanager
async def crowd(slots: int, most_waiting: int = 100, seconds: float = 30.0) -> AsyncIterator[Crowd]:
    made = Crowd(Slots(slots, most_waiting, seconds))
    try:
        yield made
    finally:
        for gate in made.gates.values():
            gate.set()
        await asyncio.gather(*made.tasks.values(), return_exceptions=True)
    async with asyncio.timeout(1):  # all slots are there again
        async with made.slots.held("") as first:
            assert 0 <= first < slots
    assert made.slots.waiting() == 0


async def test_tenants_take_turns_and_keep_their_own_order() -> None:
    async with crowd(1) as many:
        await many.comes("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        for name in ("a1", "a2", "b1", "c1", "a3", "b2"):
            await many.goes(name)
        assert many.served == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_who_floods_the_queue_gives_way() -> None:
    async with crowd(1, most_waiting=3) as many:
        await many.comes("a1", "a2", "a3", "a4", "b1")
        with pytest.raises(SandboxOverloaded, match="3 commands wait for the sandbox already"):
            await many.tasks["a4"]
        await many.comes("a5")
        with pytest.raises(SandboxOverloaded):
            await many.tasks["a5"]
        await many.goes("a1", "a2", "b1")
        assert many.served == ["a1", "a2", "b1", "a3"]


async def test_nobody_waits_where_no_queue_is_allowed() -> None:
    async with crowd(1, most_waiting=0) as many:
        await many.comes("a1", "b1")
        with pytest.raises(SandboxOverloaded):
            await many.tasks["b1"]


async def test_a_wait_ends_in_time() -> None:
    async with crowd(1, seconds=0.01) as many:
        await many.comes("a1", "b1")
        with pytest.raises(SandboxOverloaded, match=r"All 1 sandbox slots were busy for 0\.01 s"):
            await many.tasks["b1"]
        await many.comes("c1")
        await many.goes("a1", "c1")


async def test_a_slot_that_comes_to_one_who_is_leaving_goes_on_to_the_next() -> None:
    async with crowd(1) as many:
        async with many.slots.held("a"):
            await many.comes("b1", "c1")
        many.tasks["b1"].cancel()  # the slot is its own already, and it has not run since
        await asyncio.gather(many.tasks["b1"], return_exceptions=True)
        await asyncio.sleep(0)
        assert many.served == ["c1"]


STEP = st.tuples(st.sampled_from(["come", "go", "cancel"]), st.sampled_from("abc"), st.integers(0, 20))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=60), st.integers(1, 3), st.integers(0, 6))
def test_whatever_happens_no_slot_is_lost_or_held_twice(
    steps: list[tuple[str, str, int]], slots: int, most_waiting: int
) -> None:
    async def work() -> None:
        async with crowd(slots, most_waiting) as many:
            for number, (step, tenant, which) in enumerate(steps):
                names = list(many.tasks)
                if step == "come":
                    await many.comes(f"{tenant}{number}")
                elif names and step == "go":
                    many.gates[names[which % len(names)]].set()
                elif names:
                    many.tasks[names[which % len(names)]].cancel()
                if which % 3:
                    await asyncio.sleep(0)
                assert many.slots.waiting() <= most_waiting
                holding = [name for name in many.served if not many.tasks[name].done()]
                assert len(holding) <= slots + sum(many.gates[name].is_set() for name in holding)

    asyncio.run(work())
