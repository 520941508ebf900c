"""Durable steps: intent, act, outcome. A step that has an outcome is never run again.

State is a fold of the task's ledger stream. After a kill the workflow runs from its beginning; every
step with an outcome answers from the ledger, and the first one without an outcome goes on for real.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pydantic import TypeAdapter
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from codegen.protocol import Task
from codegen.state import stream_of, workload_of
from ledger.protocol import Draft, Entry, JsonValue, Ledger

T = TypeVar("T")
WORKFLOW = "workflow"


class Steps:
    """The steps of one task. `types` of results are dataclasses that pydantic can write and read back."""

    def __init__(self, ledger: Ledger, task: Task, *, tries: int = 4, longest_wait_seconds: float = 10.0) -> None:
        self._ledger = ledger
        self._task = task
        self._tries = tries
        self._longest_wait_seconds = longest_wait_seconds

    async def run(
        self,
        name: str,
        result: type[T],
        work: Callable[[], Awaitable[T]],
        facts: Callable[[T], Mapping[str, JsonValue]],
    ) -> T:
        """The step's result: from the ledger, or by doing it now. `facts` are what people see of it."""
        adapter = TypeAdapter(result)
        finished = await self._ledger.find(self._key(name, "finished"))
        if finished is None:
            started = await self.append("step.started", {"step": name}, key=self._key(name, "started"))
            outcome = await self._persistently(work)
            finished = await self.append(
                "step.finished",
                {"step": name, **facts(outcome)},
                key=self._key(name, "finished"),
                output_body=adapter.dump_json(outcome),
                cause=started.seq,
            )
        # Always what is stored (and redacted), so that a run and its resumption see the same bytes.
        return adapter.validate_json(await self._ledger.get_body(finished.output_digest or ""))

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try again what may pass (an engine restarting, a full queue); everything else is raised at once."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda error: bool(getattr(error, "retryable", False))),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=self._longest_wait_seconds),
            reraise=True,
        ):
            with attempt:
                return await work()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def append(
        self,
        type_: str,
        data: Mapping[str, JsonValue],
        *,
        key: str,
        output_body: bytes | None = None,
        cause: int | None = None,
    ) -> Entry:
        """An entry of this task's stream; under a key that is taken, the entry that took it."""
        return await self._ledger.append(
            Draft(
                stream=stream_of(self._task.id),
                type=type_,
                actor=WORKFLOW,
                tenant=self._task.caller.tenant,
                cause=cause,
                data={**data, **workload_of(self._task.caller)},
                output_body=output_body,
                key=key,
            )
        )

    def _key(self, name: str, phase: str) -> str:
        return f"{self._task.id}/{name}/{phase}"
