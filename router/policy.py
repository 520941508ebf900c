"""Which models may answer a request at all. Fail closed: a model that no rule admits is passed over.

Pure functions over data: the same rules bind the first choice, every fallback and every embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.catalog import ModelBase
from inference.errors import ContextLengthExceeded, EngineError
from inference.protocol import Capability, ChatRequest
from router.errors import NoCapableModel, PolicyRefused


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A candidate that was not chosen, and the reason as a phrase."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What an answer takes. `least_tokens` is a low estimate of the prompt, so that only the hopeless is refused."""

    capabilities: frozenset[Capability]
    data_class: str
    least_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Feasible:
    """The candidates that may answer, and those that may not."""

    models: tuple[ModelBase, ...]
    passed_over: tuple[PassedOver, ...]


def needs(request: ChatRequest) -> Needs:
    """What this request asks of a model."""
    asked: dict[Capability, bool] = {
        "chat": bool(request.messages),
        "completion": request.prompt is not None and request.suffix is None,
        "infill": request.suffix is not None,
        "tools": bool(request.tools),
        "json_schema": request.response_format.kind != "text",
        "logprobs": request.sampling.logprobs,
    }
    capabilities = frozenset(name for name, wanted in asked.items() if wanted)
    return Needs(capabilities, request.caller.data_class, prompt_bytes(request) // 8)


def prompt_bytes(request: ChatRequest) -> int:
    """UTF-8 bytes of everything the model will read."""
    texts = [message.content for message in request.messages] + [request.prompt or "", request.suffix or ""]
    return sum(len(text.encode()) for text in texts)


def feasible(candidates: Sequence[ModelBase], needs: Needs, *, air_gapped: bool) -> Feasible:
    """Split the candidates. Raises an engine error that gives every reason when none is left."""
    passed_over: list[PassedOver] = []
    admitted: list[ModelBase] = []
    refusals: list[type[EngineError]] = []
    for model in candidates:
        refusal = _refusal(model, needs, air_gapped)
        if refusal is None:
            admitted.append(model)
        else:
            refusals.append(refusal[0])
            passed_over.append(PassedOver(model.name, refusal[1]))
    if not admitted:
        reasons = "; ".join(f"{passed.model}: {passed.reason}" for passed in passed_over)
        # The mildest reason is the most useful one: what would have to change for the nearest candidate.
        mildest = next(kind for kind in (ContextLengthExceeded, NoCapableModel, PolicyRefused) if kind in refusals)
        raise mildest(f"No model may answer this request ({reasons}).")
    return Feasible(tuple(admitted), tuple(passed_over))


def _refusal(model: ModelBase, needs: Needs, air_gapped: bool) -> tuple[type[EngineError], str] | None:
    if model.remote and air_gapped:
        return PolicyRefused, "it is outside the walls and this appliance is air-gapped"
    # What is declared counts; undeclared, a local model may see everything and a remote one nothing.
    sees = model.data_classes if model.data_classes is not None else (() if model.remote else (needs.data_class,))
    if needs.data_class not in sees:
        return PolicyRefused, f"it may not see data of class {needs.data_class!r}"
    if lacking := sorted(needs.capabilities - model.capabilities):
        return NoCapableModel, f"it lacks {', '.join(lacking)}"
    if needs.least_tokens > model.context_tokens:
        return ContextLengthExceeded, f"its context of {model.context_tokens} tokens is too short"
    return None
