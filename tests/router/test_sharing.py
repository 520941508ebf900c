"""Equal requests share an answer: one call, several listeners, each with a record of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from inference.catalog import ScriptedReply
from inference.collect import complete
from inference.errors import DeadlineExceeded, EngineError
from inference.protocol import Caller, ChatRequest, Message, Sampling
from inference.scripted import ScriptedEngine
from ledger.protocol import Entry
from ledger.sql_ledger import SqlLedger
from router import sharing
from router.errors import PolicyRefused
from router.router import Router
from router.sharing import SharingEngine
from router.spec import RouteSpec, ShareSpec
from tests.router.conftest import ROUTES, TENANTS, rules, scripted

ADA = Caller("default", "ada", "internal", key="key_1")
GRACE = Caller("default", "grace", "internal", key="key_2")


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class House:
    """A router whose route `auto` shares answers, over a slow engine."""

    def __init__(self, ledger: SqlLedger, keep_seconds: float = 0.0, **engine: Any) -> None:
        self.ledger, self.clock = ledger, Clock()
        self.small = scripted("small", **{"delay_seconds": 0.002, **engine})
        shared = ROUTES["auto"].model_copy(update={"share": ShareSpec(keep_seconds=keep_seconds), "models": ("small",)})
        routes: Mapping[str, RouteSpec] = {"auto": shared, "alone": ROUTES["auto"].model_copy(update={"name": "alone"})}
        tenants = {**TENANTS, "other": TENANTS["default"].model_copy(update={"name": "other"})}
        engines: dict[str, ScriptedEngine] = {"small": self.small}
        self.router = Router(replace(rules(), routes=routes, tenants=tenants), engines, ledger, ledger)
        self.engine = SharingEngine(self.router, self.clock)

    async def calls(self) -> list[Entry]:
        return await self.ledger.read(stream="calls")

    async def made(self) -> list[Entry]:
        return [call for call in await self.calls() if "answer_of" not in call.data]


@pytest.fixture
async def house(ledger: SqlLedger) -> AsyncIterator[House]:
    made = House(ledger)
    yield made
    await made.engine.close()


def ask(text: str = "Say something", caller: Caller = ADA, **more: Any) -> ChatRequest:
    return ChatRequest("auto", (Message("user", text),), caller=caller, **more)


async def test_requests_at_the_same_time_get_the_same_answer_and_the_first_pays(house: House) -> None:
    requests = [ask(), ask(caller=GRACE), ask()]
    answers = await asyncio.gather(*(complete(house.engine, request) for request in requests))
    assert len({answer.text for answer in answers}) == 1
    first, *copies = await house.calls()
    assert first.data["request_id"] == requests[0].request_id
    assert first.cost_usd == answers[0].usage.cost_usd > 0
    assert [copy.data["answer_of"] for copy in copies] == [requests[0].request_id] * 2
    assert {copy.actor for copy in copies} == {"ada", "grace"}
    assert [(copy.type, copy.cost_usd, copy.tokens) for copy in copies] == [("call.finished", Decimal(0), 0)] * 2
    assert [answer.usage.cost_usd for answer in answers[1:]] == [Decimal(0)] * 2
    assert answers[1].usage.completion_tokens == answers[0].usage.completion_tokens
    assert answers[1].route.endswith(f"; answer_of={requests[0].request_id}")


DIFFERENT = [
    replace(ask(), caller=replace(ADA, tenant="other")),
    replace(ask(), caller=replace(ADA, data_class="public")),
    ask("Say something else"),
    ask(sampling=Sampling(temperature=0.5)),
    ask(priority="batch"),
    replace(ask(), model="alone"),
    replace(ask(), model="small"),
]


@pytest.mark.parametrize("other", DIFFERENT)
async def test_what_differs_is_asked_for_itself(house: House, other: ChatRequest) -> None:
    await asyncio.gather(complete(house.engine, ask()), complete(house.engine, other))
    assert len(await house.made()) == 2


async def test_who_came_first_may_leave_and_the_others_get_the_whole_answer(house: House) -> None:
    whole = (await complete(house.engine, ask("another"))).text
    async with aclosing(house.engine.stream(ask())) as first:
        begun = (await anext(first)).text
        second = asyncio.create_task(complete(house.engine, ask()))
        while house.small.in_flight and not second.done() and len(begun) < 6:
            begun += (await anext(first)).text
    assert (await second).text == whole
    *_, made, copy = await house.calls()
    assert (made.type, copy.type) == ("call.finished", "call.finished")


async def test_when_the_last_has_left_the_call_is_broken_off_and_recorded(house: House) -> None:
    async with aclosing(house.engine.stream(ask())) as first, aclosing(house.engine.stream(ask())) as second:
        await anext(first)
        await anext(second)
    assert house.small.in_flight == 0
    copy, made = sorted(await house.calls(), key=lambda call: "answer_of" not in call.data)
    assert (made.type, copy.type) == ("call.cancelled", "call.cancelled")
    assert made.cost_usd > 0
    assert (await complete(house.engine, ask())).text
    assert len(await house.made()) == 2


async def test_deadlines_are_each_listeners_own(house: House) -> None:
    import time

    hasty = asyncio.create_task(complete(house.engine, ask(deadline=time.time() + 0.004)))
    patient = asyncio.create_task(complete(house.engine, ask()))
    with pytest.raises(DeadlineExceeded):
        await hasty
    assert (await patient).text == "small says these five words"


async def test_a_failure_reaches_everybody_and_is_not_kept(ledger: SqlLedger) -> None:
    house = House(ledger, keep_seconds=60, replies=(ScriptedReply(text="nothing", when="never said"),))
    answers = await asyncio.gather(*(complete(house.engine, ask()) for _ in range(2)), return_exceptions=True)
    assert all(isinstance(answer, EngineError) for answer in answers)
    assert [call.type for call in await house.calls()] == ["call.failed", "call.failed"]
    await asyncio.gather(complete(house.engine, ask()), return_exceptions=True)
    assert len(await house.made()) == 2
    await house.engine.close()


async def test_an_answer_is_kept_for_as_long_as_the_route_says(ledger: SqlLedger) -> None:
    house = House(ledger, keep_seconds=60)
    first = await complete(house.engine, ask())
    house.clock.now += 59
    assert (await complete(house.engine, ask())).text == first.text
    assert len(await house.made()) == 1
    house.clock.now += 2
    await complete(house.engine, ask())
    assert len(await house.made()) == 2
    await house.engine.close()


async def test_what_is_kept_is_bounded(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_PIECES", 15)
    house = House(ledger, keep_seconds=60)
    for text in ("one", "two", "three", "one"):
        await complete(house.engine, ask(text))
    assert len(await house.made()) == 4
    await complete(house.engine, ask("three"))
    assert len(await house.made()) == 4
    await house.engine.close()


async def test_who_may_not_ask_is_refused_and_recorded_as_ever(house: House) -> None:
    with pytest.raises(PolicyRefused):
        await complete(house.engine, ask(caller=replace(ADA, tenant="nobody")))
    (call,) = await house.calls()
    assert call.type == "call.refused"
