"""/v1/tasks: submit a code task, watch it, read its change, approve, reject, cancel, roll back.

Bodies here are what clients see of a task; the work itself is codegen's.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi import Path as PathParameter
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from codegen.policy import matches
from codegen.protocol import InvalidTask
from codegen.source import locate
from codegen.state import Status, TaskState
from codegen.tasks import Tasks
from gateway.access import CallerOf
from gateway.task_body import RejectBody, TaskBody
from inference.openai.routes import ERRORS
from inference.protocol import Caller
from ledger.protocol import Entry
from router.spec import TenantSpec

TaskId = Annotated[str, PathParameter(pattern=r"^[\w-]{1,64}$")]
_LAST_SEQ = 2**63 - 1  # what a ledger can count to


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
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses=ERRORS)
    _add_work(router, tasks, {tenant.name: tenant for tenant in tenants}, developer)
    _add_reading(router, tasks, developer)
    _add_decisions(router, tasks, developer, approver)
    return router


def _add_work(router: APIRouter, tasks: Tasks, tenants: dict[str, TenantSpec], developer: CallerOf) -> None:
    @router.post("", status_code=202)
    async def submit(body: TaskBody, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """Take a task on; it runs in the background."""
        request = body.request()
        await check_repository(request.repository, tenants[caller.tenant])
        return TaskView.of(await tasks.submit(request, caller))


async def check_repository(repository: str, tenant: TenantSpec) -> None:
    """The tenant's globs hold for the path, and for wherever its `.git` leads. Raises `InvalidTask`."""
    _check_path(repository, repository, tenant)
    for root in (await locate(Path(repository))).roots():
        _check_path(str(root), f"{repository}, which is a part of {root}", tenant)


def _check_path(path: str, named: str, tenant: TenantSpec) -> None:
    if not any(matches(path, glob) for glob in tenant.repositories):
        allowed = ", ".join(tenant.repositories) or "none"
        raise InvalidTask(f"Tenant {tenant.name!r} may not work on {named}; allowed paths: {allowed}.")


def _add_reading(router: APIRouter, tasks: Tasks, developer: CallerOf) -> None:
    @router.get("")
    async def list_tasks(caller: Annotated[Caller, Depends(developer)]) -> list[TaskView]:
        """The tenant's tasks, newest first."""
        return [TaskView.of(state) for state in await tasks.of_tenant(caller.tenant)]

    @router.get("/{task_id}")
    async def get_task(task_id: TaskId, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """One task now."""
        return TaskView.of(await tasks.state(task_id, caller.tenant))

    @router.get("/{task_id}/diff", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
    async def diff(task_id: TaskId, caller: Annotated[Caller, Depends(developer)]) -> PlainTextResponse:
        """The proposed change, as a unified diff."""
        return PlainTextResponse(await tasks.diff(task_id, caller.tenant))

    @router.get("/{task_id}/events", response_class=StreamingResponse)
    async def events(
        task_id: TaskId,
        caller: Annotated[Caller, Depends(developer)],
        last_event_id: Annotated[int, Header(ge=0, le=_LAST_SEQ)] = 0,
    ) -> StreamingResponse:
        """Server-sent events: what happened and what happens, until the task has ended."""
        await tasks.state(task_id, caller.tenant)
        return StreamingResponse(_sse(tasks, task_id, caller, last_event_id), media_type="text/event-stream")


async def _sse(tasks: Tasks, task_id: str, caller: Caller, after: int) -> AsyncGenerator[str, None]:
    async for entry in tasks.events(task_id, caller.tenant, after):
        yield f"id: {entry.seq}\nevent: {entry.type}\ndata: {json.dumps(event_json(entry))}\n\n"


def _add_decisions(router: APIRouter, tasks: Tasks, developer: CallerOf, approver: CallerOf) -> None:
    @router.post("/{task_id}/approve")
    async def approve(task_id: TaskId, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Let the change be merged; the requester's own approval does not count."""
        return TaskView.of(await tasks.approve(task_id, caller))

    @router.post("/{task_id}/reject")
    async def reject(task_id: TaskId, body: RejectBody, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Turn the change down."""
        return TaskView.of(await tasks.reject(task_id, caller, body.reason))

    @router.post("/{task_id}/cancel")
    async def cancel(task_id: TaskId, request: Request, caller: Annotated[Caller, Depends(developer)]) -> TaskView:
        """Stop a task that is not decided yet: one's own, or with the role approver anyone's."""
        return TaskView.of(await tasks.cancel(task_id, caller, anyones=request.state.key.role != "developer"))

    @router.post("/{task_id}/rollback")
    async def roll_back(task_id: TaskId, caller: Annotated[Caller, Depends(approver)]) -> TaskView:
        """Undo a merged change by a recorded revert."""
        return TaskView.of(await tasks.roll_back(task_id, caller))
