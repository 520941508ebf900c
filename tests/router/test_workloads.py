"""Workload classes: who may answer, whose slots are taken, how long it may last."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.collect import complete
from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.protocol import Caller, ChatRequest, EmbedRequest, Message
from ledger.sql_ledger import SqlLedger
from router.errors import PolicyRefused
from router.router import Router
from router.versions.versions import Versions
from router.workloads import WorkloadSpec, slots_of
from tests.router.conftest import CATALOG, rules, scripted


def workload(name: str, **more: Any) -> WorkloadSpec:
    return WorkloadSpec.model_validate({"name": name, **more})


def ask(workload: str = "", model: str = "auto", **more: Any) -> ChatRequest:
    caller = Caller("default", "ada", "internal", workload=workload)
    return ChatRequest(model, (Message("user", "Say something"),), caller=caller, **more)


def router_with(ledger: SqlLedger, *workloads: WorkloadSpec, versions: Versions | None = None, **engine: Any) -> Router:
    declared = replace(rules(), workloads={spec.name: spec for spec in workloads})
    engines = {name: scripted(name, **engine) for name in ("small", "middle")}
    return Router(declared, engines, ledger, ledger, versions)


async def test_only_the_models_of_a_workload_answer_it(ledger: SqlLedger) -> None:
    router = router_with(ledger, workload("careful", models=["middle"]))
    assert (await complete(router, ask("careful"))).model == "middle"
    assert (await complete(router, ask())).model == "small"
    passed = {each.model: each.reason for each in router.decide(ask("careful")).passed_over}
    assert passed["small"] == "it does not answer workload 'careful'"
    for refused in (complete(router, ask("careful", "small")), router.embed(embed("careful"))):
        with pytest.raises(PolicyRefused, match="does not answer workload"):
            await refused
    first, *_ = await ledger.read(stream="calls")
    assert first.data["workload"] == "careful"


def embed(workload: str) -> EmbedRequest:
    return EmbedRequest("small", ("text",), caller=Caller("default", "ada", "internal", workload=workload))


async def test_a_full_record_needs_weights_that_are_known(ledger: SqlLedger) -> None:
    versions = Versions(CATALOG)
    router = router_with(ledger, workload("regulated", record="full"), versions=versions)
    with pytest.raises(PolicyRefused, match="no digest of its weights is known"):
        await complete(router, ask("regulated"))
    versions.weigh("middle", "c0ffee")
    assert (await complete(router, ask("regulated"))).model == "middle"
    *_, answered = await ledger.read(stream="calls")
    assert answered.data["weights"] == "c0ffee"


async def test_what_is_sent_is_looked_at_once_more(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was decided: a canary, or an adapter, of a model that may answer need not have known weights."""
    versions = Versions(CATALOG)
    router = router_with(ledger, workload("regulated", record="full"), versions=versions)
    monkeypatch.setattr(router._decider, "_barred", lambda caller: {})
    with pytest.raises(PolicyRefused, match="Nothing was sent to small: no digest of its weights"):
        await complete(router, ask("regulated"))
    *_, refused = await ledger.read(stream="calls")
    assert (refused.type, refused.tokens) == ("call.failed", 0)


async def test_slots_of_a_workload_are_its_own(ledger: SqlLedger) -> None:
    """small has two slots and a queue of one: one slot is batch's own, with no queue."""
    batch = workload("nightly", slots_share=0.5, queue=0)
    router = router_with(ledger, batch, delay_seconds=0.01)
    busy = [asyncio.create_task(complete(router, ask("nightly", "small"))) for _ in range(3)]
    answers = asyncio.create_task(complete(router, ask("", "small")))
    ended = await asyncio.gather(*busy, return_exceptions=True)
    assert [isinstance(each, EngineUnavailable) for each in ended] == [False, True, True]
    assert (await answers).model == "small"
    assert set(router.slots) >= {"small", "small for nightly"}


@given(at_once=st.integers(1, 200), shares=st.lists(st.floats(0.01, 0.3), max_size=3))
def test_shares_leave_slots_for_everybody(at_once: int, shares: list[float]) -> None:
    declared = {f"w{number}": workload(f"w{number}", slots_share=share) for number, share in enumerate(shares)}
    taken = [slots_of(declared, name, at_once) for name in (*declared, "", "unknown")]
    assert all(count >= 1 for _, count in taken)
    assert [owner for owner, _ in taken] == [*declared, "", ""]
    least = len(declared) + 1
    assert sum(count for _, count in taken[:-1]) <= max(at_once, least)


async def test_a_workload_gives_its_priority_and_deadline(ledger: SqlLedger) -> None:
    spec = workload("hasty", priority="batch", deadline_seconds=0.02)
    now = time.time()
    assert spec.applied(ask(), now).deadline == now + 0.02
    assert spec.applied(ask(deadline=now + 0.01), now).deadline == now + 0.01
    assert spec.applied(ask(), now).priority == "batch"
    assert workload("plain").applied(request := ask()) is request
    router = router_with(ledger, spec, delay_seconds=0.05)
    with pytest.raises(DeadlineExceeded):
        await complete(router, ask("hasty"))


def test_a_queue_is_for_slots_of_ones_own() -> None:
    with pytest.raises(ValidationError, match="needs slots_share"):
        workload("x", queue=3)
