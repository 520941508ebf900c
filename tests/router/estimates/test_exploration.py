"""Exploration never leaves what is feasible, and its propensities are what happens."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.estimates.exploration import explore

FEASIBLE = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)
DRAWS = 2000


@example(["a", "b", "c"], 1.0, 0.9999999999999999)
@given(FEASIBLE, st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_it_stays_among_the_feasible(feasible: list[str], share: float, draw: float) -> None:
    asked = explore(feasible, feasible[0], share, draw)
    assert asked.model in feasible
    assert 0 < asked.propensity <= 1 + 1e-9
    assert asked.explored == (asked.model != feasible[0])


@given(FEASIBLE, st.floats(0, 1))
def test_a_model_is_asked_as_often_as_its_propensity_says(feasible: list[str], share: float) -> None:
    asked = [explore(feasible, feasible[-1], share, (number + 0.5) / DRAWS) for number in range(DRAWS)]
    for model in {each.model for each in asked}:
        of_it = [each for each in asked if each.model == model]
        assert len(of_it) / DRAWS == pytest.approx(of_it[0].propensity, abs=0.002)


def test_without_a_share_the_best_is_asked() -> None:
    assert explore(["a", "b"], "b", 0.0, 0.0) == explore(["b"], "b", 0.0, 0.99)
    with pytest.raises(ValueError, match="c may not answer; feasible: a, b"):
        explore(["a", "b"], "c", 0.5, 0.1)
