"""Budgets of tenants, keys, tasks and models, and rates, around real calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from inference.collect import complete
from inference.errors import RateLimited
from inference.protocol import Caller, ChatRequest, Message, Sampling
from ledger.sql_ledger import SqlLedger
from router.budgets import tokens_of
from router.errors import ModelQuotaExceeded, QuotaExceeded
from router.router import Router
from router.spec import BudgetSpec, TenantSpec
from tests.router.conftest import rules, scripted

CALLER = Caller("default", "ada", "internal", key="key_1", task="tsk_1")


def router_with(ledger: SqlLedger, models: Mapping[str, Any] | None = None, **tenant: Any) -> Router:
    declared = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1, "window": "day"}} | tenant
    changed = replace(
        rules(),
        tenants={"default": TenantSpec.model_validate(declared)},
        model_budgets={name: BudgetSpec.model_validate(spec) for name, spec in (models or {}).items()},
    )
    return Router(changed, {name: scripted(name) for name in ("small", "middle")}, ledger, ledger)


def ask(model: str = "small", caller: Caller = CALLER, **more: Any) -> ChatRequest:
    sampling = Sampling(max_tokens=10)
    return ChatRequest(model, (Message("user", "Say something"),), sampling=sampling, caller=caller, **more)


async def test_a_call_counts_for_its_tenant_key_task_and_model(ledger: SqlLedger) -> None:
    usage = (await complete(router_with(ledger), ask())).usage
    for account in ("tenant/default", "key/key_1", "task/default/tsk_1", "model/small", "tenant-model/default/small"):
        spend = await ledger.spend(account, "day")
        assert (spend.settled_usd, spend.settled_tokens, spend.held_usd) == (
            usage.cost_usd,
            tokens_of(usage),
            Decimal(0),
        ), account
    assert (await ledger.verify()).ok


@pytest.mark.parametrize(
    ("which", "spared"),
    [("key_budget", replace(CALLER, key="key_2")), ("task_budget", replace(CALLER, task="tsk_2"))],
)
async def test_each_key_and_each_task_has_its_own(ledger: SqlLedger, which: str, spared: Caller) -> None:
    router = router_with(ledger, **{which: {"limit_tokens": 150, "window": "day"}})
    with pytest.raises(QuotaExceeded, match="may use 150 tokens per day"):
        for _ in range(20):
            await complete(router, ask())
    assert (await complete(router, ask(caller=spared))).text
    refused = [entry for entry in await ledger.read(stream="calls") if entry.type == "call.refused"]
    assert [entry.data["code"] for entry in refused] == ["insufficient_quota"]


@pytest.mark.parametrize("of_tenant", [True, False])
async def test_another_model_answers_when_one_has_spent_its_budget(ledger: SqlLedger, of_tenant: bool) -> None:
    budgets = {"small": {"limit_usd": 0, "window": "day"}}
    router = router_with(ledger, model_budgets=budgets) if of_tenant else router_with(ledger, budgets)
    completion = await complete(router, ask("auto"))
    assert completion.model == "middle"
    (entry,) = await ledger.read(stream="calls")
    assert (entry.type, entry.data["model"]) == ("call.finished", "middle")
    (passed,) = cast("list[dict[str, str]]", entry.data["taken_over"])
    assert passed["model"] == "small"
    assert "may spend 0 USD per day" in passed["error"]
    with pytest.raises(ModelQuotaExceeded):
        await complete(router, ask("small"))
    spend = await ledger.spend("tenant/default", "day")
    assert (spend.settled_usd, spend.held_usd) == (completion.usage.cost_usd, Decimal(0))


async def test_a_hundred_at_once_never_overshoot_any_of_their_budgets(ledger: SqlLedger) -> None:
    router = router_with(
        ledger,
        {"small": {"limit_tokens": 2000, "window": "day"}},
        key_budget={"limit_usd": "0.0009", "window": "day"},
        task_budget={"limit_tokens": 900, "window": "total"},
    )
    router.slots["small"]._queue = 100

    async def one(number: int) -> bool:
        caller = replace(CALLER, key=f"key_{number % 3}", task=f"tsk_{number % 5}")
        try:
            await complete(router, ask(caller=caller))
        except QuotaExceeded:
            return False
        return True

    answered = await asyncio.gather(*(one(number) for number in range(100)))
    assert 0 < sum(answered) < 100
    assert (await ledger.spend("model/small", "day")).settled_tokens <= 2000
    for number in range(3):
        assert (await ledger.spend(f"key/key_{number}", "day")).settled_usd * 10_000 <= 9
    for number in range(5):
        spend = await ledger.spend(f"task/default/tsk_{number}", "total")
        assert (spend.settled_tokens <= 900, spend.held_tokens) == (True, 0)
    assert (await ledger.verify()).ok


async def test_over_the_soft_limit_a_route_starts_at_its_cheapest_tier_and_says_so(ledger: SqlLedger) -> None:
    hard = "Refactor the deadlock in the distributed transaction protocol. " * 3
    request = replace(ask("auto"), messages=(Message("user", hard),))
    router = router_with(ledger, budget={"limit_usd": "0.01", "window": "day", "soft_limit": 0.01})
    assert router.decide(request).candidates[0].name == "middle"
    await complete(router, request)
    route = router.decide(request)
    assert route.candidates[0].name == "small"
    assert "tenant/default is over its soft limit" in route.reason
    await complete(router, replace(request, request_id="req_2"))
    assert (await ledger.read(stream="calls"))[-1].data["reason"] == route.reason


async def test_an_alert_is_recorded_once(ledger: SqlLedger) -> None:
    router = router_with(ledger, budget={"limit_tokens": 400, "window": "day", "alert_at": [0.1]})
    for _ in range(3):
        await complete(router, ask())
    (alert,) = await ledger.read(stream="budgets")
    assert (alert.type, alert.data["account"], alert.data["reached"]) == ("budget.alert", "tenant/default", 0.1)


async def test_a_rate_is_refused_with_the_time_to_wait_and_nothing_recorded(ledger: SqlLedger) -> None:
    router = router_with(ledger, rate={"requests_per_minute": 2}, key_rate={"tokens_per_minute": 10**6})
    for _ in range(2):
        await complete(router, ask())
    with pytest.raises(RateLimited, match="tenant/default may ask for 2 requests a minute") as caught:
        await complete(router, ask())
    assert 0 < (caught.value.retry_after_seconds or 0) <= 30
    assert [entry.type for entry in await ledger.read(stream="calls")] == ["call.finished"] * 2


async def test_tokens_that_were_not_used_may_be_asked_for_again(ledger: SqlLedger) -> None:
    router = router_with(ledger, key_rate={"tokens_per_minute": 100})
    long = replace(ask(), sampling=Sampling(max_tokens=150))  # half of it is expected
    for _ in range(3):
        await complete(router, replace(long, request_id=f"req_{_}"))
    with pytest.raises(RateLimited, match="key/key_1 may ask for 100 tokens a minute"):
        for number in range(10):
            await complete(router, replace(long, request_id=f"again_{number}"))
