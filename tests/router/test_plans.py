"""Where a checked request starts: the inequality, its place in a decision, and exploration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.collect import complete, request_from_bytes
from inference.protocol import Caller, ChatRequest, Message
from inference.verification import Checking, CheckKind
from ledger.sql_ledger import SqlLedger
from router.estimates.artefact import Artefact
from router.estimates.estimator import Estimator
from router.estimates.features import of_request
from router.estimates.learning import keep
from router.estimates.outcome import Context, Outcome
from router.estimates.prior import WRONG, Prior
from router.estimates.training import TrainingSpec, train
from router.plans import Plan, Prospects, Trial, as_json, plan
from router.router import Router
from router.spec import PlanSpec
from tests.router.conftest import CATALOG, ROUTES, rules, scripted

SMALL, MIDDLE, CLOUD = CATALOG.models
USD = {"small": 1.0, "middle": 10.0, "cloud": 100.0}
CALLER = Caller("default", "ada", "public")
TESTS = Checking("tests")
FAILURES = ("", "lint", "", "tests", "", "tests", "", "tests")


def made(chances: Mapping[str, float], draw: float = 0.9, **spec: Any) -> Plan:
    return plan(PlanSpec(**spec), [SMALL, MIDDLE, CLOUD], prospects(chances, chances, **spec), draw)


def prospects(first: Mapping[str, float], second: Mapping[str, float], **spec: Any) -> Prospects:
    """Models that pass as often where another has failed, and checks that do what is declared."""
    declared = PlanSpec(**spec).false_accept
    return Prospects(first, second, lambda model: USD[model.name], lambda _, strong: first[strong], lambda _: declared)


@given(
    p=st.floats(0, 1), t=st.floats(0.01, 1), f=st.floats(0, 0.99), weak=st.floats(0, 10), check=st.floats(0, 10),
    strong=st.floats(0.001, 100),
)  # fmt: skip
def test_a_try_is_worth_it_exactly_if_it_is_expected_to_save_money(
    p: float, t: float, f: float, weak: float, check: float, strong: float
) -> None:
    accepted = p * t + (1 - p) * f
    trial = Trial("weak", "strong", p, accepted, weak, check, strong)
    with_it, without = weak + check + (1 - accepted) * strong, strong
    if abs(with_it - without) > 1e-9 * (with_it + without):
        assert trial.worth_it == (with_it < without)


def test_it_starts_with_the_cheapest_that_is_worth_a_try() -> None:
    assert made({"small": 0.9, "middle": 0.9, "cloud": 0.9}).start == "small"
    unlikely = made({"small": 0.01, "middle": 0.9, "cloud": 0.9})
    assert unlikely.start == "middle"
    assert [trial.worth_it for trial in unlikely.trials] == [False, True]
    assert unlikely.line().startswith("small before middle: accepted 0.059 <= (1 + 0) / 10 USD; middle before cloud")
    assert made({"small": 0.0, "middle": 0.0, "cloud": 0.9}).start == "cloud"


def test_checks_that_cost_and_accept_too_much_are_in_the_numbers() -> None:
    chances = {"small": 0.5, "middle": 0.9, "cloud": 0.9}
    assert made(chances, verify_usd=Decimal(5)).start == "middle"
    assert made({**chances, "small": 0.0}, false_accept=0.3).start == "small"


def test_chance_explores_with_the_probability_that_is_recorded() -> None:
    chances = {"small": 0.9, "middle": 0.9, "cloud": 0.9}
    seen: dict[str, list[float]] = {}
    for number in range(3000):
        found = made(chances, draw=number / 3000, explore=0.3)
        seen.setdefault(found.start, []).append(found.propensity)
    assert {name: pytest.approx(propensities[0], abs=0.001) for name, propensities in seen.items()} == {
        name: len(propensities) / 3000 for name, propensities in seen.items()
    }
    assert seen["cloud"][0] == pytest.approx(0.1)


def ask(text: str = "Write low(text).", **more: Any) -> ChatRequest:
    return ChatRequest("auto", (Message("user", text),), caller=CALLER, **{"checking": TESTS, **more})


def outcomes(passes: Mapping[str, bool], kind: CheckKind = "tests", requests: int = 30) -> list[Outcome]:
    """Of models that always pass, and of those that never do."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Outcome(
            of_request(ask(f"Write function number {number}.")),
            model,
            passed,
            USD[model] / 1e6,
            1.0,
            begin + timedelta(minutes=number),
            Context(kind, "default"),
        )
        for number in range(requests)
        for model, passed in passes.items()
    ]


def trained(passes: Mapping[str, bool], requests: int = 30) -> Artefact:
    return train(outcomes(passes, requests=requests), TrainingSpec())


def learnt(passes: Mapping[str, bool], requests: int = 30) -> Estimator:
    """What comes of them."""
    return Estimator(trained(passes, requests))


@pytest.fixture
def planning(ledger: SqlLedger) -> Router:
    routes = {"auto": ROUTES["auto"].model_copy(update={"plan": PlanSpec(least_outcomes=10)})}
    engines = {name: scripted(name) for name in ("small", "middle", "cloud")}
    return Router(replace(rules(), routes=routes), engines, ledger, ledger)


def test_a_checked_request_starts_where_its_plan_says(planning: Router) -> None:
    planning.planner.estimators = {"": learnt({"small": False, "middle": True})}
    route = planning.decide(ask())
    assert [model.name for model in route.candidates] == ["middle", "cloud"]
    assert "small before middle: accepted 0.0" in route.reason
    assert route.plan is not None
    assert next(each.reason for each in route.passed_over if each.model == "small") == route.plan.trials[0].line()
    planning.planner.estimators = {"": learnt({"small": True, "middle": True})}
    assert planning.decide(ask()).candidates[0].name == "small"


@pytest.mark.parametrize("request_", [ask(checking=None), ask(tried=("small",))])
def test_others_go_by_difficulty(planning: Router, request_: ChatRequest) -> None:
    planning.planner.estimators = {"": learnt({"small": False, "middle": True})}
    assert planning.decide(request_).plan is None


def test_nothing_is_planned_before_enough_was_learnt(planning: Router) -> None:
    assert planning.decide(ask()).plan is None
    planning.planner.estimators = {"": learnt({"small": False, "middle": True}, requests=5)}
    assert planning.decide(ask()).plan is None


def test_a_request_keeps_its_draw(planning: Router) -> None:
    planning.planner.estimators = {"": learnt({"small": True, "middle": True})}
    request = ask()
    assert planning.decide(request).plan == planning.decide(request).plan


async def test_a_recorded_plan_can_be_made_again_from_what_was_known_then(planning: Router, ledger: SqlLedger) -> None:
    artefact = trained({"small": False, "middle": True})
    await keep(ledger, artefact, "ada")
    planning.planner.estimators = {"": Estimator(artefact)}
    request = ask()
    await complete(planning, request)
    await keep(ledger, trained({"small": True, "middle": True}), "ada")  # meanwhile more is known
    (call,) = await ledger.read(stream="calls")
    plan = call.data["plan"]
    assert isinstance(plan, dict)
    assert plan["estimates"] == artefact.digest
    known = Artefact.from_bytes(await ledger.get_body(str(plan["estimates"])))
    planning.planner.estimators = {"": Estimator(known)}
    asked = request_from_bytes(await ledger.get_body(str(call.input_digest)))
    again = planning.decide(asked).plan
    assert again is not None
    assert json.loads(json.dumps(as_json(again))) == plan


def test_what_decides_on_an_answer_is_known_when_it_is_estimated(planning: Router) -> None:
    """small passes all that is checked by tests of a request's own, and nothing of code tasks."""
    by_kind: dict[CheckKind, bool] = {"tests": True, "acceptance": False}
    found = [each for kind, passed in by_kind.items() for each in outcomes({"small": passed, "middle": True}, kind, 9)]
    planning.planner.estimators = {"": Estimator(train(found, TrainingSpec()))}
    plans = {kind: planning.decide(ask(checking=Checking(kind))).plan for kind in by_kind}
    chances = {kind: made.trials[0].pass_probability for kind, made in plans.items() if made}
    assert chances["tests"] > 0.8
    assert chances["acceptance"] < 0.2


def test_a_record_says_what_a_plan_is_worth() -> None:
    chances = {"small": 0.5, "middle": 0.8, "cloud": 0.9}
    (trial,) = made(chances, true_accept=0.9, false_accept=0.1).trials
    assert (trial.true_accept, trial.false_accept, trial.rescue) == (0.9, 0.1, 0.8)
    assert trial.given_right == pytest.approx(0.45 + 0.5 * 0.8 * 0.9)
    assert trial.given_wrong == pytest.approx(0.05 + 0.5 * 0.2 * 0.1)
    dear, _ = made({**chances, "small": 0.0}, true_accept=0.9, false_accept=0.1).trials
    assert (dear.samples, dear.given_right, dear.given_wrong) == (0, 0.72, 0.02)


def test_checks_without_tests_are_known_by_the_tests_that_followed_them(planning: Router) -> None:
    """Half of small's answers are wrong, and three of four of those pass all but the tests."""
    found = [
        replace(each, passed=not failed_at, failed_at=failed_at)
        for each, failed_at in zip(outcomes({"small": True}, requests=160), 20 * FAILURES, strict=True)
    ]
    planning.planner.estimators = {"": Estimator(train([*found, *outcomes({"middle": True})], TrainingSpec()))}
    trials: dict[str, Trial] = {}
    kinds: tuple[CheckKind, ...] = ("checks", "tests")
    for kind in kinds:
        made = planning.decide(ask(checking=Checking(kind))).plan
        assert made is not None
        trials[kind] = made.trials[0]
    assert 0.6 < trials["checks"].false_accept < 0.75
    assert trials["checks"].given_wrong > 0.25
    assert trials["tests"].false_accept == PlanSpec().false_accept
    assert trials["tests"].given_wrong < 0.1


@given(declared=st.floats(0, 1), wrong=st.integers(0, 300), share=st.floats(0, 1))
def test_what_is_declared_of_checks_gives_way_to_what_they_did(declared: float, wrong: int, share: float) -> None:
    seen = {(WRONG, "small", "tests", "default"): (float(wrong), wrong * share)}
    learnt_ = Prior(seen).accepted_wrong("small", declared)
    assert min(declared, share) - 1e-9 <= learnt_ <= max(declared, share) + 1e-9
    assert abs(learnt_ - share) <= abs(declared - share) * 20 / (20 + wrong) + 1e-9
    assert Prior(seen).mean(("", "small")) == Prior({}).mean(("", "small"))
