"""The mix: it leans on the part that knows, and calibration takes back what was said too surely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.estimates import mix
from router.estimates.mix import Doubles, Mix, fit, log_loss, logit, sigmoid


def drawn(count: int, seed: int) -> tuple[Doubles, Doubles]:
    """Parts (the truth with doubled log odds, noise, the mean), and what happened."""
    source = np.random.default_rng(seed)
    odds = source.normal(0.5, 1.2, count)
    passed = (source.random(count) < sigmoid(odds)).astype(np.float64)
    parts = np.stack((sigmoid(2 * odds), sigmoid(source.normal(0, 1, count)), np.full(count, 0.6)), axis=1)
    return parts, passed


def parts_of(likely: Doubles) -> Doubles:
    """Three parts that all say the same."""
    return np.stack((likely, likely, likely), axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_takes_back_what_was_said_too_surely(seed: int) -> None:
    parts, passed = drawn(400, seed)
    mixed = fit(parts, passed, np.ones(len(passed)))
    parts, passed = drawn(4000, 100 + seed)
    calibrated, raw = mixed.probability(parts), sigmoid(mixed.raw(parts))
    weights = np.ones(len(passed))
    assert log_loss(calibrated, passed, weights) < log_loss(raw, passed, weights) + 5e-4
    overconfident = sigmoid(2 * mixed.raw(parts))
    recalibrated = fit(parts_of(overconfident), passed, weights).probability(parts_of(overconfident))
    assert log_loss(recalibrated, passed, weights) < log_loss(overconfident, passed, weights) - 5e-3
    assert abs(calibrated.mean() - passed.mean()) < 0.05


def test_it_leans_on_the_part_that_knows() -> None:
    parts, passed = drawn(2000, 1)
    knowing, noise, _ = fit(parts, passed, np.ones(len(passed))).weights
    assert knowing > 0.4
    assert noise <= 0.1


def test_what_weighs_nothing_changes_nothing() -> None:
    parts, passed = drawn(300, 2)
    both, happened = np.concatenate((parts, parts)), np.concatenate((passed, 1 - passed))
    weights = np.concatenate((np.ones(300), np.zeros(300)))
    assert fit(both, happened, weights).weights == fit(parts, passed, np.ones(300)).weights


def test_of_few_outcomes_calibration_learns_little() -> None:
    parts, passed = drawn(4, 3)
    mixed = fit(parts, passed, np.ones(4))
    assert abs(mixed.slope - 1) < 0.6
    assert abs(mixed.shift) < 0.6


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_weights_sum_to_one_and_probabilities_are_some(rows: list[tuple[float, ...]], source: object) -> None:
    parts = np.array(rows)
    passed = np.array([source.random() < 0.5 for _ in rows], dtype=np.float64)  # type: ignore[attr-defined]
    mixed = fit(parts, passed, np.ones(len(rows)))
    assert sum(mixed.weights) == pytest.approx(1)
    assert min(mixed.weights) >= 0
    likely = mixed.probability(parts)
    assert np.all((likely > 0) & (likely < 1))


@given(st.floats(0.001, 0.999))
def test_log_odds_and_back(share: float) -> None:
    assert sigmoid(logit(np.array(share))) == pytest.approx(share)
    assert Mix((0.2, 0.3, 0.5)).probability(np.array([share] * 3)) == pytest.approx(share)


def test_certainty_is_bounded() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    assert mix.log_loss(np.array([0.0]), np.array([1.0]), np.ones(1)) < 10
