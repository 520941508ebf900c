"""Quantiles of a stream and shares with their intervals, against what is known of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.evaluation.proportion import Proportion
from router.evaluation.sketch import Sketch


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_within_one_percent_of_the_value_at_its_rank(values: list[float], share: float) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]
    assert sketch.quantile(share) == pytest.approx(exact, rel=0.0101)


def test_nothing_has_no_quantile_and_no_share() -> None:
    assert (Sketch().quantile(0.5), Proportion().share, Proportion().interval) == (None, None, None)


@pytest.mark.parametrize(
    ("of", "count", "low", "high"),
    [(10, 9, 0.5958, 0.9821), (10, 10, 0.7225, 1.0), (10, 0, 0.0, 0.2775), (1000, 500, 0.4691, 0.5309)],
)
def test_the_interval_is_wilsons(of: int, count: int, low: float, high: float) -> None:
    """The figures of statsmodels.stats.proportion.proportion_confint(count, of, method="wilson")."""
    assert Proportion(of, count).interval == pytest.approx((low, high), abs=1e-4)
