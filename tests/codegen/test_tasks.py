"""Tasks over a real appliance's parts: whoever comes first decides, and the record agrees with the repository."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codegen.protocol import ApprovalRefused, TaskRequest, WrongState
from codegen.state import TaskState, fold, stream_of
from gateway.assemble import Appliance
from ledger.protocol import BodyLetGo, Draft, Entry
from ledger.sql_ledger import SqlLedger
from router.retention import WorkloadRetention
from router.workloads import WorkloadSpec
from tests.codegen.conftest import Gate, has_change
from tests.codegen.running import (
    ADA,
    GRACE,
    HOPPER,
    INSTRUCTION,
    PATIENCE_SECONDS,
    TESTS,
    ended,
    submit,
    types,
    until,
    waiting,
)
from tests.ledger.clock import HandClock


async def test_what_is_being_merged_cannot_be_cancelled(appliance: Appliance, bare: Path, gate: Gate) -> None:
    task_id = await waiting(appliance, bare)
    await appliance.tasks.approve(task_id, GRACE)
    await asyncio.to_thread(gate.reached)
    with pytest.raises(WrongState, match=r"task\.approved by grace"):
        await appliance.tasks.cancel(task_id, ADA)
    await asyncio.to_thread(gate.answer, 0)
    assert (await ended(appliance, task_id)).status == "merged"
    assert has_change(bare)


@pytest.mark.parametrize("first", ["approve", "cancel"])
async def test_of_an_approval_and_a_cancellation_at_once_one_wins(appliance: Appliance, bare: Path, first: str) -> None:
    task_id = await waiting(appliance, bare)
    words: dict[str, Awaitable[TaskState]] = {
        "approve": appliance.tasks.approve(task_id, GRACE),
        "cancel": appliance.tasks.cancel(task_id, ADA),
    }
    both = [words.pop(first), *words.values()]
    said = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(answer, WrongState) for answer in said) == 1
    state = await ended(appliance, task_id)
    assert state.status in {"merged", "cancelled"}
    assert has_change(bare) is (state.status == "merged")
    assert len({"task.approved", "task.cancelled"} & set(await types(appliance, task_id))) == 1
    assert await appliance.tasks.resume() == []


async def test_of_two_approvals_at_once_one_is_recorded_and_the_change_is_merged(
    appliance: Appliance, bare: Path
) -> None:
    task_id = await waiting(appliance, bare)
    both = [appliance.tasks.approve(task_id, GRACE), appliance.tasks.approve(task_id, HOPPER)]
    said = await asyncio.gather(*both, return_exceptions=True)
    assert [type(answer) for answer in said if isinstance(answer, Exception)] == [WrongState]
    assert (await ended(appliance, task_id)).status == "merged"
    assert has_change(bare)
    assert [type_ for type_ in await types(appliance, task_id) if type_ in {"task.approved", "task.failed"}] == [
        "task.approved"
    ]


async def test_an_approval_in_the_moment_the_task_parks_is_not_lost(
    appliance: Appliance, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that parks it has looked for a decision, found none and is about to leave."""
    looked, leave, find = asyncio.Event(), asyncio.Event(), SqlLedger.find

    async def found(ledger: SqlLedger, key: str) -> Entry | None:
        entry = await find(ledger, key)
        if key.endswith("/decided") and not looked.is_set():
            looked.set()
            await leave.wait()
        return entry

    monkeypatch.setattr(SqlLedger, "find", found)
    task_id = await submit(appliance, bare)
    await looked.wait()
    await appliance.tasks.approve(task_id, GRACE)
    leave.set()
    assert (await ended(appliance, task_id)).status == "merged"


async def test_a_cancelled_task_stays_cancelled_whatever_a_worker_still_records(
    appliance: Appliance, bare: Path
) -> None:
    task_id = await submit(appliance, bare)
    assert (await appliance.tasks.cancel(task_id, ADA)).status == "cancelled"
    for late in ("task.waiting", "task.approved", "task.merged", "task.rolled_back"):
        await appliance.ledger.append(Draft(stream_of(task_id), late, "workflow", "second", data={"reason": "late"}))
    state = await appliance.tasks.state(task_id)
    assert (state.status, state.reason) == ("cancelled", "cancelled by ada")
    assert await appliance.tasks.resume() == []


async def test_only_the_requester_or_an_approver_cancels(appliance: Appliance, bare: Path) -> None:
    task_id = await waiting(appliance, bare)
    with pytest.raises(ApprovalRefused, match="ada asked for this change"):
        await appliance.tasks.cancel(task_id, HOPPER)
    assert (await appliance.tasks.cancel(task_id, GRACE, anyones=True)).status == "cancelled"


async def test_a_merge_that_the_repository_refuses_fails_and_is_nowhere(
    appliance: Appliance, bare: Path, gate: Gate
) -> None:
    task_id = await waiting(appliance, bare)
    await appliance.tasks.approve(task_id, GRACE)
    await asyncio.to_thread(gate.reached)
    await asyncio.to_thread(gate.answer, 1)
    assert (await ended(appliance, task_id)).status == "failed"
    assert not has_change(bare)


async def test_two_rollbacks_at_once_are_one(appliance: Appliance, bare: Path) -> None:
    task_id = await waiting(appliance, bare)
    await appliance.tasks.approve(task_id, GRACE)
    await ended(appliance, task_id)
    both = [appliance.tasks.roll_back(task_id, GRACE), appliance.tasks.roll_back(task_id, HOPPER)]
    said = await asyncio.gather(*both, return_exceptions=True)
    assert [type(answer) for answer in said if isinstance(answer, Exception)] == [WrongState]
    assert (await ended(appliance, task_id)).status == "rolled_back"
    assert not has_change(bare)
    assert (await types(appliance, task_id)).count("task.rollback_requested") == 1


async def test_a_rollback_that_the_repository_refuses_can_be_tried_again(
    appliance: Appliance, bare: Path, tmp_path: Path
) -> None:
    task_id = await waiting(appliance, bare)
    await appliance.tasks.approve(task_id, GRACE)
    await ended(appliance, task_id)
    gate = Gate(bare, tmp_path)
    for code, status in ((1, "merged"), (0, "rolled_back")):
        rollback = asyncio.create_task(appliance.tasks.roll_back(task_id, GRACE))
        await asyncio.to_thread(gate.reached)
        await asyncio.to_thread(gate.answer, code)
        assert (await rollback).status == status
        assert has_change(bare) is (status == "merged")


async def test_events_of_a_task_end_where_nothing_follows(appliance: Appliance, bare: Path) -> None:
    task_id = await waiting(appliance, bare)
    await appliance.tasks.approve(task_id, GRACE)
    merged = await ended(appliance, task_id)
    after_the_end = appliance.tasks.events(task_id, ADA.tenant, merged.last_seq)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert [entry async for entry in after_the_end] == []

    await appliance.tasks.roll_back(task_id, GRACE)
    seen = [entry.type async for entry in appliance.tasks.events(task_id, ADA.tenant)]
    assert (seen[0], seen[-1]) == ("task.submitted", "task.rolled_back")
    last = [entry.type async for entry in appliance.tasks.events(task_id, ADA.tenant, merged.last_seq)]
    assert (last[0], last[-1]) == ("task.rollback_requested", "task.rolled_back")


def test_a_stream_without_entries_is_no_task() -> None:
    assert fold([]) is None


async def test_a_task_whose_bodies_were_let_go_while_it_waited_ends_and_says_so(
    appliance: Appliance, bare: Path
) -> None:
    request = TaskRequest(repository=str(bare), instruction=INSTRUCTION, tests=TESTS)
    task_id = (await appliance.tasks.submit(request, replace(ADA, workload="regulated"))).id
    await until(appliance, task_id, "task.waiting")
    ledger = appliance.ledger
    assert isinstance(ledger, SqlLedger)
    entries = await ledger.read(stream=stream_of(task_id))
    assert {entry.data.get("workload") for entry in entries if entry.output_digest} == {"regulated"}
    then = HandClock(datetime.now(UTC) + timedelta(days=8))
    ledger._clock = then
    rules = WorkloadRetention([WorkloadSpec(name="regulated", retention_days=7)], None)
    assert (await ledger.sweep(rules)).bodies
    with pytest.raises(BodyLetGo, match="let go under retention"):
        await appliance.tasks.diff(task_id, ADA.tenant)
    await appliance.tasks.approve(task_id, GRACE)
    state = await ended(appliance, task_id)
    assert (state.status, "let go under retention" in state.reason) == ("failed", True)
    assert not has_change(bare)
    assert (await ledger.verify()).ok
