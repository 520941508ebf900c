"""The code tasks of an appliance: take on, go on after a restart, approve, reject, cancel, roll back.

One process runs a store's tasks. All state is in the ledger; what is kept here is only which
workflows are running right now.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from codegen.protocol import (
    ApprovalRefused,
    InvalidTask,
    Proposal,
    Task,
    TaskError,
    TaskRequest,
    UnknownTask,
    WrongState,
)
from codegen.state import RESUMABLE, TaskState, decision_key, end_key, fold, stream_of
from codegen.workflow import Workflow, Workshop
from inference.errors import EngineError
from inference.protocol import Caller
from ledger.protocol import Draft, Entry, JsonValue, LedgerDamaged, LedgerUnavailable
from sandbox.protocol import SandboxError

log = logging.getLogger(__name__)
_TASK = TypeAdapter(Task)
_CLOSING = frozenset({"task.merged", "task.refused", "task.failed", "task.cancelled", "task.rejected"})


class Tasks:
    """All tasks of one store, and the workflows that run."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._running: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(workshop.spec.max_parallel_tasks)

    # -- taking on and going on -------------------------------------------------------------------------------

    async def submit(self, request: TaskRequest, caller: Caller) -> TaskState:
        """Take a task on and start it. Raises `InvalidTask` or `RepositoryProblem`; then nothing was started."""
        if not request.instruction.strip():
            raise InvalidTask("The task has no instruction; say in a sentence what the code should do.")
        repository = self._shop.open_repository(Path(request.repository))
        base = await repository.prepare(request.branch, allow_dirty=request.allow_dirty)
        task = Task(f"tsk_{uuid.uuid4().hex[:20]}", request, caller, base, time.time())
        body = await self._shop.ledger.put_body(_TASK.dump_json(task))
        summary: dict[str, JsonValue] = {
            "instruction": request.instruction,
            "repository": request.repository,
            "branch": request.branch,
            "base_commit": base,
            "files": list(request.files),
            "tests": sorted(request.tests or {}),
            "model": request.model,
        }
        submitted = _said(task.id, caller, "task.submitted", f"{task.id}/submitted", **summary)
        await self._shop.ledger.append(replace(submitted, output_digest=body))
        state = await self.state(task.id, caller.tenant)
        self._start(task.id, self._work(await self._task(state)))  # as stored, which is what a restart would read
        return state

    async def resume(self) -> list[str]:
        """Go on with every task that a stopped process left behind; their ids."""
        left = [state for state in await self._states() if state.status in RESUMABLE]
        for state in left:
            task = await self._task(state)
            is_rollback = state.status == "rolling_back"
            self._start(task.id, self._undo(task, state) if is_rollback else self._work(task))
        return [state.id for state in left]

    def _start(self, task_id: str, work: Coroutine[object, object, None]) -> None:
        running = asyncio.create_task(work, name=task_id)
        self._running[task_id] = running
        running.add_done_callback(lambda done: self._running.pop(task_id, None))

    async def _work(self, task: Task) -> None:
        async with self._slots:
            with self._boundary(task) as failure:
                await Workflow(self._shop, task).run()
            if failure:
                await self._fail(task, failure[0])

    async def _undo(self, task: Task, state: TaskState) -> None:
        with self._boundary(task) as failure:
            await Workflow(self._shop, task).roll_back(state.merge_commit or "", state.rollback_by or "")
        if failure:
            await self._shop.ledger.append(_said(task.id, task.caller, "task.rollback_failed", reason=failure[0]))

    @contextmanager
    def _boundary(self, task: Task) -> Iterator[list[str]]:
        """A workflow step's boundary: what a task cannot get over becomes the sentence it ends with."""
        failure: list[str] = []
        try:
            yield failure
        except (LedgerUnavailable, LedgerDamaged) as error:
            # Nothing can be recorded, so nothing is: the task goes on at the next start.
            log.warning("task %s stopped because the ledger is unavailable: %s", task.id, error)
        except (TaskError, EngineError, SandboxError) as error:
            failure.append(str(error))
        except Exception:
            log.exception("task %s stopped by an unforeseen error", task.id)
            failure.append("An unforeseen error stopped the task; the appliance's log has it under the task's id.")

    async def _fail(self, task: Task, reason: str) -> None:
        await self._shop.ledger.append(_said(task.id, task.caller, "task.failed", end_key(task.id), reason=reason))

    async def close(self) -> None:
        """Stop the workflows; the next start goes on with them."""
        running = list(self._running.values())
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # -- a person's word --------------------------------------------------------------------------------------

    async def approve(self, task_id: str, by: Caller) -> TaskState:
        """Let a waiting change be merged. The requester's own approval does not count."""
        state = await self._waiting(task_id, by.tenant)
        if by.actor == state.requester:
            raise ApprovalRefused(f"{by.actor} asked for this change, so somebody else must approve it.")
        entry = await self._shop.ledger.append(_said(task_id, by, "task.approved", decision_key(task_id)))
        if entry.type == "task.approved" and task_id not in self._running:
            self._start(task_id, self._work(await self._task(state)))
        return await self.state(task_id, by.tenant)

    async def reject(self, task_id: str, by: Caller, reason: str) -> TaskState:
        """Turn a waiting change down; its branch stays for reading."""
        await self._waiting(task_id, by.tenant)
        await self._shop.ledger.append(_said(task_id, by, "task.rejected", decision_key(task_id), reason=reason))
        return await self.state(task_id, by.tenant)

    async def _waiting(self, task_id: str, tenant: str) -> TaskState:
        state = await self.state(task_id, tenant)
        if state.status != "waiting":
            raise WrongState(f"Task {task_id} is {state.status}; only a waiting task can be approved or rejected.")
        return state

    async def cancel(self, task_id: str, by: Caller) -> TaskState:
        """Stop a task that has not ended; nothing is merged afterwards."""
        state = await self.state(task_id, by.tenant)
        if state.status not in {"running", "waiting"}:
            raise WrongState(f"Task {task_id} is {state.status}; it cannot be cancelled any more.")
        if work := self._running.get(task_id):
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        reason = f"cancelled by {by.actor}"
        await self._shop.ledger.append(_said(task_id, by, "task.cancelled", end_key(task_id), reason=reason))
        return await self.state(task_id, by.tenant)

    async def roll_back(self, task_id: str, by: Caller) -> TaskState:
        """Undo a merged task by a recorded revert; returns when it is done."""
        state = await self.state(task_id, by.tenant)
        if state.status != "merged":
            raise WrongState(f"Task {task_id} is {state.status}; only a merged task can be rolled back.")
        await self._shop.ledger.append(_said(task_id, by, "task.rollback_requested"))
        requested = await self.state(task_id, by.tenant)
        await self._undo(await self._task(requested), requested)
        return await self.state(task_id, by.tenant)

    # -- looking ----------------------------------------------------------------------------------------------

    async def state(self, task_id: str, tenant: str | None = None) -> TaskState:
        """A task now. Raises `UnknownTask`, also for another tenant's task."""
        state = fold(await self._shop.ledger.read(stream=stream_of(task_id)))
        if state is None or (tenant is not None and state.tenant != tenant):
            raise UnknownTask(f"There is no task {task_id!r}.")
        return state

    async def of_tenant(self, tenant: str) -> list[TaskState]:
        """A tenant's tasks, newest first."""
        return [state for state in reversed(await self._states()) if state.tenant == tenant]

    async def _states(self) -> list[TaskState]:
        by_stream: dict[str, list[Entry]] = {}
        for entry in await self._shop.ledger.read(stream="task/"):
            by_stream.setdefault(entry.stream, []).append(entry)
        return [state for entries in by_stream.values() if (state := fold(entries))]

    async def diff(self, task_id: str, tenant: str) -> str:
        """The proposed change as a unified diff. Raises `WrongState` before there is one."""
        await self.state(task_id, tenant)
        entry = await self._shop.ledger.find(f"{task_id}/propose/finished")
        if entry is None:
            raise WrongState(f"Task {task_id} has no proposed change yet.")
        body = await self._shop.ledger.get_body(entry.output_digest or "")
        return TypeAdapter(Proposal).validate_json(body).diff

    async def events(self, task_id: str, tenant: str, after: int = 0) -> AsyncGenerator[Entry, None]:
        """A task's entries as they come, until it has ended or waits for a person."""
        await self.state(task_id, tenant)
        async for entry in self._shop.ledger.follow(stream_of(task_id), after=after):
            yield entry
            if entry.type in _CLOSING or entry.type == "task.rolled_back":
                return

    async def _task(self, state: TaskState) -> Task:
        return _TASK.validate_json(await self._shop.ledger.get_body(state.body_digest))


def _said(task_id: str, by: Caller, type_: str, key: str | None = None, **data: JsonValue) -> Draft:
    """An entry of a task's stream in a person's name."""
    return Draft(stream_of(task_id), type_, by.actor, by.tenant, data=data, key=key)
