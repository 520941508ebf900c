"""The report counts what the router recorded, whatever came of it, and begins where its time begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.collect import complete
from inference.errors import EngineUnavailable
from inference.protocol import Sampling
from ledger.protocol import Draft, Entry, JsonValue, Ledger
from ledger.sql_ledger import SqlLedger, open_ledger
from router.errors import PolicyRefused
from router.evaluation import report as report_module
from router.evaluation.reading import first_since, reported
from router.evaluation.report import Report, Row
from router.router import Router
from router.verified import VerifiedCalls
from router.versions.versions import Versions
from tests.ledger.clock import HandClock
from tests.router.conftest import CATALOG, rules, scripted
from tests.router.test_calls import Broken
from tests.router.test_workloads import ask, workload

WORKLOADS = {
    "chat": workload("chat", first_token_seconds=30, total_seconds=60),
    "hasty": workload("hasty", total_seconds=1e-9),
}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: HandClock) -> AsyncIterator[SqlLedger]:
    store = await open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock=clock)
    yield store
    await store.close()


def by_key(report: Report) -> dict[tuple[str, str], Row]:
    return {(row.workload, row.model): row for row in report.rows()}


async def test_every_call_counts_for_its_workload_and_model(ledger: SqlLedger, clock: HandClock) -> None:
    router = Router(
        replace(rules(), workloads=WORKLOADS), {name: scripted(name) for name in ("small", "middle")}, ledger, ledger
    )
    await complete(router, ask("chat"))
    clock.advance(days=1)
    begin = clock()
    spent = sum([(await complete(router, ask("chat"))).usage.cost_usd for _ in range(3)], Decimal(0))
    await complete(router, ask("hasty", "middle"))
    await complete(router, ask())
    with pytest.raises(PolicyRefused):
        await complete(router, ask("chat", "cloud"))
    rows = by_key(await reported(ledger, begin, WORKLOADS))
    assert set(rows) == {("chat", "small"), ("chat", ""), ("hasty", "middle"), ("", "small")}
    chat = rows["chat", "small"].as_json()
    assert (chat["asked"], chat["failed"], Decimal(str(chat["cost_usd"])), chat["within_level"]) == (3, 0, spent, 1.0)
    assert chat["completion_tokens"] == 15
    assert 0 < float(str(chat["first_token_seconds_p50"])) <= float(str(chat["total_seconds_p95"]))
    assert rows["hasty", "middle"].within_level.share == 0
    assert rows["", "small"].within_level.share is None
    assert rows["chat", ""].refused == 1
    assert set(by_key(await reported(ledger, begin, WORKLOADS, "hasty"))) == {("hasty", "middle")}


async def test_what_failed_and_what_another_took_over_count_against_the_model_that_was_asked(
    ledger: SqlLedger, clock: HandClock
) -> None:
    engines = {"small": Broken(scripted("small"), after_chunks=0), "middle": scripted("middle")}
    router = Router(replace(rules(), workloads=WORKLOADS), engines, ledger, ledger)  # type: ignore[arg-type]
    await complete(router, ask("chat"))
    with pytest.raises(EngineUnavailable):
        await complete(router, ask("chat", "small"))
    rows = by_key(await reported(ledger, clock(), WORKLOADS))
    small, middle = rows["chat", "small"], rows["chat", "middle"]
    assert (small.asked, small.failed, small.escalated, small.within_level.share) == (2, 2, 1, 0)
    assert (middle.asked, middle.failed, middle.escalated, middle.within_level.share) == (1, 0, 0, 1)


async def test_tested_answers_and_drafts_that_went_up_are_counted(ledger: SqlLedger, clock: HandClock) -> None:
    router = Router(
        replace(rules(), workloads=WORKLOADS), {name: scripted(name) for name in ("small", "middle")}, ledger, ledger
    )
    answers = VerifiedCalls(ledger, Versions(CATALOG))
    for request, models in (("a", ("small", "small", "middle")), ("b", ("small",))):
        for number, model in enumerate(models, 1):
            request_id = f"{request}.draft-{number}"
            await complete(router, ask("chat", model, request_id=request_id))
            await answers.verified(request_id, passed=number == len(models), tested=True)
    await complete(router, ask("chat", request_id="c"))
    await answers.verified("c", passed=True, tested=False)
    old: dict[str, JsonValue] = {"request_id": "a.draft-1", "model": "small", "passed": True, "level": "tests"}
    await ledger.append(Draft("verifications", "call.verified", "ada", data=old))  # as earlier versions wrote it
    rows = by_key(await reported(ledger, clock(), WORKLOADS))
    small, middle = rows["chat", "small"], rows["chat", "middle"]
    assert (small.tested.of, small.tested.count, small.asked, small.escalated) == (4, 2, 4, 1)
    assert (middle.tested.of, middle.tested.count, middle.escalated) == (1, 1, 0)


async def test_a_lost_call_is_counted_apart(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.append(Draft("calls", "call.lost", "ledger", cost_usd=Decimal(2), data={"hold": "call/x"}))
    found = await reported(ledger, clock(), WORKLOADS)
    assert (found.rows(), found.lost, found.lost_usd) == ([], 1, Decimal(2))


async def test_no_more_drafts_are_remembered_than_may_be(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "MOST_OPEN_REQUESTS", 2)
    router = Router(rules(), {"small": scripted("small")}, ledger, ledger)
    for number in range(3):
        await complete(router, ask("", "small", request_id=f"{number}.draft-1", sampling=Sampling(max_tokens=1)))
    report = Report({})
    for call in await ledger.read(stream="calls"):
        report.call(call)
    assert list(report._drafts) == ["1", "2"]


class Times:
    """As much of a ledger as is asked when a time begins."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries, self.reads = entries, 0

    async def read(self, *, after: int, limit: int) -> list[Entry]:
        self.reads += 1
        return self._entries[after : after + limit]


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.integers(0, 3), max_size=200), at=st.integers(0, 300))
async def test_the_first_entry_of_a_time_is_found_in_few_reads(steps: list[int], at: int) -> None:
    clock, begin = HandClock(), HandClock()
    begin.advance(minutes=at)
    entries = []
    for seq, step in enumerate(steps, 1):
        clock.advance(minutes=step)
        entries.append(Entry(seq, clock(), "s", "t", "a", "d", None, {}, None, None, Decimal(0), None, "", ""))
    times = Times(entries)
    ledger: Ledger = times  # type: ignore[assignment]  # it is asked for nothing else
    expected = next((entry.seq for entry in entries if entry.time >= begin()), len(entries) + 1)
    assert await first_since(ledger, begin()) == expected
    assert times.reads <= 20
