"""How many replicas a model is to have."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cluster.scaling import Scaling
from inference.placement import Replicas


def scaling(**keys: float) -> Scaling:
    return Scaling(
        Replicas.model_validate({"min": 0, "max": 4, "in_flight": 2, "scale_down_delay_seconds": 10} | keys), 4
    )


def test_more_at_once_fewer_only_after_the_delay() -> None:
    model = scaling()
    assert [model.wanted(load, now) for now, load in enumerate([0, 1, 2, 3, 7, 100])] == [0, 1, 1, 2, 4, 4]
    assert model.wanted(0, 14.9) == 4
    assert model.wanted(3, 15.1) == 2
    assert model.wanted(0, 25.2) == 0


def test_a_short_pause_changes_nothing() -> None:
    model = scaling()
    for now in range(100):
        assert model.wanted(4 if now % 9 == 0 else 0, now) == 2


def test_replicas_that_are_there_at_the_start_stay_for_the_delay() -> None:
    model = scaling()
    model.begin(3, now=0)
    assert model.wanted(0, 9) == 3
    assert model.wanted(0, 11) == 0


def test_unset_a_replica_is_for_three_quarters_of_what_it_answers_at_once() -> None:
    model = Scaling(Replicas(min=1, max=9), concurrency=4)
    assert [model.wanted(load, 0) for load in (0, 3, 4, 6, 7)] == [1, 1, 2, 2, 3]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40)), max_size=60), st.integers(0, 3), st.integers(3, 6))
def test_never_outside_the_bounds_and_never_less_than_is_needed_now(
    steps: list[tuple[float, int]], least: int, most: int
) -> None:
    model, now = scaling(min=least, max=most), 0.0
    for pause, load in steps:
        now += pause
        wanted = model.wanted(load, now)
        assert least <= wanted <= most
        assert wanted >= min(most, math.ceil(load / 2))


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(ValueError, match=r"replicas.min is 3 and more than replicas.max, 1"):
        Replicas(min=3)
