"""/v1/tasks: submit a code task, watch it, read its change, approve, reject, cancel, roll back.

Bodies here are what clients see of a task; the work itself is codegen's.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from codegen.policy import matches
from codegen.protocol import InvalidTask, TaskRequest
from codegen.state import Status, TaskState
from codegen.tasks import Tasks
from gateway.access import CallerOf
from inference.protocol import Caller
from ledger.protocol import Entry
from router.spec import TenantSpec


class TaskBody(BaseModel):
    """A code task. `files` may be left out: then the plan finds them."""

    model_config = ConfigDict(extra="forbid")

    repository: str = Field(description="Absolute path of a checkout or a bare repository on the appliance's machine.")
    instruction: str = Field(min_length=1, max_length=20_000)
    branch: str = "main"
    files: list[str] = Field(default_factory=list, max_length=50, description="Paths that may change.")
    tests: dict[str, str] = Field(default_factory=dict, description="Acceptance tests: path -> text.")
    model: str = "auto"
    budget_usd: Annotated[Decimal, Field(gt=0)] | None = None
    allow_dirty: bool = Field(default=False, description="Work from the last commit of a checkout with changes.")

    def request(self) -> TaskRequest:
        """As the workflow takes it."""
        if not self.repository.startswith("/"):
            raise InvalidTask(f"`repository` must be an absolute path, found {self.repository!r}.")
        return TaskRequest(
            str(Path(self.repository).resolve()),  # links must not lead around a tenant's allowed paths
            self.instruction,
            self.branch,
            tuple(self.files),
            self.tests,
            self.model,
            self.budget_usd,
            self.allow_dirty,
        )


class RejectBody(BaseModel):
    """Why a change is turned down."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=2_000)


class TaskView(BaseModel):
    """A task as clients see it."""

    id: str
    status: Status
    requester: str
    submitted: datetime
    updated: datetime
    instruction: str
    repository: str
    branch: str
    steps: list[str]
    attempts: int
    cost_usd: str
    decided_by: str | None
    merge_commit: str | None
    rollback_commit: str | None
    reason: str
    last_seq: int

    @classmethod
    def of(cls, state: TaskState) -> "TaskView":
        """The view of a state."""
        return cls(
            id=state.id,
            status=state.status,
            requester=state.requester,
            submitted=state.submitted,
            updated=state.updated,
            instruction=str(state.request["instruction"]),
            repository=str(state.request["repository"]),
            branch=str(state.request["branch"]),
            steps=list(state.steps),
            attempts=state.attempts,
            cost_usd=f"{state.cost_usd:f}",
            decided_by=state.decided_by,
            merge_commit=state.merge_commit,
            rollback_commit=state.rollback_commit,
            reason=state.reason,
            last_seq=state.last_seq,
        )


def event_json(entry: Entry) -> dict[str, Any]:
    """A ledger entry as an event of a task."""
    return {
        "seq": entry.seq,
        "time": entry.time.isoformat(),
        "type": entry.type,
        "actor": entry.actor,
        "data": entry.data,
    }


def tasks_router(tasks: Tasks, tenants: Sequence[TenantSpec], developer: CallerOf, approver: CallerOf) -> APIRouter:
    """The routes. `developer` and `approver` are dependencies that give the caller of that role."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"])
    _add_work(router, tasks, {tenant.name: tenant for tenant in tenants}, developer)
    _add_reading(router, tasks, developer)
    _add_decisions(router, tasks, developer, approver)
    return router


def _add_work(router: APIRouter, tasks: Tasks, tenants: dict[str, TenantSpec], developer: CallerOf) -> None:
    @router.post("", status_code=202)
    async def submit(body: TaskBody, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """Take a task on; it runs in the background."""
        request = body.request()
        _check_repository(request.repository, tenants[caller.tenant])
        return TaskView.of(await tasks.submit(request, caller))


def _check_repository(repository: str, tenant: TenantSpec) -> None:
    if not any(matches(repository, glob) for glob in tenant.repositories):
        allowed = ", ".join(tenant.repositories) or "none"
        raise InvalidTask(f"Tenant {tenant.name!r} may not work on {repository}; allowed paths: {allowed}.")


def _add_reading(router: APIRouter, tasks: Tasks, developer: CallerOf) -> None:
    @router.get("")
    async def list_tasks(caller: Annotated[Caller, Depends(developer)]) -> list[TaskView]:
        """The tenant's tasks, newest first."""
        return [TaskView.of(state) for state in await tasks.of_tenant(caller.tenant)]

    @router.get("/{task_id}")
    async def get_task(task_id: str, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """One task now."""
        return TaskView.of(await tasks.state(task_id, caller.tenant))

    @router.get("/{task_id}/diff", response_class=PlainTextResponse)
    async def diff(task_id: str, caller: Annotated[Caller, Depends(developer)]) -> str:
        """The proposed change, as a unified diff."""
        return await tasks.diff(task_id, caller.tenant)

    @router.get("/{task_id}/events", response_class=StreamingResponse)
    async def events(
        task_id: str,
        caller: Annotated[Caller, Depends(developer)],
        last_event_id: Annotated[int, Header()] = 0,
    ) -> StreamingResponse:
        """Server-sent events: what happened and what happens, until the task has ended."""
        await tasks.state(task_id, caller.tenant)
        return StreamingResponse(_sse(tasks, task_id, caller, last_event_id), media_type="text/event-stream")


async def _sse(tasks: Tasks, task_id: str, caller: Caller, after: int) -> AsyncGenerator[str, None]:
    async for entry in tasks.events(task_id, caller.tenant, after):
        yield f"id: {entry.seq}\nevent: {entry.type}\ndata: {json.dumps(event_json(entry))}\n\n"


def _add_decisions(router: APIRouter, tasks: Tasks, developer: CallerOf, approver: CallerOf) -> None:
    @router.post("/{task_id}/approve")
    async def approve(task_id: str, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Let the change be merged; the requester's own approval does not count."""
        return TaskView.of(await tasks.approve(task_id, caller))

    @router.post("/{task_id}/reject")
    async def reject(task_id: str, body: RejectBody, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Turn the change down."""
        return TaskView.of(await tasks.reject(task_id, caller, body.reason))

    @router.post("/{task_id}/cancel")
    async def cancel(task_id: str, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """Stop a task that has not ended."""
        return TaskView.of(await tasks.cancel(task_id, caller))

    @router.post("/{task_id}/rollback")
    async def roll_back(task_id: str, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Undo a merged change by a recorded revert."""
        return TaskView.of(await tasks.roll_back(task_id, caller))
