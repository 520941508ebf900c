"""Turns by weight: every tenant has its share, nobody's items change their order, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.fair_queue import FairQueue

TENANTS = ("ann", "bob", "cid")
WEIGHTS = st.fixed_dictionaries({tenant: st.floats(0.2, 5) for tenant in TENANTS})
SOMEONE = st.sampled_from(TENANTS)
NEVER = (0.0, 0.0, 0.0)
"""How far apart services are, and were at least and most, before any time in which both wait."""


class Fairness:
    """Watches turns, and for each two tenants how far their services go apart in each time in which both wait."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        pairs = [(one, other) for one in weights for other in weights if one < other]
        self._apart = dict.fromkeys(pairs, NEVER)

    def turn(self, whose: str) -> None:
        for (one, other), (now, least, most) in self._apart.items():
            now += (whose == one) / self._weights[one] - (whose == other) / self._weights[other]
            least, most = min(least, now), max(most, now)
            bound = 1 / self._weights[one] + 1 / self._weights[other]
            assert most - least <= bound * (1 + 1e-9), "one of them had more than its share"
            self._apart[one, other] = now, least, most

    def now_wait(self, tenants: Collection[str]) -> None:
        for pair in self._apart:
            if not {*pair} <= {*tenants}:
                self._apart[pair] = NEVER


def order(queue: FairQueue[str]) -> str:
    return " ".join(queue.pop() for _ in range(len(queue)))


def filled(waiting: Mapping[str, int], weights: Mapping[str, float] | None = None) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue(weights or {})
    for tenant, number in waiting.items():
        for item in range(1, number + 1):
            queue.add(tenant, f"{tenant[0]}{item}")
    return queue


@pytest.mark.parametrize(
    ("waiting", "weights", "expected"),
    [
        ({"ann": 3}, {}, "a1 a2 a3"),
        ({"ann": 4, "bob": 1}, {}, "a1 b1 a2 a3 a4"),
        ({"ann": 2, "bob": 2, "cid": 2}, {}, "a1 b1 c1 a2 b2 c2"),
        ({"ann": 2, "bob": 4}, {"bob": 2}, "a1 b1 b2 a2 b3 b4"),
        ({"ann": 5, "bob": 1}, {"bob": 0.25}, "a1 b1 a2 a3 a4 a5"),
    ],
)
def test_tenants_take_turns_by_weight(waiting: dict[str, int], weights: dict[str, float], expected: str) -> None:
    assert order(filled(waiting, weights)) == expected


def test_who_comes_later_has_saved_up_nothing() -> None:
    queue = filled({"ann": 6})
    assert [queue.pop() for _ in range(4)] == ["a1", "a2", "a3", "a4"]
    for item in ("b1", "b2", "b3"):
        queue.add("bob", item)
    assert order(queue) == "b1 a5 b2 a6 b3"


def test_who_leaves_and_comes_back_has_no_turn_sooner() -> None:
    queue = filled({"ann": 1, "bob": 2})
    assert queue.pop() == "a1"
    queue.add("ann", "a2")
    queue.discard("ann", "a2")
    queue.add("ann", "a3")
    assert order(queue) == "b1 b2 a3"


def test_a_turn_without_waiting_counts() -> None:
    queue: FairQueue[str] = FairQueue({})
    queue.take_turn("ann")
    queue.add("ann", "a1")
    queue.add("bob", "b1")
    assert order(queue) == "b1 a1"


def test_the_last_is_the_newest_of_who_has_most_for_its_weight() -> None:
    queue = filled({"ann": 4, "bob": 3, "cid": 1}, {"ann": 2})
    assert [queue.pop_last() for _ in range(4)] == [("bob", "b3"), ("ann", "a4"), ("ann", "a3"), ("bob", "b2")]
    assert not queue.is_before_last("cid")
    assert queue.counts() == {"ann": 2, "bob": 1, "cid": 1}


def test_nobody_comes_before_the_last_of_nobody() -> None:
    assert not FairQueue[str]({}).is_before_last("ann")


STEPS = st.one_of(
    st.tuples(st.sampled_from(["add", "come", "turn"]), SOMEONE),
    st.tuples(st.sampled_from(["pop", "pop", "pop", "pop last"]), st.none()),
    st.tuples(st.just("discard"), st.integers(0, 20)),
)


@settings(deadline=None, max_examples=50)
@given(weights=WEIGHTS, steps=st.lists(STEPS, min_size=30, max_size=80))
def test_whatever_comes_and_goes_each_has_its_share(
    weights: dict[str, float], steps: list[tuple[str, str | int | None]]
) -> None:
    run = Run(weights)
    for what, which in steps:
        if isinstance(which, str):
            run.comes(what, which)
        elif isinstance(which, int):
            run.discards(which)
        elif run.waiting:
            run.goes(what)
        run.compare()


class Run:
    """A queue beside a plain list of what waits in it, in the order in which it came."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.queue: FairQueue[int] = FairQueue(weights)
        self.waiting: list[tuple[str, int]] = []
        self._weights = weights
        self._fairness = Fairness(weights)
        self._numbers = count()

    def comes(self, what: str, tenant: str) -> None:
        """Something of a tenant: in full queues in the place of the last, or with a turn at once if nothing waits."""
        if what == "turn":
            if not self.waiting:
                self.queue.take_turn(tenant)
            return
        if what == "come":
            before_last = self.queue.is_before_last(tenant)
            self.compare_with_shares(tenant, before_last=before_last)
            if not before_last:
                return
            given_way = self.goes("pop last")
            assert given_way != tenant
            self._add(tenant)
            assert not self.queue.is_before_last(given_way)  # nobody takes a place back
            return
        for _ in range(3):
            self._add(tenant)

    def goes(self, what: str) -> str:
        if what == "pop last":
            tenant, item = self.queue.pop_last()
            assert item == self._of(tenant)[-1]
        else:
            item = self.queue.pop()
            (tenant,) = (tenant for tenant, waits in self.waiting if waits == item)
            assert item == self._of(tenant)[0]
            self._fairness.turn(tenant)
        self.waiting.remove((tenant, item))
        return tenant

    def discards(self, which: int) -> None:
        if which < len(self.waiting):
            self.queue.discard(*self.waiting.pop(which))
        self.queue.discard("ann", -1)  # what does not wait

    def compare(self) -> None:
        counts = Counter(tenant for tenant, _ in self.waiting)
        assert self.queue.counts() == counts
        assert len(self.queue) == len(self.waiting)
        self._fairness.now_wait(counts)

    def compare_with_shares(self, tenant: str, *, before_last: bool) -> None:
        """Up to a turn of each: who has less than another for its weight comes before its last one, and only then."""
        own = len(self._of(tenant)) / self._weights[tenant]
        turn = 1 / self._weights[tenant]
        weights = {other: weight for other, weight in self._weights.items() if other != tenant}
        others = [(len(self._of(other)) / weight, 1 / weight) for other, weight in weights.items()]
        if any(own + turn < (has - its_turn) * (1 - 1e-9) for has, its_turn in others):
            assert before_last
        if all(own >= has * (1 + 1e-9) for has, _ in others):
            assert not before_last

    def _add(self, tenant: str) -> None:
        self.waiting.append((tenant, next(self._numbers)))
        self.queue.add(*self.waiting[-1])

    def _of(self, tenant: str) -> list[int]:
        return [item for whose, item in self.waiting if whose == tenant]
