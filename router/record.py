"""What the ledger keeps of a call: one entry, also for refused, failed, cancelled and streamed ones.

The entry's key is `call/<request id>`: whoever lost the answer (a process that was killed) finds it again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from inference.catalog import ModelBase
from inference.collect import Collector, completion_bytes, completion_from_bytes
from inference.errors import DeadlineExceeded, EngineError
from inference.protocol import Caller, Completion, Usage
from ledger.protocol import Draft, JsonValue, Ledger
from router.budgets import accounts_of, tokens_of
from router.plans import as_json as plan_as_json
from router.route import Route
from router.shadows.spec import shadow_of
from router.versions.pace import Timing
from router.versions.versions import Answered, counts_against

CALLS_STREAM = "calls"

Kind = Literal["generate", "embed"]
Ending = Literal["finished", "failed", "cancelled"]


def call_key(request_id: str) -> str:
    """The ledger key of a call's entry."""
    return f"call/{request_id}"


@dataclass(slots=True)
class CallRecord:
    """Fills up while a call runs. `prompt_tokens` is an estimate for calls that end without a count.

    `answer_of` names the call whose answer this one got, if it made none of its own (router/sharing.py).
    """

    kind: Kind
    request_id: str
    caller: Caller
    route: Route
    prompt_tokens: int
    input_body: bytes
    model: ModelBase | None = None
    ending: Ending = "cancelled"
    error: EngineError | None = None
    taken_over: list[tuple[str, str]] = field(default_factory=list)
    collector: Collector = field(default_factory=Collector)
    usage: Usage | None = None
    input_digest: str | None = None
    started: float = field(default_factory=time.monotonic)
    first_chunk_seconds: float | None = None
    weights: str | None = None
    queued: float | None = None
    waited: float = 0.0
    admitted: float | None = None
    answer_of: str = ""
    retried: list[str] = field(default_factory=list)

    def begin(self, model: ModelBase, weights: str | None = None) -> None:
        """An attempt starts; until something else is known it counts as cancelled. `weights` is the digest of its."""
        self.model, self.ending, self.error, self.collector = model, "cancelled", None, Collector()
        self.weights, self.queued, self.admitted = weights, None, None

    def enqueue(self) -> None:
        """The attempt asks for a slot."""
        self.queued = time.monotonic()

    def admit(self) -> None:
        """The attempt has its slot: from now on it is the engine's time."""
        self.waited, self.queued, self.admitted = self.waited_seconds, None, time.monotonic()

    def retry(self, error: EngineError) -> None:
        """The same model is asked again after this."""
        self.retried.append(error.message)

    def fail(self, error: EngineError) -> None:
        """The attempt failed."""
        self.ending, self.error = "failed", error
        self.waited, self.queued = self.waited_seconds, None

    @property
    def waited_seconds(self) -> float:
        """How long all attempts so far waited for a slot."""
        return self.waited + (0.0 if self.queued is None else time.monotonic() - self.queued)

    @property
    def answered(self) -> Answered | None:
        """What this attempt says of its model; None for what a client broke off, caused, or that never got a slot."""
        if self.admitted is None or self.ending == "cancelled":
            return None
        if self.error is not None:
            return Answered(failed=True) if counts_against(self.error) else None
        if self.first_chunk_seconds is None:
            return Answered(failed=False)
        first_chunk = self.started + self.first_chunk_seconds
        rest = time.monotonic() - first_chunk
        return Answered(False, Timing(first_chunk - self.admitted, rest, self.counted.completion_tokens))

    @property
    def may_be_taken_over(self) -> bool:
        """Whether the next candidate may answer instead: nothing was sent and trying elsewhere can help."""
        is_last = self.model is self.route.candidates[-1]
        return self.error is not None and self.error.retryable and not self.collector.chunks and not is_last

    @property
    def counted(self) -> Usage:
        """The engine's count, or an estimate that rather charges too much.

        A prompt that was sent is paid for; an answer has a token for every chunk, or for three bytes if that is more.
        """
        if usage := self.usage or self.collector.usage:
            return usage
        unknown = self.collector.chunks or self.ending == "cancelled" or isinstance(self.error, DeadlineExceeded)
        answered = max(self.collector.chunks, -(-self.collector.answer_bytes // 3))
        return Usage(self.prompt_tokens if self.model and unknown else 0, answered, estimated=True)

    @property
    def cost_usd(self) -> Decimal:
        """What the call cost at the declared price of the model that answered."""
        return self.model.price.cost_usd(self.counted) if self.model else Decimal(0)

    def draft(self) -> Draft:
        """The ledger entry."""
        return Draft(
            stream=CALLS_STREAM,
            type=f"call.{self.ending}",
            actor=self.caller.actor,
            tenant=self.caller.tenant,
            data={**self._decision(), **self._outcome()},
            input_digest=self.input_digest,
            output_body=completion_bytes(self.collector.partial()) if self.collector.chunks else None,
            cost_usd=self.cost_usd,
            key=call_key(self.request_id),
            tokens=tokens_of(self.counted),
            accounts=accounts_of(self.caller, self.model.name) if self.model else (),
        )

    def _decision(self) -> Mapping[str, JsonValue]:
        route = self.route
        return {
            "kind": self.kind,
            "request_id": self.request_id,
            **_mark(self.request_id),
            "data_class": self.caller.data_class,
            **({"workload": self.caller.workload} if self.caller.workload else {}),
            "asked": route.asked,
            "reason": route.reason,
            "difficulty": route.difficulty.score,
            "features": dict(route.difficulty.features),
            **({"plan": plan_as_json(route.plan)} if route.plan else {}),
            **({"privacy": self._privacy()} if route.found.counts else {}),
            "expected_cost_usd": f"{route.expected_cost_usd:f}",
            "budget_price": round(route.budget_price, 3),
            "propensity": route.propensity,
            "passed_over": [{"model": passed.model, "reason": passed.reason} for passed in route.passed_over],
        }

    def _privacy(self) -> Mapping[str, JsonValue]:
        counts = {str(kind): dict(what) for kind, what in self.route.found.counts.items()}
        return {"found": counts, "done": self.route.found.line(remote=bool(self.model and self.model.remote))}

    def _outcome(self) -> Mapping[str, JsonValue]:
        return {
            "model": self.route.answers_as(self.model) if self.model else None,
            "adapter": self.route.adapter or None,
            "version": self.model.version if self.model else None,
            "weights": self.weights,
            "tier": self.model.tier if self.model else None,
            **({"answer_of": self.answer_of} if self.answer_of else {}),
            **({"warm_tokens": warm} if self.model and (warm := self.route.warm_tokens(self.model)) else {}),
            "cpu_fallback_of": self.route.stands_in.get(self.model.name) if self.model else None,
            "taken_over": [{"model": model, "error": error} for model, error in self.taken_over],
            **({"retried": list(self.retried)} if self.retried else {}),
            "prompt_tokens": self.counted.prompt_tokens,
            "completion_tokens": self.counted.completion_tokens,
            "cached_tokens": self.counted.cached_tokens,
            "written_tokens": self.counted.written_tokens,
            "usage_estimated": self.counted.estimated,
            "waited_seconds": round(self.waited_seconds, 4),
            "first_chunk_seconds": None if self.first_chunk_seconds is None else round(self.first_chunk_seconds, 4),
            "total_seconds": round(time.monotonic() - self.started, 4),
            "error": self.error.message if self.error else None,
        }


def _mark(request_id: str) -> Mapping[str, JsonValue]:
    """What tells a shadow's entry from all others."""
    return {"shadow_of": shadowed} if (shadowed := shadow_of(request_id)) else {}


def refusal(kind: Kind, request_id: str, caller: Caller, asked: str, error: EngineError) -> Draft:
    """The entry of a call that was refused before anything was sent."""
    return Draft(
        stream=CALLS_STREAM,
        type="call.refused",
        actor=caller.actor,
        tenant=caller.tenant,
        data={
            "kind": kind,
            "request_id": request_id,
            **_mark(request_id),
            "data_class": caller.data_class,
            **({"workload": caller.workload} if caller.workload else {}),
            "asked": asked,
            "code": error.code,
            "error": error.message,
        },
        key=call_key(request_id),
    )


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that is on record and what it cost; `completion` is None when it did not finish."""

    completion: Completion | None
    cost_usd: Decimal


async def recorded_call(ledger: Ledger, request_id: str) -> RecordedCall | None:
    """What the ledger has of a call, or None when it was never made (or was lost with its process)."""
    entry = await ledger.find(call_key(request_id))
    if entry is None:
        return None
    if entry.type != "call.finished" or entry.output_digest is None:
        return RecordedCall(None, entry.cost_usd)
    return RecordedCall(completion_from_bytes(await ledger.get_body(entry.output_digest)), entry.cost_usd)
