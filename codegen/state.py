"""A task as people see it: a fold of its ledger entries. No other record of a task's state exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from inference.protocol import Caller
from ledger.protocol import Entry, JsonValue

Status = Literal[
    "running", "waiting", "merged", "refused", "rejected", "failed", "cancelled", "rolling_back", "rolled_back"
]
RESUMABLE: frozenset[Status] = frozenset({"running", "rolling_back"})
ENDED: frozenset[Status] = frozenset({"merged", "refused", "rejected", "failed", "cancelled", "rolled_back"})

_OPEN: frozenset[Status] = frozenset({"running", "waiting"})
# Which entry leads from which states to which. One that comes too late (a step that a cancelled worker still
# finished) changes nothing: after an end only a rollback can follow.
_TRANSITIONS: Mapping[str, tuple[frozenset[Status], Status]] = {
    "task.waiting": (_OPEN, "waiting"),
    "task.approved": (_OPEN, "running"),
    "task.rejected": (_OPEN, "rejected"),
    "task.merged": (_OPEN, "merged"),
    "task.refused": (_OPEN, "refused"),
    "task.failed": (_OPEN, "failed"),
    "task.cancelled": (_OPEN, "cancelled"),
    "task.rollback_requested": (frozenset({"merged"}), "rolling_back"),
    "task.rollback_failed": (frozenset({"rolling_back"}), "merged"),
    "task.rolled_back": (frozenset({"rolling_back"}), "rolled_back"),
}


def stream_of(task_id: str) -> str:
    """The ledger stream of a task."""
    return f"task/{task_id}"


def task_of(stream: str) -> str:
    """The task of a ledger stream."""
    return stream.removeprefix("task/")


def decision_key(task_id: str) -> str:
    """A task is decided once: approved (by a person or by policy), or rejected, cancelled, refused or failed.

    All of these entries have this key, so the ledger lets the first one win. Only after an approval
    does anything reach the target branch.
    """
    return f"{task_id}/decided"


def end_key(task_id: str) -> str:
    """An approved task ends once, merged or failed: both entries have this key."""
    return f"{task_id}/ended"


def rollback_key(task_id: str, number: int) -> str:
    """The first, second, ... rollback of a task is requested once."""
    return f"{task_id}/rollback/{number}"


def workload_of(caller: Caller) -> Mapping[str, JsonValue]:
    """What entries with bodies say of a task's class of traffic: the ledger keeps them as long as the class says."""
    return {"workload": caller.workload} if caller.workload else {}


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
    rollbacks: int = 0
    rollback_by: str | None = None
    rollback_commit: str | None = None
    reason: str = ""
    last_seq: int = 0


def fold(entries: Iterable[Entry]) -> TaskState | None:
    """The state after these entries of one task's stream; None when it has none."""
    state: TaskState | None = None
    for entry in entries:
        state = _submitted(entry) if state is None else advance(state, entry)
    return state


def advance(state: TaskState, entry: Entry) -> TaskState:
    """The state after one more entry of the task's stream."""
    state = replace(state, updated=entry.time, last_seq=entry.seq)
    if entry.type == "step.finished":
        return _with_step(state, entry)
    if entry.type not in _TRANSITIONS or state.status not in _TRANSITIONS[entry.type][0]:
        return state
    return _with_news(replace(state, status=_TRANSITIONS[entry.type][1]), entry)


def _submitted(entry: Entry) -> TaskState:
    return TaskState(
        id=task_of(entry.stream),
        status="running",
        tenant=entry.tenant,
        requester=entry.actor,
        submitted=entry.time,
        updated=entry.time,
        request=entry.data,
        body_digest=entry.output_digest or "",
        last_seq=entry.seq,
    )


def _with_news(state: TaskState, entry: Entry) -> TaskState:
    if entry.type in {"task.approved", "task.rejected"}:
        return replace(state, decided_by=entry.actor, reason=str(entry.data.get("reason", "")))
    if entry.type == "task.merged":
        return replace(state, merge_commit=str(entry.data["merge_commit"]))
    if entry.type == "task.rollback_requested":
        return replace(state, rollbacks=state.rollbacks + 1, rollback_by=entry.actor, reason="")
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
