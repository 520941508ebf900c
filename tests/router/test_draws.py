"""How many draws a model gets before a stronger one is asked: exact expected cost, their order, their place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.collect import complete
from inference.protocol import Message
from inference.verification import Checking
from ledger.sql_ledger import SqlLedger
from router.plans import Plan, Trial, passes_at, plan
from router.router import Router
from router.spec import PlanSpec
from tests.router.conftest import CATALOG, ROUTES, rules, scripted
from tests.router.test_plans import USD, ask, learnt, prospects

MODELS = CATALOG.models
CHANCE, MONEY = st.floats(0, 1), st.floats(0, 10)


def expected(accepted: Sequence[float], weak: float, strong: float) -> float:
    """The mean cost over every way that the draws can go: none accepted, or the first, second, ... one."""
    usd, reached = 0.0, 1.0
    for number, chance in enumerate(accepted, start=1):
        usd += reached * chance * number * weak
        reached *= 1 - chance
    return usd + reached * (len(accepted) * weak + strong)


@given(first=CHANCE, second=CHANCE, t=CHANCE, f=CHANCE, weak=MONEY, check=MONEY, strong=MONEY, most=st.integers(1, 8))
def test_no_other_number_of_draws_is_expected_to_cost_less(
    first: float, second: float, t: float, f: float, weak: float, check: float, strong: float, most: int
) -> None:
    t, f = max(t, f), min(t, f)
    chances = [passes_at(draw, first, second) for draw in range(1, most + 1)]
    accepted = [p * t + (1 - p) * f for p in chances]
    trial = Trial("weak", "strong", first, accepted[0], weak, check, strong, tuple(accepted[1:]))
    costs = [expected(accepted[:draws], weak + check, strong) for draws in range(most + 1)]
    assert [trial.expected_usd(draws) for draws in range(most + 1)] == pytest.approx(costs)
    assert costs[trial.samples] <= min(costs) + 1e-9 * (1 + min(costs)) or strong == 0
    assert trial.worth_it == (trial.samples > 0)


@given(first=st.floats(0.01, 1), second=st.floats(0.001, 1))
def test_draws_of_one_request_pass_as_a_beta_distribution_says(first: float, second: float) -> None:
    """n draws all fail with probability B(a, b + n) / B(a, b), where the draws' own say is the product of theirs."""
    chances = [passes_at(draw, first, second) for draw in range(1, 7)]
    assert chances == sorted(chances, reverse=True)
    assert chances[:2] == [first, pytest.approx(min(first, second))]
    if second > 0.99 * first or first == 1:
        return
    strength = second / (first - second)
    a, b = first * strength, (1 - first) * strength
    for draws in range(1, 7):
        none = math.prod(1 - chance for chance in chances[:draws])
        beta = math.lgamma(b + draws) + math.lgamma(a + b) - math.lgamma(b) - math.lgamma(a + b + draws)
        assert none == pytest.approx(math.exp(beta), rel=1e-6)


def made(second: float, draw: float = 0.9, **spec: Any) -> Plan:
    chances = dict.fromkeys(USD, 0.5)
    settings = {"most_samples": 4, "false_accept": 0, **spec}
    return plan(PlanSpec(**settings), MODELS, prospects(chances, dict.fromkeys(USD, second), **settings), draw)


def test_a_plan_has_as_many_draws_as_are_worth_it() -> None:
    """A draw of small costs a tenth of middle: those that pass with more than that are worth it."""
    assert (made(0.09).start, made(0.09).samples) == ("small", 1)
    several = made(0.25)
    assert several.samples == 4
    assert [round(each, 3) for each in several.trials[0].redraws] == [0.237, 0.158, 0.119]
    assert several.line() == (
        "small before middle: accepted 0.475 > (1 + 0) / 10 USD, then 0.237, then 0.158, then 0.119, so up to 4 draws"
    )
    assert made(0.15).samples == 2


def test_without_samples_and_at_the_strongest_none_are_planned() -> None:
    assert made(0.25, most_samples=1).samples == 0
    assert "draws" not in made(0.25, most_samples=1).line()
    strongest = made(0.25, draw=0.49, explore=0.5)
    assert (strongest.start, strongest.samples) == ("cloud", 0)


def test_who_explores_takes_all_draws() -> None:
    starts = {made(0.0, draw=draw, explore=0.5).start: made(0.0, draw=draw, explore=0.5) for draw in (0.0, 0.2)}
    assert {start: each.samples for start, each in starts.items()} == {"small": 4, "middle": 4}
    assert made(0.0, draw=0.6, explore=0.5).samples == 1


def test_checks_that_accept_what_is_wrong_sooner_are_refused() -> None:
    with pytest.raises(ValidationError, match="true_accept must be at least false_accept"):
        PlanSpec(true_accept=0.2, false_accept=0.3)


@pytest.fixture
def drawing(ledger: SqlLedger) -> Router:
    spec = PlanSpec(least_outcomes=10, false_accept=0.5, most_samples=3)
    routes = {"auto": ROUTES["auto"].model_copy(update={"plan": spec})}
    engines = {name: scripted(name) for name in ("small", "middle", "cloud")}
    found = Router(replace(rules(), routes=routes), engines, ledger, ledger)
    found.planner.estimators = {"": learnt({"small": True, "middle": True})}
    return found


async def test_whoever_checks_is_told_how_many_draws_the_model_gets(drawing: Router) -> None:
    told = await complete(drawing, ask())
    assert (told.model, told.verified and told.verified.samples) == ("small", 3)
    unchecked = await complete(drawing, ask(checking=None))
    assert unchecked.verified is None


async def test_a_further_draw_is_from_the_same_model_whatever_was_learnt_meanwhile(drawing: Router) -> None:
    drawing.planner.estimators = {}
    hard = "Refactor the distributed transaction protocol to be free of deadlocks; migrate the compiler. " * 3
    request = ask(hard, checking=Checking("tests", 2, "small"))
    route = drawing.decide(request)
    assert [model.name for model in route.candidates] == ["small", "middle", "cloud"]
    assert (route.reason, route.propensity) == ("draw 2 from small, as planned", 1.0)
    assert drawing.decide(replace(request, checking=Checking("tests"))).candidates[0].name != "small"


def test_a_model_that_may_not_answer_any_more_is_not_drawn_from_again(drawing: Router) -> None:
    too_long = (Message("user", "a " * 20_000),)
    route = drawing.decide(replace(ask(checking=Checking("tests", 2, "small")), messages=too_long))
    assert "small" not in [model.name for model in route.candidates]
    assert route.reason != "draw 2 from small, as planned"


def test_every_draw_is_in_what_a_plan_is_worth() -> None:
    """With checks that never err, only what nobody passes is not given."""
    (trial,) = made(0.25, true_accept=1.0).trials
    assert (trial.samples, trial.given_wrong) == (4, 0)
    failed = math.prod(1 - passes_at(draw, 0.5, 0.25) for draw in range(1, 5))
    assert trial.given_right == pytest.approx(1 - failed * 0.5, abs=1e-3)
