"""Slots that several tenants want: nobody waits for a flood, nobody fills the queue, and all slots are given."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import EngineUnavailable
from inference.protocol import Priority
from router.limits import Slots
from tests.router.test_fair_queue import SOMEONE, WEIGHTS, Fairness
from tests.router.test_limits import Visitors, settled


class Tenants(Visitors):
    """Visitors whose names begin with their tenant's."""

    def __init__(self, slots: Slots) -> None:
        super().__init__(slots)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def arrive(self, *names: str, priority: Priority = "interactive") -> None:
        for name in names:
            self.tasks[name] = self.come(name, priority, tenant=name[:3])
            await settled()

    @property
    def inside(self) -> list[str]:
        return [name for name in self.entered if not self.leaving[name].is_set()]

    async def order(self) -> list[str]:
        """Who enters from now on, one after the other."""
        before = len(self.entered)
        while self.inside:
            await self.leave(self.inside[0])
        return self.entered[before:]

    async def refusal(self, name: str) -> str:
        """Why it was sent away, which it was."""
        assert self.tasks[name].done()
        with pytest.raises(EngineUnavailable) as refused:
            await self.tasks[name]
        assert refused.value.retry_after_seconds
        return refused.value.message


async def test_one_request_does_not_wait_for_a_flood() -> None:
    tenants = Tenants(Slots("m", 1, 99))
    await tenants.arrive(*(f"ann{number}" for number in range(5)), "bob1")
    assert await tenants.order() == ["bob1", "ann1", "ann2", "ann3", "ann4"]


async def test_a_weight_is_so_many_turns() -> None:
    tenants = Tenants(Slots("m", 1, 99, weights={"ann": 3}))
    await tenants.arrive("cid", *(f"{who}{number}" for number in range(6) for who in ("ann", "bob")))
    entered = await tenants.order()
    assert [sum(name.startswith("ann") for name in entered[:turns]) for turns in (4, 8)] == [3, 6]


async def test_nobody_fills_a_queue_alone() -> None:
    slots = Slots("m", 1, 4)
    tenants = Tenants(slots)
    await tenants.arrive(*(f"ann{number}" for number in range(6)))
    assert "busy and 4 requests wait" in await tenants.refusal("ann5")
    await tenants.arrive("bob1", "bob2")
    for name in ("ann4", "ann3"):
        assert "whose turn is sooner, took this one's place" in await tenants.refusal(name)
    await tenants.arrive("ann6", "bob3")  # each has two now
    assert "busy" in await tenants.refusal("ann6")
    assert "busy" in await tenants.refusal("bob3")
    assert slots.waiting_by_tenant == {"ann": 2, "bob": 2}
    assert slots.turned_away == {"ann": 4, "bob": 1}
    assert await tenants.order() == ["bob1", "ann1", "bob2", "ann2"]
    assert (slots.running, slots.waiting, slots.waiting_by_tenant) == (0, 0, {})


async def test_a_single_place_goes_round() -> None:
    tenants = Tenants(Slots("m", 1, 1))
    await tenants.arrive("ann0", "ann1", "bob1", "ann2")
    assert "took this one's place" in await tenants.refusal("ann1")
    assert "busy" in await tenants.refusal("ann2")
    await tenants.leave("ann0")
    await tenants.arrive("bob2", "ann3")  # each has had one turn, so who was there first stays
    assert "busy" in await tenants.refusal("ann3")
    await tenants.leave("bob1")
    await tenants.arrive("bob3", "ann4")
    assert "took this one's place" in await tenants.refusal("bob3")
    assert await tenants.order() == ["ann4"]


async def test_of_batch_requests_the_largest_tenants_newest_gives_way() -> None:
    tenants = Tenants(Slots("m", 1, 4))
    await tenants.arrive("cid0", "ann1", "ann2", "ann3", "bob1", priority="batch")
    await tenants.arrive("bob2")
    assert "An interactive request took this one's place" in await tenants.refusal("ann3")
    await tenants.arrive("cid1", priority="batch")
    assert "whose turn is sooner" in await tenants.refusal("ann2")
    assert await tenants.order() == ["bob2", "ann1", "bob1", "cid1"]


async def test_who_comes_for_batch_takes_no_place_of_an_interactive_request() -> None:
    tenants = Tenants(Slots("m", 1, 2))
    await tenants.arrive("ann0", "ann1", "ann2")
    await tenants.arrive("bob1", priority="batch")
    assert "busy" in await tenants.refusal("bob1")
    assert await tenants.order() == ["ann1", "ann2"]


async def test_who_gives_way_in_the_moment_of_a_cancellation_takes_nobody_along() -> None:
    slots = Slots("m", 1, 2)
    tenants = Tenants(slots)
    await tenants.arrive("ann0", "ann1", "ann2")
    tenants.tasks["bob1"] = tenants.come("bob1", "interactive", tenant="bob")
    await asyncio.sleep(0)  # ann2 has been refused, but did not run yet
    tenants.tasks["ann2"].cancel()
    await settled()
    assert (tenants.tasks["ann2"].cancelled(), slots.waiting_by_tenant) == (True, {"ann": 1, "bob": 1})
    assert await tenants.order() == ["bob1", "ann1"]


STEPS = st.one_of(st.tuples(st.just("come"), SOMEONE), st.tuples(st.just("leave"), st.integers(0, 2)))


@settings(deadline=None, max_examples=30)
@given(weights=WEIGHTS, steps=st.lists(STEPS, min_size=20, max_size=60))
def test_whoever_comes_and_leaves_slots_are_given_by_weight(
    weights: dict[str, float], steps: list[tuple[str, str | int]]
) -> None:
    asyncio.run(_whoever(weights, steps))


async def _whoever(weights: dict[str, float], steps: list[tuple[str, str | int]]) -> None:
    slots, fairness = Slots("m", 3, 8, weights=weights), Fairness(weights)
    tenants, seen = Tenants(slots), 0
    for number, (what, which) in enumerate(steps):
        waited = {*slots.waiting_by_tenant}
        if what == "come":
            await tenants.arrive(f"{which}{number}")
        elif isinstance(which, int) and which < len(tenants.inside):
            await tenants.leave(tenants.inside[which])
        assert slots.running == len(tenants.inside) <= 3
        assert slots.waiting <= 8
        assert slots.running == 3 or not slots.waiting
        for name in tenants.entered[seen:]:
            if waited:  # only then it was a turn, and not a slot that nobody else wanted
                fairness.turn(name[:3])
        seen = len(tenants.entered)
        fairness.now_wait(slots.waiting_by_tenant)
    await tenants.order()
    await asyncio.gather(*tenants.tasks.values(), return_exceptions=True)
    assert (slots.running, slots.waiting) == (0, 0)
