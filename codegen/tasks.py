"""The code tasks of an appliance: take on, go on after a restart, approve, reject, cancel, roll back.

One process runs a store's tasks. All state is in the ledger; what is kept here is only which
workflows are running right now. Whoever wants a task's fate first records it under the key that
only one entry can have (`decision_key`), and acts only if that entry is theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

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
from codegen.state import (
    ENDED,
    RESUMABLE,
    TaskState,
    advance,
    decision_key,
    end_key,
    fold,
    rollback_key,
    stream_of,
    task_of,
    workload_of,
)
from codegen.steps import WORKFLOW
from codegen.workflow import Workflow, Workshop
from inference.errors import EngineError
from inference.protocol import Caller
from ledger.protocol import BodyLetGo, Draft, Entry, JsonValue, LedgerDamaged, LedgerUnavailable
from retrieval.protocol import RetrievalError
from sandbox.protocol import SandboxError

log = logging.getLogger(__name__)
_TASK = TypeAdapter(Task)


class Tasks:
    """All tasks of one store, and the workflows that run."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._workers: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(workshop.spec.max_parallel_tasks)

    # -- taking on and going on -------------------------------------------------------------------------------

    async def submit(self, request: TaskRequest, caller: Caller) -> TaskState:
        """Take a task on and start it. Raises `InvalidTask` or `RepositoryProblem`; then nothing was started."""
        if not request.instruction.strip():
            raise InvalidTask("The task has no instruction; say in a sentence what the code should do.")
        repository = self._shop.open_repository(Path(request.repository))
        base = await repository.prepare(request.branch, allow_dirty=request.allow_dirty)
        task_id = f"tsk_{uuid.uuid4().hex[:20]}"
        task = Task(task_id, request, replace(caller, task=task_id), base, time.time())
        summary: dict[str, JsonValue] = {
            "instruction": request.instruction,
            "repository": request.repository,
            "branch": request.branch,
            "base_commit": base,
            "files": list(request.files),
            "tests": sorted(request.tests or {}),
            "model": request.model,
            **workload_of(caller),
        }
        submitted = _said(task.id, caller, "task.submitted", f"{task.id}/submitted", **summary)
        await self._shop.ledger.append(replace(submitted, output_body=_TASK.dump_json(task)))
        state = await self.state(task.id, caller.tenant)
        self._start(task.id)
        return state

    async def resume(self) -> list[str]:
        """Go on with every task that a stopped process left behind; their ids."""
        left = [state.id for state in await self._states() if state.status in RESUMABLE]
        for task_id in left:
            self._start(task_id)
        return left

    def _start(self, task_id: str) -> asyncio.Task[None]:
        """Go on with a task in the background. Workers of one task take turns, so starting once more is harmless."""
        worker = asyncio.create_task(self._go_on(task_id), name=task_id)
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return worker

    async def _go_on(self, task_id: str) -> None:
        """Whatever the task's state asks for now: its workflow, its rollback or nothing."""
        try:
            async with self._turns.setdefault(task_id, asyncio.Lock()):
                state = await self.state(task_id)
                if state.status == "running":
                    await self._work(state)
                elif state.status == "rolling_back":
                    await self._undo(state)
        except (LedgerUnavailable, LedgerDamaged) as error:
            # Nothing can be recorded, so nothing is: the task goes on at the next start.
            log.warning("task %s stopped because the ledger is unavailable: %s", task_id, error)

    async def _work(self, state: TaskState) -> None:
        async with self._slots:
            failure = await self._failure(state, lambda workflow: workflow.run())
        if failure is None:
            return
        # Before the decision a failure decides; after an approval it is how the merge ended.
        failed = self._by_workflow(state, "task.failed", decision_key(state.id), failure)
        if (await self._shop.ledger.append(failed)).type == "task.approved":
            await self._shop.ledger.append(replace(failed, key=end_key(state.id)))

    async def _undo(self, state: TaskState) -> None:
        merge, by = state.merge_commit or "", state.rollback_by or ""
        if failure := await self._failure(state, lambda workflow: workflow.roll_back(merge, by)):
            key = f"{rollback_key(state.id, state.rollbacks)}/failed"
            await self._shop.ledger.append(self._by_workflow(state, "task.rollback_failed", key, failure))

    async def _failure(self, state: TaskState, work: Callable[[Workflow], Awaitable[None]]) -> str | None:
        """A workflow step's boundary: what a task cannot get over becomes the sentence it ends with."""
        try:
            await work(Workflow(self._shop, await self._task(state)))
        except (LedgerUnavailable, LedgerDamaged):
            raise
        except (TaskError, EngineError, SandboxError, RetrievalError, BodyLetGo) as error:
            return str(error)
        except Exception:
            log.exception("task %s stopped by an unforeseen error", state.id)
            return "An unforeseen error stopped the task; the appliance's log has it under the task's id."
        return None

    def _by_workflow(self, state: TaskState, type_: str, key: str, reason: str) -> Draft:
        return Draft(stream_of(state.id), type_, WORKFLOW, state.tenant, data={"reason": reason}, key=key)

    async def close(self) -> None:
        """Stop the workflows; the next start goes on with them."""
        await _stopped(self._workers)

    # -- a person's word --------------------------------------------------------------------------------------

    async def approve(self, task_id: str, by: Caller) -> TaskState:
        """Let a waiting change be merged. The requester's own approval does not count."""
        state = await self._waiting(task_id, by.tenant)
        if by.actor == state.requester:
            raise ApprovalRefused(f"{by.actor} asked for this change, so somebody else must approve it.")
        await self._decide(_said(task_id, by, "task.approved", decision_key(task_id)))
        self._start(task_id)
        return await self.state(task_id, by.tenant)

    async def reject(self, task_id: str, by: Caller, reason: str) -> TaskState:
        """Turn a waiting change down; its branch stays for reading."""
        await self._waiting(task_id, by.tenant)
        await self._decide(_said(task_id, by, "task.rejected", decision_key(task_id), reason=reason))
        return await self.state(task_id, by.tenant)

    async def _waiting(self, task_id: str, tenant: str) -> TaskState:
        state = await self.state(task_id, tenant)
        if state.status != "waiting":
            raise WrongState(f"Task {task_id} is {state.status}; only a waiting task can be approved or rejected.")
        return state

    async def cancel(self, task_id: str, by: Caller, *, anyones: bool = False) -> TaskState:
        """Stop a task that is not decided yet; nothing is merged afterwards. Only its requester may, unless `anyones`.

        From the approval on the merge has the word: what is merged is not cancelled but rolled back.
        """
        state = await self.state(task_id, by.tenant)
        if by.actor != state.requester and not anyones:
            raise ApprovalRefused(f"{state.requester} asked for this change; only they or an approver may cancel it.")
        if state.status not in {"running", "waiting"}:
            raise WrongState(f"Task {task_id} is {state.status}; it cannot be cancelled any more.")
        reason = f"cancelled by {by.actor}"
        await self._decide(_said(task_id, by, "task.cancelled", decision_key(task_id), reason=reason))
        await _stopped({worker for worker in self._workers if worker.get_name() == task_id})
        return await self.state(task_id, by.tenant)

    async def _decide(self, said: Draft) -> None:
        """Record a decision unless somebody else's came first. Saying the same again is harmless."""
        entry = await self._shop.ledger.append(said)
        if (entry.type, entry.actor) != (said.type, said.actor):
            first = f"{entry.type} by {entry.actor}"
            raise WrongState(f"Task {task_of(entry.stream)} was decided in the meantime ({first}); look at it again.")

    async def roll_back(self, task_id: str, by: Caller) -> TaskState:
        """Undo a merged task by a recorded revert; returns when it is done."""
        state = await self.state(task_id, by.tenant)
        if state.status != "merged":
            raise WrongState(f"Task {task_id} is {state.status}; only a merged task can be rolled back.")
        key = rollback_key(task_id, state.rollbacks + 1)
        await self._decide(_said(task_id, by, "task.rollback_requested", key))
        await asyncio.wait({self._start(task_id)})
        return await self.state(task_id, by.tenant)

    # -- looking ----------------------------------------------------------------------------------------------

    async def state(self, task_id: str, tenant: str | None = None) -> TaskState:
        """A task now. Raises `UnknownTask`, also for another tenant's task."""
        return (await self._history(task_id, tenant))[0]

    async def _history(self, task_id: str, tenant: str | None) -> tuple[TaskState, list[Entry]]:
        entries = await self._shop.ledger.read(stream=stream_of(task_id))
        state = fold(entries)
        if state is None or (tenant is not None and state.tenant != tenant):
            raise UnknownTask(f"There is no task {task_id!r}.")
        return state, entries

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
        """A task's entries after a sequence number as they come, until nothing is going on with it any more."""
        state, past = await self._history(task_id, tenant)
        for entry in past:
            if entry.seq > after:
                yield entry
        if state.status in ENDED:
            return
        async for entry in self._shop.ledger.follow(stream_of(task_id), after=state.last_seq):
            state = advance(state, entry)
            yield entry
            if state.status in ENDED:
                return

    async def _task(self, state: TaskState) -> Task:
        return _TASK.validate_json(await self._shop.ledger.get_body(state.body_digest))


async def _stopped(workers: set[asyncio.Task[None]]) -> None:
    """Cancel workers and wait until they are gone."""
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def _said(task_id: str, by: Caller, type_: str, key: str | None = None, **data: JsonValue) -> Draft:
    """An entry of a task's stream in a person's name."""
    return Draft(stream_of(task_id), type_, by.actor, by.tenant, data=data, key=key)
