"""How long each workload class keeps its bodies, and that every body of a call is named by an entry of its class."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from inference.collect import complete
from inference.protocol import Message
from ledger.protocol import GENESIS_HASH, Entry, JsonValue
from ledger.sql_ledger import SqlLedger, open_ledger
from router.errors import QuotaExceeded
from router.explain import recorded
from router.replay.logged import logged_calls
from router.retention import WorkloadRetention
from router.router import Router
from router.spec import TenantSpec
from tests.ledger.clock import HandClock
from tests.router.conftest import rules, scripted
from tests.router.test_calls import Broken
from tests.router.test_workloads import ask, workload

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def entry(type_: str = "call.finished", **data: JsonValue) -> Entry:
    where, hashes = (1, BEGIN, "calls", type_, "a", "default"), (GENESIS_HASH, GENESIS_HASH)
    return Entry(*where, None, data, None, None, Decimal(0), None, *hashes)


def test_a_class_keeps_for_its_own_days_and_others_for_the_usual_ones() -> None:
    declared = [workload("regulated", retention_days=7), workload("nightly"), workload("long", retention_days=90)]
    rules = WorkloadRetention(declared, 30)
    assert rules.periods == [7, 30, 90]
    days = {name: rules.days(entry(workload=name)) for name in ("regulated", "nightly", "long", "no longer declared")}
    assert days == {"regulated": 7, "nightly": 30, "long": 90, "no longer declared": 30}
    assert rules.days(entry()) == 30


def test_without_a_declaration_everything_is_kept() -> None:
    rules = WorkloadRetention([workload("nightly")], None)
    assert (rules.periods, rules.days(entry(workload="nightly")), rules.days(entry("call.lost"))) == ([], None, None)


def test_what_belongs_to_nobody_in_particular_goes_first_and_what_is_in_use_stays() -> None:
    rules = WorkloadRetention([workload("regulated", retention_days=7)], None)
    assert [rules.days(entry(type_)) for type_ in ("evidence.recorded", "call.lost")] == [7, 7]
    assert [rules.days(entry(type_)) for type_ in ("call.finished", "estimates.trained")] == [None, None]
    assert WorkloadRetention([], 30).days(entry("estimates.trained")) is None


async def test_wherever_a_call_is_met_it_says_that_its_words_are_gone(tmp_path: Path) -> None:
    clock = HandClock()
    store = await open_ledger(f"sqlite:///{tmp_path}/then.db", clock=clock)
    declared = replace(rules(), workloads={"regulated": workload("regulated", retention_days=7)})
    router = Router(declared, {"small": scripted("small")}, store, store)
    for name in ("regulated", ""):
        request = ask(name, "small", request_id=f"req_{name}")
        await complete(router, replace(request, messages=(Message("user", f"Say {name}"),)))
    clock.advance(days=8)
    await store.sweep(WorkloadRetention([workload("regulated", retention_days=7)], None))
    gone, kept = await recorded(store, "req_regulated", "default"), await recorded(store, "req_", "default")
    when = "let go under retention on 2025-11-29 (ledger entry 3)"
    assert gone[0]["let_go"] == {"request": when, "answer": when}
    assert kept[0]["let_go"] == {}
    log = await logged_calls(store, BEGIN)
    assert (len(log.calls), log.left_out) == (1, {"whose request was let go under retention": 1})
    await store.close()


async def test_what_a_refused_fallback_asked_is_named_by_its_refusal(ledger: SqlLedger) -> None:
    """small is held, fails and is released; middle does not fit the budget: the prompt is stored by then."""
    little = TenantSpec.model_validate({"name": "default", "data_class": "internal", "budget": {"limit_usd": "0.003"}})
    declared = replace(rules(), tenants={"default": little}, workloads={"regulated": workload("regulated")})
    engines = {"small": Broken(scripted("small"), after_chunks=0), "middle": scripted("middle")}
    router = Router(declared, engines, ledger, ledger)  # type: ignore[arg-type]
    with pytest.raises(QuotaExceeded):
        await complete(router, ask("regulated"))
    (refused,) = await ledger.read(stream="calls")
    assert (refused.type, refused.data["workload"]) == ("call.refused", "regulated")
    assert await ledger.get_body(str(refused.input_digest))
