"""What a draft's calls cost, also those that were lost on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal

from pydantic import TypeAdapter

from codegen import pytest_run
from codegen.attempts import Assignment, Attempts, _Progress
from codegen.protocol import Context, Draft, Evidence, PastCall, Patch, Plan, Task, TaskRequest, Verification
from codegen.spec import CodegenSpec
from codegen.turns import Turns
from inference.catalog import ScriptedModel, ScriptedReply
from inference.protocol import Caller, ChatRequest, Choice, Chunk, Completion, Usage
from inference.scripted import ScriptedEngine
from inference.verification import Checking, Verified

ANSWER = "```python\ndef whisper(text):\n    return text.lower()\n```"
MODEL = ScriptedModel(
    engine="scripted", name="auto", tier="t", context_tokens=512, replies=(ScriptedReply(text=ANSWER),)
)
PLAN = Plan(("words.py",), (), 2, Decimal("0.10"), "ask", ())
TASK = Task("tsk_1", TaskRequest("/repository", "Write whisper."), Caller(), "c0ffee", 0.0)
ASSIGNMENT = Assignment(
    TASK, PLAN, Context((), 0, 0), {"words.py": b""}, pytest_run.TestReport(frozenset(), frozenset(), "", None, 0.0)
)


class Engine(ScriptedEngine):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(MODEL)
        self.asked: list[ChatRequest] = []

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        return super().stream(request)


class History:
    """The calls that a killed process left on record."""

    def __init__(self, calls: dict[str, PastCall]) -> None:
        self.calls = calls

    async def past_call(self, request_id: str) -> PastCall | None:
        return self.calls.get(request_id)


def attempts(engine: Engine, calls: dict[str, PastCall]) -> Attempts:
    return Attempts(CodegenSpec(), engine, History(calls), ladder=None)  # type: ignore[arg-type]  # nothing is verified


LOST = {
    "tsk_1.draft-1.0": PastCall(None, Decimal("0.02")),
    "tsk_1.draft-1.1": PastCall(None, Decimal("0.03")),
}


async def test_lost_calls_count_against_the_tasks_budget() -> None:
    engine = Engine()
    draft = await attempts(engine, LOST)._draft(ASSIGNMENT, _Progress(Turns(2)), 1)
    (asked,) = engine.asked
    assert asked.request_id == "tsk_1.draft-1.2"
    assert asked.max_cost_usd == Decimal("0.05")
    assert draft.cost_usd == Decimal("0.05")


async def test_a_finished_call_is_not_made_again_and_costs_what_it_did() -> None:
    engine = Engine()
    fresh = await attempts(engine, {})._draft(ASSIGNMENT, _Progress(Turns(2)), 1)
    usage = fresh.prompt_tokens, fresh.completion_tokens
    done = await attempts(engine, {**LOST, "tsk_1.draft-1.2": finished(Decimal("0.01"))})._draft(
        ASSIGNMENT, _Progress(Turns(2)), 1
    )
    assert (len(engine.asked), done.cost_usd) == (1, Decimal("0.06"))
    assert min(usage) > 0 and done.answer == fresh.answer


def finished(cost_usd: Decimal) -> PastCall:
    return PastCall(Completion((Choice(ANSWER, "stop"),), Usage(1, 1, cost_usd=cost_usd), "auto"), cost_usd)


async def test_a_draw_of_a_plan_is_asked_afresh_and_not_at_its_likeliest() -> None:
    """The plan travels with the recorded completion, so that a task goes on with it after a kill."""
    planned = finished(Decimal("0.01"))
    assert planned.completion
    told = replace(planned, completion=replace(planned.completion, verified=Verified("", samples=2)))
    engine, progress = Engine(), _Progress(Turns(2))
    made = attempts(engine, {"tsk_1.draft-1.0": told})
    first = await made._draft(ASSIGNMENT, progress, 1)
    wrong = Verification((Evidence("tests", "fail", "it failed", 0.0),))
    progress.add(TypeAdapter(Draft).validate_json(TypeAdapter(Draft).dump_json(first)), wrong)
    again = await made._draft(ASSIGNMENT, progress, 2)
    (asked,) = engine.asked
    assert asked.checking == Checking("task", 2, "auto")
    assert asked.sampling.temperature > 0
    assert [message.role for message in asked.messages] == ["system", "user"]
    progress.add(replace(again, patch=Patch({"words.py": "another"})), wrong)
    assert progress.turns.tried == ["auto"]
