"""Answers that are given only when they passed: draft, check in the sandbox, repair or draw again, go up a tier.

An Engine around an Engine; what asks for no verification passes through untouched. What is checked, and how, is
`answers.py`'s. Who calls it: the routes, through the appliance's engine.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from codegen import prompts
from codegen.answers import AnswerCheck, check_for
from codegen.ladder import Ladder
from codegen.protocol import Verification, VerifiedAnswers
from codegen.spec import CodegenSpec
from codegen.turns import Turns, samples_of
from inference.collect import complete
from inference.errors import EngineError, EngineUnavailable, NoStrongerModel, UnsupportedParameter
from inference.protocol import (
    ChatRequest,
    Chunk,
    Completion,
    Embeddings,
    EmbedRequest,
    Engine,
    Health,
    ModelCard,
    Tokens,
    Usage,
)
from inference.verification import Attempted, Checking, Verified, Verify
from sandbox.protocol import SandboxError

PREFIX = "verified/"
"""What stands before a model's name to have its answers verified, with or without tests."""


class NotVerified(EngineError):
    """No answer passed before a limit was reached; none is given."""

    status = 422
    type = "invalid_request_error"
    code = "verification_failed"


@dataclass(slots=True)
class _Progress:
    """What was tried so far, and what it cost."""

    turns: Turns
    started: float = field(default_factory=time.monotonic)
    attempts: list[Attempted] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    last: tuple[str, str] | None = None  # an answer, and what the checks found

    def add(self, completion: Completion, verification: Verification) -> Attempted:
        """Take an attempt in; a model that had its turns is not asked again."""
        decisive = verification.evidence[-1]
        outcome = "pass" if verification.green else decisive.outcome
        seconds = sum(evidence.seconds for evidence in verification.evidence)
        attempted = Attempted(
            completion.model,
            outcome,
            decisive.rung,
            decisive.summary,
            round(seconds, 3),
            completion.usage.cost_usd,
            decisive.environment_digest,
        )
        self.attempts.append(attempted)
        self.usage = _sum(self.usage, completion.usage)
        self.turns.took(completion.model, samples_of(completion))
        self.last = (completion.text, verification.findings)
        return attempted


class VerifyingEngine:
    """Verifies what asks for it, by rungs of the `ladder`. `answers` is told which ones passed."""

    def __init__(
        self,
        engine: Engine,
        spec: CodegenSpec,
        ladder: Callable[[], Awaitable[Ladder]],
        answers: VerifiedAnswers | None = None,
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._ladder = ladder
        self._answers = answers

    def models(self) -> Sequence[ModelCard]:
        """The engine's models; those that chat once more with the prefix."""
        cards = self._engine.models()
        return [*cards, *(replace(card, id=PREFIX + card.id) for card in cards if "chat" in card.capabilities)]

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The engine's answer, or one that passed. Raises `EngineError`."""
        request = by_name(request)
        if request.verify is None:
            return self._engine.stream(request)
        return self._verified(request, request.verify)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """The engine's vectors."""
        return await self._engine.embed(request)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The engine's reading of a prompt."""
        return await self._engine.tokenize(replace(request, model=request.model.removeprefix(PREFIX), verify=None))

    async def health(self) -> Health:
        """The engine's health."""
        return await self._engine.health()

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()

    async def _verified(self, request: ChatRequest, verify: Verify) -> AsyncGenerator[Chunk, None]:
        _refuse_what_cannot_be_verified(request)
        check, progress = (
            await self._check_for(verify, request.caller.tenant),
            _Progress(Turns(self._spec.attempts_per_tier)),
        )
        while True:
            number = len(progress.attempts) + 1
            yield Chunk(verified=Verified(f"attempt {number}: asking for a draft"))
            completion = await self._draft(request, verify, progress, check.wanted)
            yield Chunk(verified=Verified(f"attempt {number}: checking the draft of {completion.model}"))
            verification = await self._judge(check, completion.text)
            attempted = progress.add(completion, verification)
            if self._answers and (verification.green or verification.red):
                await self._answers.verified(
                    _draft_id(request, number),
                    verification.green,
                    tested=bool(verify.tests),
                    failed_at=verification.failed_at,
                )
            if verification.green:
                for chunk in _given(completion, progress):
                    yield chunk
                return
            yield Chunk(verified=Verified(f"attempt {number}: {attempted.check} did not pass"))

    async def _draft(self, request: ChatRequest, verify: Verify, progress: _Progress, wanted: str) -> Completion:
        number = len(progress.attempts) + 1
        if number > self._spec.max_attempts:
            raise _not_verified(f"The limit of {self._spec.max_attempts} attempts is reached.", progress)
        if time.monotonic() - progress.started > self._spec.max_minutes * 60:
            raise _not_verified(f"The limit of {self._spec.max_minutes:g} minutes is reached.", progress)
        messages, sampling, turns = request.messages, request.sampling, progress.turns
        if turns.again:
            seed = None if sampling.seed is None else sampling.seed + number - 1
            temperature = max(sampling.temperature, prompts.DRAW_TEMPERATURE)
            sampling = replace(sampling, temperature=temperature, seed=seed)
        elif turns.repairing and progress.last:  # a stronger model starts afresh
            answer, findings = progress.last
            messages = prompts.repair(messages, answer, findings[: self._spec.evidence_characters], wanted)
            sampling = replace(sampling, temperature=max(sampling.temperature, prompts.REPAIR_TEMPERATURE))
        limit = None if request.max_cost_usd is None else request.max_cost_usd - progress.usage.cost_usd
        asked = replace(
            request,
            messages=messages,
            sampling=sampling,
            tried=(*request.tried, *turns.tried),
            verify=None,
            checking=turns.checking(verify.kind),
            max_cost_usd=limit,
            request_id=_draft_id(request, number),
        )
        try:
            return await complete(self._engine, asked)
        except NoStrongerModel as error:
            raise _not_verified(error.message, progress) from error

    async def _check_for(self, verify: Verify, tenant: str) -> AnswerCheck:
        try:
            return check_for(verify, (await self._ladder()).for_tenant(tenant))
        except SandboxError as error:
            raise EngineUnavailable(f"Nothing can be verified here: {error}") from error

    async def _judge(self, check: AnswerCheck, answer: str) -> Verification:
        try:
            return await check.check(answer)
        except SandboxError as error:
            raise EngineUnavailable(f"The answer could not be checked: {error}") from error


def by_name(request: ChatRequest) -> ChatRequest:
    """The request; what the prefix of its model's name asks for is in its field."""
    if not request.model.startswith(PREFIX):
        return request
    return replace(request, model=request.model.removeprefix(PREFIX), verify=request.verify or Verify())


def drafted(request: ChatRequest) -> ChatRequest:
    """The request as the engine is asked it first; one that asks for no verification as it is."""
    return replace(request, verify=None, checking=Checking(request.verify.kind)) if request.verify else request


def _refuse_what_cannot_be_verified(request: ChatRequest) -> None:
    if request.prompt is not None:
        raise UnsupportedParameter("Only answers of a chat can be verified.", param="verify")
    if request.sampling.n > 1:
        raise UnsupportedParameter("One answer is verified at a time; leave 'n' out.", param="n")
    if request.tools:
        raise UnsupportedParameter("An answer that may call functions cannot be verified.", param="tools")


def _given(completion: Completion, progress: _Progress) -> list[Chunk]:
    """The answer that passed, with the evidence and what all attempts used."""
    choice = completion.choices[0]
    text = Chunk(choice.text, model=completion.model, route=completion.route, finish_reason=choice.finish_reason)
    verified = Verified("", tuple(progress.attempts))
    return [replace(text, stop_string=choice.stop_string, verified=verified), Chunk(usage=progress.usage)]


def _not_verified(why: str, progress: _Progress) -> NotVerified:
    shown = "; ".join(f"{each.model}: {each.check}: {each.summary}" for each in progress.attempts[-3:])
    return NotVerified(f"No answer passed verification. {why} Last attempts: {shown or 'none'}.")


def _draft_id(request: ChatRequest, number: int) -> str:
    return f"{request.request_id}.draft-{number}"


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cost_usd + other.cost_usd,
        one.estimated or other.estimated,
        one.written_tokens + other.written_tokens,
    )
