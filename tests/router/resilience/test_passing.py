"""Routes around upstreams that are left alone, and the guards by name."""

from __future__ import annotations

from dataclasses import replace

from inference.catalog import ModelBase
from inference.errors import EngineUnavailable
from inference.protocol import ChatRequest, Message
from inference.resilience import ResilienceSpec
from router.difficulty import Difficulty
from router.resilience.guard import Guard
from router.resilience.guards import Guards
from router.resilience.passing import without_ejected
from router.route import Route, expected_cost
from tests.router.conftest import CATALOG
from tests.router.resilience.doubles import Clock, Upstream, guard, texts

REQUEST = ChatRequest("auto", (Message("user", "Say something"),))


def route() -> Route:
    """Of small and middle, in this order."""
    small, middle, _ = CATALOG.models
    return Route("auto", (small, middle), "cheapest", Difficulty(0.1, {}), (), expected_cost(small.price, REQUEST))


async def left_alone(clock: Clock, seconds: float) -> Guard:
    made = guard(clock, {"retries": {"most": 0}})
    try:
        await texts(made.stream(Upstream([EngineUnavailable("Busy.", retry_after_seconds=seconds)]).stream))
    except EngineUnavailable:
        return made
    raise AssertionError


async def test_who_is_left_alone_is_passed_over_with_the_reason_and_the_next_one_prices_the_route() -> None:
    clock, before = Clock(), route()
    guards = {"small": await left_alone(clock, 4), "middle": guard(clock)}
    after = without_ejected(before, REQUEST, lambda model: guards[model.name])
    assert [model.name for model in after.candidates] == ["middle"]
    assert (after.passed_over[-1].model, after.passed_over[-1].reason) == (
        "small",
        "it asked for a pause of another 4.0 s",
    )
    assert after.expected_cost_usd == 10 * before.expected_cost_usd
    clock.now += 4
    assert without_ejected(before, REQUEST, lambda model: guards[model.name]) is before


async def test_if_all_are_left_alone_the_one_that_is_back_soonest_stays_and_says_when() -> None:
    clock = Clock()
    guards = {"small": await left_alone(clock, 9), "middle": await left_alone(clock, 4)}
    after = without_ejected(route(), REQUEST, lambda model: guards[model.name])
    assert [model.name for model in after.candidates] == ["middle"]
    assert [passed.model for passed in after.passed_over[-1:]] == ["small"]


async def test_who_is_passed_over_stands_in_for_nobody() -> None:
    clock = Clock()
    guards = {"small": guard(clock), "middle": await left_alone(clock, 4)}

    def guard_of(model: ModelBase) -> Guard:
        return guards[model.name]

    before = replace(route(), stands_in={"middle": "small"})
    assert without_ejected(before, REQUEST, guard_of).stands_in == {}
    guards["small"], guards["middle"] = guards["middle"], guards["small"]
    assert without_ejected(before, REQUEST, guard_of).stands_in == {"middle": "small"}


def test_each_engine_has_one_guard_until_its_spec_is_another() -> None:
    guards, spec = Guards(), ResilienceSpec()
    first = guards.of("coder", spec)
    assert guards.of("coder", ResilienceSpec()) is first
    assert guards.of("coder@v2", spec) is not first
    assert [state.name for state in guards.states()] == ["coder", "coder@v2"]
    changed = ResilienceSpec.model_validate({"retries": {"most": 0}})
    assert guards.of("coder", changed) is not first
