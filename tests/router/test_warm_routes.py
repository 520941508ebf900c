"""What is warm changes the order within a tier and what an answer is expected to cost, and nothing else."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.catalog import Catalog, ModelBase
from inference.collect import complete
from inference.errors import NoStrongerModel
from inference.protocol import Caller, ChatRequest, Message, Sampling
from inference.scripted import ScriptedEngine
from inference.verification import Checking
from ledger.protocol import tenant_account
from ledger.sql_ledger import SqlLedger
from router.decide import Decider, Rules
from router.policy import Feasible
from router.prefixes import Memory
from router.route import Route, cheapest_first, expected_cost, worst_cost
from router.router import Router
from router.spec import PlanSpec, RouteSpec
from router.standing import Standing
from router.versions.state import Rollout
from router.versions.versions import Versions
from tests.inference.strategies import quick
from tests.router.conftest import TENANTS
from tests.router.test_plans import learnt

TALK = (Message("user", "a" * 4000), Message("assistant", "b" * 4000), Message("user", "Why?"))
HARD = Message(
    "user", "Refactor the distributed transaction protocol so that no deadlock can occur, and prove it. " * 2
)


def catalog(**middle: Any) -> Catalog:
    """Two models in the lowest tier, of which the second is a little dearer, and a stronger one."""
    cheap = {"input_usd_per_million": 10, "cached_input_usd_per_million": 1, "output_usd_per_million": 20}
    models = [
        {"name": "small", "tier": "draft", "price": cheap},
        {"name": "middle", "tier": "draft", "price": {**cheap, "input_usd_per_million": 12}, **middle},
        {"name": "cloud", "tier": "standard", "price": {**cheap, "input_usd_per_million": 100}},
    ]
    same = {"engine": "scripted", "context_tokens": 100_000, "replies": [{"text": "so"}], "cache_seconds": 300}
    return Catalog.model_validate({"tiers": ["draft", "standard"], "models": [{**same, **each} for each in models]})


class House:
    """A decision and what it remembers; `cached` sends a conversation to a model."""

    def __init__(self, declared: Catalog, **route: Any) -> None:
        routes = {"auto": RouteSpec(name="auto", models=("cloud", "middle", "small"), thresholds=(0.5,), **route)}
        self.memory, self.versions = Memory(lambda: 0.0), Versions(declared)
        self.decider = Decider(
            Rules(declared, routes, TENANTS, False),
            self.versions,
            Standing(lambda: datetime.now(UTC)),
            memory=self.memory,
        )

    def cached(self, model: ModelBase | None, *messages: Message) -> None:
        assert model is not None
        self.memory.sent(ask(*messages), model)

    def decide(self, *messages: Message, **more: Any) -> Route:
        return self.decider.decide(ask(*messages, **more))


def ask(*messages: Message, **more: Any) -> ChatRequest:
    sampling = Sampling(max_tokens=64)
    return ChatRequest("auto", messages, sampling=sampling, caller=Caller("default", "ada", "internal"), **more)


def names(route: Route) -> list[str]:
    return [model.name for model in route.candidates]


def test_a_conversation_stays_and_says_why() -> None:
    house = House(declared := catalog())
    assert names(house.decide(*TALK)) == ["small", "middle", "cloud"]
    house.cached(middle := declared.get("middle"), TALK[0])
    route = house.decide(*TALK)
    assert names(route) == ["middle", "small", "cloud"]
    assert route.reason.endswith("; a prefix of 1000 tokens is warm at middle")
    assert route.reason in route.line(route.candidates[0])
    assert middle is not None
    assert route.expected_cost_usd == expected_cost(middle.price, ask(*TALK), 1000)
    assert route.expected_cost_usd == Decimal("0.00001") * (1000 * 1 + 1001 * 12 + 32 * 20) / 10


def test_it_leaves_where_another_is_cheaper_even_so() -> None:
    dear = {"input_usd_per_million": 500, "cached_input_usd_per_million": 1, "output_usd_per_million": 20}
    house = House(declared := catalog(price=dear))
    house.cached(declared.get("middle"), TALK[0])
    route = house.decide(*TALK)
    assert names(route) == ["small", "middle", "cloud"]
    assert "1000 tokens is warm at middle" in route.reason


def test_between_models_that_cost_nothing_the_warmer_one_answers() -> None:
    free = [{**model.model_dump(mode="json"), "price": {}} for model in catalog().models]
    house = House(declared := Catalog.model_validate({"tiers": ["draft", "standard"], "models": free}))
    assert names(house.decide(*TALK))[0] == "middle", "as the route names them"
    house.cached(declared.get("small"), TALK[0])
    assert names(house.decide(*TALK))[0] == "small"
    house.cached(declared.get("middle"), *TALK[:2])
    assert names(house.decide(*TALK))[0] == "middle"


def test_difficulty_and_failed_checks_are_stronger() -> None:
    house = House(declared := catalog())
    for name in ("small", "middle"):
        house.cached(declared.get(name), HARD)
    assert names(house.decide(HARD)) == ["cloud"]
    assert names(house.decide(*TALK, tried=("middle",))) == ["cloud"]
    with pytest.raises(NoStrongerModel):
        house.decide(*TALK, tried=("cloud",))


def test_what_may_not_be_seen_or_paid_for_is_not_asked_however_warm() -> None:
    house = House(declared := catalog(location="cloud", data_classes=["public"]))
    house.cached(declared.get("middle"), TALK[0])
    assert names(house.decide(*TALK)) == ["small", "cloud"]
    house = House(declared := catalog())
    house.cached(declared.get("middle"), TALK[0])
    small = declared.get("small")
    assert small is not None
    assert names(house.decide(*TALK, max_cost_usd=worst_cost(small, ask(*TALK)))) == ["small"]


def test_a_plan_has_said_whom_to_start_with() -> None:
    house = House(declared := catalog(), plan=PlanSpec(least_outcomes=10))
    house.decider.planner.estimators = {"": learnt({"small": True, "middle": True, "cloud": True})}
    house.cached(declared.get("middle"), TALK[0])
    route = house.decide(*TALK, checking=Checking("tests"))
    assert route.plan is not None
    assert (route.plan.start, names(route)) == ("small", ["small", "middle", "cloud"])


def test_the_version_that_answers_is_the_one_that_counts() -> None:
    house = House(declared := catalog(versions=[{"version": "v2"}]))
    middle = declared.get("middle")
    assert middle is not None
    house.cached(middle, TALK[0])
    second = middle.model_copy(update={"version": "v2"})
    house.versions._live["middle"].specs = {"v1": middle, "v2": second}
    house.versions._live["middle"].rollout = Rollout("middle", "v2")
    assert names(house.decide(*TALK))[0] == "small"
    house.cached(second, TALK[0])
    assert names(house.decide(*TALK))[0] == "middle"


@quick
@given(st.dictionaries(st.sampled_from(["small", "middle", "cloud"]), st.integers(0, 2001)))
def test_the_order_is_by_expected_cost(warm: dict[str, int]) -> None:
    declared = catalog()
    found = Feasible(tuple(declared.models), ())
    answering = {model.name: model for model in declared.models}
    ranked = cheapest_first(found, answering, ask(*TALK), lambda model: warm.get(model.name, 0)).models
    costs = [expected_cost(model.price, ask(*TALK), warm.get(model.name, 0)) for model in ranked]
    assert costs == sorted(costs)
    assert set(ranked) == set(declared.models)


@pytest.fixture
def cloud_like() -> ModelBase:
    """Charges for what is put into its cache, and counts nothing itself while an answer is on its way."""
    price = {
        "input_usd_per_million": 100,
        "cached_input_usd_per_million": 10,
        "cache_write_usd_per_million": 125,
        "output_usd_per_million": 200,
    }
    found = catalog(price=price, replies=[{"text": "one two three"}]).get("middle")
    assert found is not None
    return found


async def test_the_dearest_is_held_and_charged_for_what_was_broken_off(
    ledger: SqlLedger, cloud_like: ModelBase
) -> None:
    declared = Catalog.model_validate({"tiers": ["draft"], "models": [cloud_like.model_dump(mode="json")]})
    (model,) = declared.models
    router = Router(Rules(declared, {}, TENANTS, False), {"middle": ScriptedEngine(model)}, ledger, ledger)  # type: ignore[arg-type]
    request = replace(ask(Message("user", "a" * 400)), model="middle")
    async with aclosing(router.stream(request)) as chunks:
        first = await anext(chunks)
        held = (await ledger.spend(tenant_account("default"), "total")).held_usd
    assert held == worst_cost(model, request) == Decimal("0.000001") * (125 * (400 + 32) + 200 * 64)
    (entry,) = await ledger.read(stream="calls")
    answered = -(-len(first.text) // 3)
    assert (entry.type, entry.data["cached_tokens"]) == ("call.cancelled", 0)
    assert entry.cost_usd == Decimal("0.000001") * (125 * 100 + 200 * answered)
    again = await complete(router, replace(request, request_id="req_2"))
    assert "a prefix of 100 tokens is warm at middle" in again.route, "it was sent, though nobody heard the end"
    await router.close()
