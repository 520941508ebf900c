"""Draft, verify, repair, escalate: the loop that ends with proof or with an honest "unproven".

A model gets a few attempts, each with the evidence of the last one; then the router is asked for a
stronger model. Limits are checked before every call.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from codegen import facts, prompts
from codegen.edit import MalformedAnswer, Target, patch_from_answer
from codegen.labels import PathLabels
from codegen.ladder import Ladder, Subject
from codegen.protocol import CallHistory, Context, Draft, Evidence, Plan, Proof, Task, Verification, VerifiedAnswers
from codegen.pytest_run import TestReport
from codegen.spec import CodegenSpec
from codegen.steps import Steps
from codegen.turns import Turns, samples_of
from inference.collect import complete
from inference.errors import ContextLengthExceeded, NoStrongerModel
from inference.protocol import Caller, ChatRequest, Completion, Engine, Message, Sampling

# The first attempt of a model is greedy; later ones must be able to say something else.


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that an attempt depends on. `before` has the requester's acceptance tests in place."""

    task: Task
    plan: Plan
    context: Context
    before: Mapping[str, bytes]
    baseline: TestReport
    labels: PathLabels = field(default_factory=PathLabels)

    def caller(self, *, with_findings: bool) -> Caller:
        """For whom a draft is asked for, in the data class of all that it shows: a finding may quote any file."""
        excerpts = {item.path for item in self.context.excerpts}
        shown = {*excerpts, *self.plan.files, *(self.task.request.tests or ())}
        return self.labels.raised(self.task.caller, self.before if with_findings else shown)


@dataclass(slots=True)
class _Progress:
    turns: Turns
    drafts: list[Draft] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)

    @property
    def cost_usd(self) -> Decimal:
        return sum((draft.cost_usd for draft in self.drafts), Decimal(0))

    @property
    def shows_findings(self) -> bool:
        """Whether the next draft is asked for with what the checks found in the last one."""
        return bool(self.drafts) and not self.turns.again

    def add(self, draft: Draft, verification: Verification) -> None:
        """Take note; a model that had its turns, or repeats itself, makes room for a stronger one."""
        repeated = draft.patch is not None and any(draft.patch == earlier.patch for earlier in self.drafts)
        self.drafts.append(draft)
        self.verifications.append(verification)
        self.turns.took(draft.model, draft.samples, repeated=repeated)


class Attempts:
    """Makes attempts at one task, each as two durable steps: draft/N and verify/N."""

    def __init__(
        self,
        spec: CodegenSpec,
        engine: Engine,
        history: CallHistory,
        ladder: Ladder,
        answers: VerifiedAnswers | None = None,
    ) -> None:
        """`answers` is told which ones passed verification."""
        self._spec = spec
        self._engine = engine
        self._history = history
        self._ladder = ladder
        self._answers = answers

    async def until_proven(self, assignment: Assignment, steps: Steps) -> Proof:
        """Attempt until the ladder is green or a limit is reached. Raises engine and sandbox errors."""
        progress, started = _Progress(Turns(assignment.plan.attempts_per_tier)), time.monotonic()
        while (limit := self._limit(assignment.plan, progress, started)) is None:
            try:
                draft, verification = await self._attempt(assignment, progress, steps)
            except NoStrongerModel as error:  # none that is stronger, or none that the rest of the budget pays for
                limit = error.message
                break
            progress.add(draft, verification)
            if verification.green:
                return Proof(draft.patch, verification, len(progress.drafts), progress.cost_usd)
        last = progress.verifications[-1] if progress.verifications else Verification(())
        return Proof(None, last, len(progress.drafts), progress.cost_usd, limit)

    async def _attempt(self, assignment: Assignment, progress: _Progress, steps: Steps) -> tuple[Draft, Verification]:
        number = len(progress.drafts) + 1
        draft = await steps.run(
            f"draft/{number}", Draft, lambda: self._draft(assignment, progress, number), facts.of_draft
        )
        verification = await self._verified(assignment, draft, number, steps)
        if self._answers and (verification.green or verification.red):
            failed_at = verification.failed_at
            await self._answers.verified(draft.request_id, verification.green, tested=True, failed_at=failed_at)
        return draft, verification

    async def _verified(self, assignment: Assignment, draft: Draft, number: int, steps: Steps) -> Verification:
        if draft.patch is None:
            return Verification((Evidence("answer", "fail", draft.problem or "malformed", 0.0),))
        subject = Subject(assignment.before, draft.patch, assignment.baseline, _acceptance(assignment.task))
        ladder = self._ladder.for_tenant(assignment.task.caller.tenant)
        return await steps.run(f"verify/{number}", Verification, lambda: ladder.climb(subject), facts.of_verification)

    def _limit(self, plan: Plan, progress: _Progress, started: float) -> str | None:
        """Which limit forbids the next call, as a sentence."""
        if len(progress.drafts) >= self._spec.max_attempts:
            return f"The limit of {self._spec.max_attempts} attempts is reached."
        if progress.cost_usd >= plan.budget_usd:
            return f"The task's budget of {plan.budget_usd} USD is spent."
        if time.monotonic() - started > self._spec.max_minutes * 60:
            return f"The limit of {self._spec.max_minutes} minutes is reached."
        return None

    async def _draft(self, assignment: Assignment, progress: _Progress, number: int) -> Draft:
        request_id, completion = await self._answer(assignment, progress, number)
        target = Target(assignment.plan.files, _texts(assignment.before, assignment.plan.files))
        patch, problem = None, None
        try:
            patch = patch_from_answer(completion.text, target)
        except MalformedAnswer as error:
            problem = str(error)
        usage = completion.usage
        return Draft(
            completion.model,
            completion.route,
            completion.text,
            patch,
            problem,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cost_usd,
            request_id,
            samples_of(completion),
        )

    async def _answer(self, assignment: Assignment, progress: _Progress, number: int) -> tuple[str, Completion]:
        """The answer with the id of its call; without excerpts of the repository if they make the prompt too long."""
        excerpts = [
            prompts.excerpt(item.path, item.start_line, item.end_line, item.text)
            for item in assignment.context.excerpts
        ]
        request_id = f"{assignment.task.id}.draft-{number}"
        try:
            return await self._call(assignment, progress, self._messages(assignment, progress, excerpts), request_id)
        except ContextLengthExceeded:
            if not excerpts:
                raise
        return await self._call(
            assignment, progress, self._messages(assignment, progress, []), f"{request_id}.without-excerpts"
        )

    def _messages(self, assignment: Assignment, progress: _Progress, excerpts: list[str]) -> tuple[Message, ...]:
        question = prompts.draft(assignment.task.request.instruction, excerpts)
        if not progress.shows_findings:
            return question
        findings = progress.verifications[-1].findings[: self._spec.evidence_characters]
        return prompts.repair(question, progress.drafts[-1].answer, findings)

    async def _call(
        self, assignment: Assignment, progress: _Progress, messages: tuple[Message, ...], request_id: str
    ) -> tuple[str, Completion]:
        """One model call by its id, or its recorded answer when it was finished before the process was killed.

        Calls for the same draft that were paid for and lost are part of its cost.
        """
        retry, lost_usd = 0, Decimal(0)
        while past := await self._history.past_call(f"{request_id}.{retry}"):
            if past.completion:
                return f"{request_id}.{retry}", charged(past.completion, lost_usd)
            lost_usd += past.cost_usd
            retry += 1
        turns = progress.turns
        temperature = prompts.REPAIR_TEMPERATURE if turns.repairing else 0.0
        sampling = Sampling(
            temperature=prompts.DRAW_TEMPERATURE if turns.again else temperature,
            seed=len(progress.drafts),
            max_tokens=self._spec.answer_tokens,
        )
        request = ChatRequest(
            model=assignment.task.request.model,
            messages=messages,
            sampling=sampling,
            caller=assignment.caller(with_findings=progress.shows_findings),
            tried=tuple(turns.tried),
            max_cost_usd=assignment.plan.budget_usd - progress.cost_usd - lost_usd,
            request_id=f"{request_id}.{retry}",
            checking=turns.checking("acceptance" if _acceptance(assignment.task) else "task"),
        )
        return request.request_id, charged(await complete(self._engine, request), lost_usd)


def charged(completion: Completion, lost_usd: Decimal) -> Completion:
    """The completion, its cost raised by what was lost on the way to it."""
    usage = completion.usage
    return replace(completion, usage=replace(usage, cost_usd=usage.cost_usd + lost_usd))


def _acceptance(task: Task) -> tuple[str, ...]:
    return tuple(sorted(task.request.tests or {}))


def _texts(files: Mapping[str, bytes], paths: tuple[str, ...]) -> dict[str, str]:
    return {path: files[path].decode() for path in paths if path in files}  # text: the plan has seen to it
