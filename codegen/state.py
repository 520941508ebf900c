"""A task as people see it: a fold of its ledger entries. No other record of a task's state exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from ledger.protocol import Entry, JsonValue

Status = Literal[
    "running", "waiting", "merged", "refused", "rejected", "failed", "cancelled", "rolling_back", "rolled_back"
]
RESUMABLE: frozenset[Status] = frozenset({"running", "rolling_back"})

_STATUS_AFTER: Mapping[str, Status] = {
    "task.submitted": "running",
    "task.waiting": "waiting",
    "task.approved": "running",
    "task.rejected": "rejected",
    "task.merged": "merged",
    "task.refused": "refused",
    "task.failed": "failed",
    "task.cancelled": "cancelled",
    "task.rollback_requested": "rolling_back",
    "task.rollback_failed": "merged",
    "task.rolled_back": "rolled_back",
}


def stream_of(task_id: str) -> str:
    """The ledger stream of a task."""
    return f"task/{task_id}"


def decision_key(task_id: str) -> str:
    """A task is approved or rejected once: both entries have this key."""
    return f"{task_id}/decided"


def end_key(task_id: str) -> str:
    """A task ends once: every closing entry has this key."""
    return f"{task_id}/ended"


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task now. `steps` names the finished ones in order; `reason` says why it ended as it did."""

    id: str
    status: Status
    tenant: str
    requester: str
    submitted: datetime
    updated: datetime
    request: Mapping[str, JsonValue]
    body_digest: str
    steps: tuple[str, ...] = ()
    attempts: int = 0
    cost_usd: Decimal = Decimal(0)
    decided_by: str | None = None
    merge_commit: str | None = None
    rollback_by: str | None = None
    rollback_commit: str | None = None
    reason: str = ""
    last_seq: int = 0


def fold(entries: Iterable[Entry]) -> TaskState | None:
    """The state after these entries of one task's stream; None when it has none."""
    state: TaskState | None = None
    for entry in entries:
        state = _submitted(entry) if state is None else _next(state, entry)
    return state


def _submitted(entry: Entry) -> TaskState:
    return TaskState(
        id=entry.stream.removeprefix("task/"),
        status="running",
        tenant=entry.tenant,
        requester=entry.actor,
        submitted=entry.time,
        updated=entry.time,
        request=entry.data,
        body_digest=entry.output_digest or "",
        last_seq=entry.seq,
    )


def _next(state: TaskState, entry: Entry) -> TaskState:
    state = replace(state, status=_STATUS_AFTER.get(entry.type, state.status), updated=entry.time, last_seq=entry.seq)
    if entry.type == "step.finished":
        return _with_step(state, entry)
    if entry.type in {"task.approved", "task.rejected"}:
        return replace(state, decided_by=entry.actor, reason=str(entry.data.get("reason", "")))
    if entry.type == "task.merged":
        return replace(state, merge_commit=str(entry.data["merge_commit"]))
    if entry.type == "task.rollback_requested":
        return replace(state, rollback_by=entry.actor, reason="")
    if entry.type == "task.rolled_back":
        return replace(state, rollback_commit=str(entry.data["commit"]))
    if "reason" in entry.data:
        return replace(state, reason=str(entry.data["reason"]))
    return state


def _with_step(state: TaskState, entry: Entry) -> TaskState:
    step = str(entry.data["step"])
    is_draft = step.startswith("draft/")
    cost = Decimal(str(entry.data["cost_usd"])) if is_draft else Decimal(0)
    return replace(
        state, steps=(*state.steps, step), attempts=state.attempts + is_draft, cost_usd=state.cost_usd + cost
    )
