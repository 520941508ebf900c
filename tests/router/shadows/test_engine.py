"""Shadows begin after good answers, wait for nothing, keep nobody waiting, and leave nothing behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.catalog import ScriptedModel, ScriptedReply
from inference.collect import complete
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import Caller, ChatRequest, Chunk, EmbedRequest
from inference.scripted import ScriptedEngine
from inference.verification import Checking
from ledger.protocol import tenant_account
from ledger.sql_ledger import SqlLedger
from router.shadows.spec import ShadowSpec, shadow_id, shadow_of
from router.sharing import SharingEngine
from router.spec import ShareSpec
from router.workloads import WorkloadSpec
from tests.router.conftest import TENANTS, rules, scripted
from tests.router.shadows.house import ADA, House, ask, under_way, with_model


@pytest.fixture
async def house(ledger: SqlLedger) -> AsyncIterator[House]:
    made = House(ledger)
    yield made
    await made.engine.close()
    await made.router.close()


async def test_the_answer_is_the_routes_and_the_shadow_is_on_record(house: House) -> None:
    request = ask()
    answer = await complete(house.engine, request)
    assert (answer.text, answer.model) == ("small says these five words", "small")
    (shadow,) = await house.shadows()
    assert shadow.data["shadow_of"] == request.request_id
    assert shadow.key == f"call/{request.request_id}.shadow"
    assert (shadow.type, shadow.data["asked"], shadow.data["model"]) == ("call.finished", "auto", "middle")
    assert shadow.data["reason"] == f"shadow of {request.request_id}"
    assert shadow.accounts == ("model/middle", "tenant-model/default/middle", "key/key_1")
    spent = await house.ledger.spend(tenant_account("default"), "total")
    assert spent.settled_usd == shadow.cost_usd + answer.usage.cost_usd
    assert house.engine.spent_usd == {("auto", "middle"): shadow.cost_usd}
    assert house.fates == {("finished", ""): 1}


async def test_it_begins_when_the_answer_has_ended_well_and_not_before(ledger: SqlLedger) -> None:
    house = House(ledger)
    async with aclosing(house.engine.stream(ask())) as chunks:
        await anext(chunks)
        assert not under_way()
    assert await house.shadows() == []  # the client left
    house.engines["small"] = scripted("small", replies=(ScriptedReply(text="x", when="never said"),))
    with pytest.raises(EngineError):
        await complete(house.engine, ask())
    assert await house.shadows() == []  # it failed
    assert house.fates == {}


async def test_nobody_waits_for_a_shadow_and_no_more_run_than_may(ledger: SqlLedger) -> None:
    house = House(ledger, {"at_once": 2}, delay_seconds=3600)
    for _ in range(5):
        await complete(house.engine, ask())
    assert len(under_way()) == 2
    assert house.fates == {("skipped", "at_once"): 3}
    while house.middle.in_flight < 2:
        await asyncio.sleep(0)
    await house.engine.close()
    assert under_way() == []
    assert house.middle.in_flight == 0
    assert [shadow.type for shadow in await house.shadows()] == ["call.cancelled"] * 2
    assert house.fates == {("skipped", "at_once"): 3, ("cancelled", ""): 2}
    await complete(house.engine, ask())
    assert under_way() == []  # a closed one begins none
    await house.router.close()
    spend = await ledger.spend(tenant_account("default"), "total")
    assert spend.held_usd == 0


async def test_a_shadow_is_patient_whatever_the_workload_says_and_has_a_deadline_of_its_own(ledger: SqlLedger) -> None:
    loud = WorkloadSpec(name="loud", priority="interactive")
    house = House(ledger, {"deadline_seconds": 60}, replace(rules(), workloads={"loud": loud}))
    seeing = house.engines["middle"] = _Seeing(middle())
    now = time.time()
    await complete(house.engine, ask(caller=replace(ADA, workload="loud"), deadline=now + 5))
    await house.shadows()
    (sent,) = seeing.seen
    assert sent.priority == "batch"
    assert sent.deadline is not None
    assert 55 < sent.deadline - now < 65


class _Seeing(ScriptedEngine):
    """Writes down what it is asked."""

    def __init__(self, model: ScriptedModel) -> None:
        super().__init__(model)
        self.seen: list[ChatRequest] = []

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.seen.append(request)
        return super().stream(request)


def middle() -> ScriptedModel:
    model = rules().catalog.get("middle")
    assert isinstance(model, ScriptedModel)
    return model


async def test_a_shadow_takes_no_place_in_a_queue(ledger: SqlLedger) -> None:
    house = House(ledger, declared=replace(rules(), catalog=with_model(concurrency=1)))
    slots = house.router.slots["middle"]
    async with slots.slot(None):
        await complete(house.engine, ask())
        (shadow,) = await house.shadows()
        assert slots.waiting == 0
    assert (shadow.type, shadow.data["code"]) == ("call.refused", "not_now")
    assert "no slot is free" in str(shadow.data["error"])
    assert house.fates == {("skipped", "not_now"): 1}
    await complete(house.engine, ask())
    assert (await house.shadows())[-1].type == "call.finished"


async def test_a_model_that_is_left_alone_is_not_asked_in_a_shadow(ledger: SqlLedger) -> None:
    house = House(ledger)
    guard = house.router._decider.guard(rules().catalog.models[1])
    guard._judged(EngineUnavailable("busy", retry_after_seconds=60), guard._breaker.admit(), None)
    await complete(house.engine, ask())
    (shadow,) = await house.shadows()
    assert (shadow.type, shadow.data["code"]) == ("call.refused", "not_now")
    assert "asked for a pause" in str(shadow.data["error"])


async def test_a_shadow_that_fails_is_recorded_and_reaches_nobody(ledger: SqlLedger) -> None:
    house = House(ledger)
    house.engines["middle"] = _Broken(middle())
    assert (await complete(house.engine, ask())).model == "small"
    (shadow,) = await house.shadows()
    assert (shadow.type, shadow.data["error"]) == ("call.failed", "It broke.")
    assert house.fates == {("failed", "engine_error"): 1}


class _Broken(ScriptedEngine):
    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk("half an", model="middle")
        raise EngineError("It broke.")


async def test_a_mistake_of_ours_is_in_the_log_and_nowhere_else(
    ledger: SqlLedger, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(ledger)
    house.engines["middle"] = _Mistaken(middle())
    with caplog.at_level(logging.ERROR):
        assert (await complete(house.engine, ask())).model == "small"
        await house.shadows()
    assert "failed by an unforeseen error" in caplog.text
    assert "Say something" not in caplog.text


class _Mistaken(ScriptedEngine):
    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        raise TypeError("a mistake")


async def test_the_routes_right_carries_a_shadow_and_rates_count_without_it(ledger: SqlLedger) -> None:
    limited = {"name": "limited", "models": ["auto"], "rate": {"requests_per_minute": 3}}
    tenant = TENANTS["default"].model_validate({**TENANTS["default"].model_dump(), **limited})
    house = House(ledger, declared=replace(rules(), tenants={"limited": tenant}))
    for _ in range(3):
        await complete(house.engine, ask(caller=Caller("limited", "ada", "internal")))
        await house.shadows()
    with pytest.raises(EngineError, match="3 requests a minute"):
        await complete(house.engine, ask(caller=Caller("limited", "ada", "internal")))
    assert [shadow.type for shadow in await house.shadows()] == ["call.finished"] * 3
    with pytest.raises(EngineError, match="may not use model 'middle'"):
        await complete(house.router, replace(ask(caller=Caller("limited", "ada", "internal")), model="middle"))


async def test_an_answer_that_is_given_twice_is_shadowed_once(ledger: SqlLedger) -> None:
    house = House(ledger)
    shared = house.rules.routes["auto"].model_copy(update={"share": ShareSpec(keep_seconds=60)})
    house.router._rules = replace(house.rules, routes={"auto": shared})
    sharing = SharingEngine(house.router, engine=house.engine)
    first = ask()
    await complete(sharing, first)
    await complete(sharing, ask())
    assert [shadow.data["shadow_of"] for shadow in await house.shadows()] == [first.request_id]


@pytest.mark.parametrize("request_", [ask(checking=Checking("tests")), replace(ask(), model="small")])
async def test_drafts_and_models_that_are_named_have_none(house: House, request_: ChatRequest) -> None:
    await complete(house.engine, request_)
    await house.engine.embed(EmbedRequest("small", ("text",), caller=ADA))
    assert await house.shadows() == []


async def test_the_model_that_answered_is_not_asked_again(ledger: SqlLedger) -> None:
    house = House(ledger, {"model": "small"})
    await complete(house.engine, ask())
    assert await house.shadows() == []
    assert house.fates == {("skipped", "same_model"): 1}


async def test_no_limit_of_the_request_is_exceeded(house: House) -> None:
    await complete(house.engine, ask(max_cost_usd=Decimal("0.003")))
    (shadow,) = await house.shadows()
    assert (shadow.type, shadow.data["code"]) == ("call.refused", "cost_limit_exceeded")


@given(st.integers(0, 2**128), st.floats(min_value=1e-9, max_value=1), st.floats(min_value=1e-9, max_value=1))
def test_a_larger_share_has_all_requests_of_a_smaller_one(number: int, one: float, other: float) -> None:
    request_id = f"req_{number:x}"
    low, high = (ShadowSpec(model="m", share=share) for share in sorted((one, other)))
    assert high.takes(request_id) or not low.takes(request_id)
    assert ShadowSpec(model="m", share=1).takes(request_id)
    assert shadow_of(shadow_id(request_id)) == request_id


def test_the_share_is_a_share() -> None:
    spec = ShadowSpec(model="m", share=0.05)
    taken = sum(spec.takes(f"req_{number:032x}") for number in range(20_000))
    assert 900 < taken < 1100
