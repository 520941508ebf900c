"""Bounds on a rate that may be looked at after every observation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from router.versions.bounds import lower_bound, upper_bound

ALPHA = 0.05


@pytest.mark.parametrize(
    ("seen", "bad"), [(0, 0), (1, 0), (1, 1), (10, 3), (5000, 1), (5000, 4999), (1_000_000, 20_000)]
)
def test_bounds_are_around_the_share(seen: int, bad: int) -> None:
    low, high = lower_bound(seen, bad, ALPHA), upper_bound(seen, bad, ALPHA)
    assert 0.0 <= low <= high <= 1.0
    if seen:
        assert low <= bad / seen <= high


def test_nothing_seen_bounds_nothing() -> None:
    assert (lower_bound(0, 0, ALPHA), upper_bound(0, 0, ALPHA)) == (0.0, 1.0)


def test_bounds_come_closer_with_more_observations_and_wider_with_more_confidence() -> None:
    widths = [upper_bound(n, n // 20, ALPHA) - lower_bound(n, n // 20, ALPHA) for n in (20, 200, 2_000, 20_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.013
    assert lower_bound(200, 20, 0.001) < lower_bound(200, 20, 0.01) < lower_bound(200, 20, 0.1)


def test_what_never_happens_is_bounded_nearly_as_well_as_can_be() -> None:
    """Whoever sees n good ones can exclude no rate below log(1 / alpha) / n; looking always costs a factor."""
    best = math.log(1 / ALPHA) / 1000
    assert best < upper_bound(1000, 0, ALPHA) < 2.2 * best


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3, 0.9])
def test_looking_after_every_observation_is_wrong_no_more_often_than_promised(rate: float) -> None:
    """The evidence against the true rate ever crosses 1 / alpha in a share of at most alpha of all runs."""
    random = np.random.default_rng(7)
    runs, length = 400, 3_000
    wrong_low = wrong_high = 0
    for _ in range(runs):
        bad = np.cumsum(random.random(length) < rate)
        wrong_low += _ever_above(bad, rate)
        wrong_high += _ever_above(np.arange(1, length + 1) - bad, 1 - rate)
    # Three standard deviations of a share that is just alpha.
    most = runs * ALPHA + 3 * math.sqrt(runs * ALPHA * (1 - ALPHA))
    assert wrong_low <= most
    assert wrong_high <= most


def test_a_rate_that_drifts_is_bounded_in_its_average() -> None:
    """Bursts: a tenth of the time nearly everything is bad. The bound is on the average so far, and still holds."""
    random = np.random.default_rng(11)
    runs, length = 300, 2_000
    rates = np.where(np.arange(length) % 500 < 50, 0.9, 0.01)
    average = np.cumsum(rates) / np.arange(1, length + 1)
    wrong = sum(_ever_above(np.cumsum(random.random(length) < rates), average) for _ in range(runs))
    assert wrong <= runs * ALPHA + 3 * math.sqrt(runs * ALPHA)


def _ever_above(bad: np.ndarray, rate: float | np.ndarray) -> bool:
    """Whether the lower bound is ever above the true rate: the same as the evidence crossing, and much faster."""
    from router.versions.bounds import _SHIFTS

    seen = np.arange(1, len(bad) + 1)
    terms = np.array([shift * bad - seen * np.log1p(rate * math.expm1(shift)) for shift in _SHIFTS])
    evidence = np.logaddexp.reduce(terms, axis=0) - math.log(len(_SHIFTS))
    return bool((evidence > math.log(1 / ALPHA)).any())


def test_the_fast_check_of_this_file_is_the_bound() -> None:
    random = np.random.default_rng(3)
    for rate in (0.05, 0.5):
        bad = np.cumsum(random.random(300) < 0.4)
        bounds = [lower_bound(seen, int(so_far), ALPHA) for seen, so_far in enumerate(bad, 1)]
        assert _ever_above(bad, rate) == (max(bounds) > rate)
