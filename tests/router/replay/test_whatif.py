"""What-if estimates against made logs whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from inference.catalog import ModelBase, ScriptedModel, ScriptedReply
from inference.price import Price
from inference.protocol import ChatRequest, Message
from router.difficulty import Difficulty
from router.errors import PolicyRefused
from router.replay.logged import LoggedCall
from router.replay.whatif import Comparison, compare
from router.route import Route

RIGHT = {"weak": 0.4, "strong": 0.8}
TOKENS = {"weak": 50, "strong": 200}
SECONDS = {"weak": 0.5, "strong": 2.0}


def model(name: str, dollars: int = 1) -> ModelBase:
    price = Price(input_usd_per_million=Decimal(dollars), output_usd_per_million=Decimal(2 * dollars))
    return ScriptedModel(
        engine="scripted", name=name, tier="t", context_tokens=500, price=price, replies=(ScriptedReply(text="x"),)
    )


WEAK, STRONG = model("weak"), model("strong", 10)
PER_ANSWER = {"weak": 2e-6, "strong": 20e-6}
PER_PROMPT = {"weak": 1e-6, "strong": 10e-6}


def to(*candidates: ModelBase) -> Route:
    return Route("auto", candidates, "", Difficulty(0.0, {}), (), Decimal(0))


def logged(name: str, chance: random.Random, propensity: float = 1.0) -> LoggedCall:
    hard = chance.random()
    tokens = TOKENS[name] + chance.randrange(20)
    return LoggedCall(
        request=ChatRequest("auto", (Message("user", f"{hard}"),)),
        version=f"{name}@v1",
        difficulty=hard,
        propensity=propensity,
        prompt_tokens=100,
        completion_tokens=tokens,
        cost_usd=100 * PER_PROMPT[name] + tokens * PER_ANSWER[name],
        seconds=SECONDS[name] + chance.random() / 10,
        passed=chance.random() < RIGHT[name] - 0.2 * hard + 0.1,
    )


def figures(comparison: Comparison) -> dict[str, tuple[float, float, float, float]]:
    return {each.name.split(",")[0]: (each.was, each.would_be, each.low, each.high) for each in comparison.figures}


def mixed(calls: int, canary: float, seed: int = 1) -> list[LoggedCall]:
    """Calls of which chance gave the strong model a share."""
    chance = random.Random(seed)
    strong = [chance.random() < canary for _ in range(calls)]
    return [
        logged("strong" if is_strong else "weak", chance, canary if is_strong else 1 - canary) for is_strong in strong
    ]


def test_the_same_rules_change_nothing_to_the_cent() -> None:
    calls = [replace(call, propensity=1.0) for call in mixed(300, 0.3)]
    comparison = compare(calls, lambda call: to(STRONG if "strong" in call.version else WEAK))
    assert comparison.changed == {}
    assert comparison.effective == pytest.approx(300)
    for was, would_be, low, high in figures(comparison).values():
        assert would_be == pytest.approx(was, abs=1e-12)
        assert low == pytest.approx(0, abs=1e-12)
        assert high == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_chance_in_the_log_tells_what_always_the_stronger_model_would_do(seed: int) -> None:
    comparison = compare(mixed(3000, 0.3, seed), lambda call: to(STRONG), seed)
    assert 500 < comparison.effective < 1100
    found = figures(comparison)
    was, would_be, low, high = found["cost"]
    assert would_be == pytest.approx(3000 * (100 * 10e-6 + 209.5 * 20e-6), rel=0.02)
    assert low < would_be - was < high
    was, would_be, low, high = found["share of checked answers that pass"]
    assert would_be == pytest.approx(0.8, abs=0.06)
    assert low < 0.8 - (0.3 * 0.8 + 0.7 * 0.4) < high
    assert found["seconds a call"][1] == pytest.approx(2.05, abs=0.05)


def test_a_model_without_a_record_counts_in_the_cost_alone() -> None:
    calls = mixed(50, 0.0)
    comparison = compare(calls, lambda call: to(STRONG))
    assert comparison.without_record == {"strong@v1": 50}
    assert comparison.changed == {("weak@v1", "strong@v1"): 50}
    assert set(figures(comparison)) == {"cost"}
    assert comparison.effective == 0.0


def test_calls_that_would_be_refused_cost_nothing() -> None:
    calls = mixed(50, 0.0)

    def refuse_all_but(kept: Sequence[LoggedCall]) -> Callable[[LoggedCall], Route]:
        def decide(call: LoggedCall) -> Route:
            if call not in kept:
                raise PolicyRefused("not this one")
            return to(WEAK)

        return decide

    comparison = compare(calls, refuse_all_but(calls[:20]))
    assert (comparison.calls, comparison.refused) == (50, {"policy_violation": 30})
    was, would_be, low, high = figures(comparison)["cost"]
    assert was == pytest.approx(sum(call.cost_usd for call in calls))
    assert would_be == pytest.approx(sum(call.cost_usd for call in calls[:20]))
    assert (low, high) == pytest.approx((would_be - was,) * 2)
    nothing = compare(calls, refuse_all_but([]))
    assert nothing.figures == ()


def test_an_empty_log_is_compared_too() -> None:
    assert compare([], lambda call: to(WEAK)).figures == ()


def test_shadows_tell_what_a_model_does_and_are_no_decisions() -> None:
    """The log has one model alone; shadows of the other one take the place of a canary."""
    chance = random.Random(3)
    calls = mixed(1500, 0.0)
    shadows = [replace(logged("strong", chance), passed=None) for _ in range(150)]
    alone, told = (compare(calls, lambda call: to(STRONG), shadows=each) for each in ([], shadows))
    assert (alone.calls, alone.effective, alone.changed) == (told.calls, told.effective, told.changed)
    assert (alone.without_record, told.without_record) == ({"strong@v1": 1500}, {})
    assert figures(told)["seconds a call"][1] == pytest.approx(2.05, abs=0.05)
    was, would_be, low, high = figures(told)["cost"]
    assert was == figures(alone)["cost"][0]
    assert would_be == pytest.approx(1500 * (100 * 10e-6 + 209.5 * 20e-6), rel=0.02)
    assert low < would_be - was < high
    stays = compare(calls, lambda call: to(WEAK), shadows=shadows)
    assert stays.changed == {}
    assert stays.effective == pytest.approx(1500)
    for before, after, low, high in figures(stays).values():
        assert after == pytest.approx(before)
        assert [low, high] == pytest.approx([0, 0], abs=1e-9)
