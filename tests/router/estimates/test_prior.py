"""The prior: nothing seen says one half, each level leans on the one above, and old outcomes fade."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.estimates.artefact import Artefact
from router.estimates.estimator import Estimator
from router.estimates.history import aged, arranged
from router.estimates.outcome import Context
from router.estimates.prior import Prior
from router.estimates.training import TrainingSpec, train
from tests.router.estimates.made import outcomes

COUNTS = st.floats(0, 1000)
RATES = st.floats(0, 1)


def test_before_anything_was_seen_it_is_one_half() -> None:
    assert Prior({}).mean(("", "new")) == Prior({}).mean(("weak", "strong"), Context("fix", "ada")) == 0.5


@given(COUNTS, RATES, COUNTS, RATES)
def test_a_level_without_outcomes_says_what_the_one_above_says(n: float, rate: float, m: float, other: float) -> None:
    prior = Prior({("", "a", "fix", "ada"): (n, n * rate), ("", "b", "fix", "ada"): (m, m * other)})
    assert prior.mean(("", "a"), Context("new", "new")) == prior.mean(("", "a"), Context("new", "bob"))
    assert prior.mean(("", "c")) == pytest.approx((1 + n * rate + m * other) / (2 + n + m))
    assert prior.mean(("a", "b")) == prior.mean(("", "b"))


@given(st.floats(0.1, 500), RATES, RATES)
def test_more_outcomes_of_a_tenant_move_it_towards_them(n: float, everywhere: float, here: float) -> None:
    others = {("", "a", "fix", "bob"): (100.0, 100 * everywhere)}
    context = Context("fix", "ada")
    before = Prior(others).mean(("", "a"), context)
    little, much = (
        Prior({**others, ("", "a", "fix", "ada"): (count, count * here)}).mean(("", "a"), context)
        for count in (n, 10 * n)
    )
    assert abs(much - here) <= abs(little - here) + 1e-9 <= abs(before - here) + 2e-9


def test_another_tenants_outcomes_count_less_than_ones_own() -> None:
    prior = Prior({("", "a", "fix", "ada"): (50.0, 50.0), ("", "a", "fix", "bob"): (50.0, 0.0)})
    assert prior.mean(("", "a"), Context("fix", "ada")) > 0.8
    assert prior.mean(("", "a"), Context("fix", "bob")) < 0.2
    assert prior.mean(("", "a"), Context("fix", "new")) == pytest.approx(0.5)
    assert prior.seen(("", "a")) == 100


def test_outcomes_fade_with_every_half_life() -> None:
    given = outcomes(3)[::2]
    first = given[0].when
    days = [replace(each, when=first + timedelta(days=day)) for each, day in zip(given, (0, 90, 180), strict=True)]
    assert aged(days, 90) == pytest.approx([0.25, 0.5, 1.0])
    assert aged([], 90) == []


def test_what_is_new_counts_more_than_what_is_old() -> None:
    old = [replace(each, passed=False, model="small") for each in outcomes(40)]
    new = [replace(each, passed=True, when=each.when + timedelta(days=360)) for each in old[:20]]
    fading = arranged([*old, *new], aged([*old, *new], 30)).prior()
    lasting = arranged([*old, *new], aged([*old, *new], 3650)).prior()
    assert fading.mean(("", "small")) > 0.5 > lasting.mean(("", "small"))


@given(st.floats(0, 500), RATES, st.integers(0, 60), RATES)
def test_a_second_draw_starts_at_a_tenth_of_the_first_and_moves_to_what_was_seen(
    n: float, rate: float, seen: int, again: float
) -> None:
    context = Context("tests", "ada")
    firsts = {("", "a", "tests", "ada"): (n, n * rate)}
    assert Prior(firsts).again("a", context) == pytest.approx(0.1)
    seconds = {("a", "a", "tests", "ada"): (float(seen), seen * again)}
    few, many = (Prior({**firsts, **{key: (k * c, k * p) for key, (c, p) in seconds.items()}}) for k in (1, 10))
    first = few.mean(("", "a"), context)
    assert first == Prior(firsts).mean(("", "a"), context), "second draws say nothing of first ones"
    goal = min(1.0, again / first)
    assert abs(many.again("a", context) - goal) <= abs(few.again("a", context) - goal) + 1e-9 <= 1 + 1e-9
    assert 0 <= few.again("a", context) <= 1


def test_draws_are_learnt_apart_from_first_answers_and_later_ones_not_at_all() -> None:
    """A model that passes at every second draw, never at the first nor the third."""
    firsts = [replace(each, passed=False) for each in outcomes(30)[::2]]
    draws = [replace(each, draw=draw, passed=draw == 2) for each in firsts for draw in (1, 2, 3)]
    prior = arranged(draws, [1.0] * len(draws)).prior()
    assert (prior.seen(("", "small")), prior.seen(("small", "small"))) == (30, 30)
    assert prior.mean(("", "small")) < 0.2
    assert prior.again("small") == 1.0
    artefact = train(draws, TrainingSpec())
    estimates = Estimator(artefact).estimate(firsts[0].features, ("small",))
    assert estimates.second_draw("small") == estimates["small"].pass_probability
    assert ("small", "small") not in artefact.heads
    assert Artefact.from_bytes(artefact.to_bytes()).prior.again("small") == artefact.prior.again("small")
