"""Which models may answer a request at all. Fail closed: a model that no rule admits is passed over.

Pure functions over data: the same rules bind the first choice, every fallback and every embedding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inference import capabilities
from inference.catalog import ModelBase
from inference.errors import ContextLengthExceeded, EngineError, UnsupportedParameter
from inference.protocol import Capability, ChatRequest, Message
from router.errors import PolicyRefused
from router.privacy.assessment import NOTHING_FOUND, Assessment

_MILDEST_FIRST: tuple[type[EngineError], ...] = (ContextLengthExceeded, UnsupportedParameter, PolicyRefused)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A candidate that was not chosen, and the reason as a phrase."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What an answer takes: capabilities, each with the request's field that asks for it, and room for the prompt.

    `least_tokens` is a low estimate, so that only the hopeless is refused. `barred` names models that may not answer
    for other reasons, with those; `found` is what of the request is for nobody's, or not for everybody's, eyes.
    """

    capabilities: Mapping[Capability, str]
    data_class: str
    least_tokens: int = 0
    barred: Mapping[str, EngineError] = field(default_factory=dict)
    found: Assessment = NOTHING_FOUND


@dataclass(frozen=True, slots=True)
class Feasible:
    """The candidates that may answer, and those that may not."""

    models: tuple[ModelBase, ...]
    passed_over: tuple[PassedOver, ...]


def needs(request: ChatRequest) -> Needs:
    """What this request asks of a model."""
    return Needs(capabilities.needs(request), request.caller.data_class, prompt_bytes(request) // 8)


def prompt_bytes(request: ChatRequest) -> int:
    """UTF-8 bytes of everything the model will read: texts, calls made before, tools and schemas."""
    tools = [tool.name + tool.description + json.dumps(tool.parameters) for tool in request.tools]
    schema = json.dumps(request.response_format.schema) if request.response_format.schema else ""
    texts = [request.prompt or "", request.suffix or "", schema]
    return sum(len(text.encode()) for text in (*texts, *tools)) + sum(map(message_bytes, request.messages))


def message_bytes(message: Message) -> int:
    """UTF-8 bytes of one turn: its text, and the calls made in it."""
    calls = sum(len((call.name + call.arguments).encode()) for call in message.tool_calls)
    return len(message.content.encode()) + calls


def feasible(candidates: Sequence[ModelBase], needs: Needs, *, air_gapped: bool) -> Feasible:
    """Split the candidates. Raises an engine error that gives every reason when none is left."""
    passed_over: list[PassedOver] = []
    admitted: list[ModelBase] = []
    refusals: list[EngineError] = []
    for model in candidates:
        refusal = _refusal(model, needs, air_gapped)
        if refusal is None:
            admitted.append(model)
        else:
            refusals.append(refusal)
            passed_over.append(PassedOver(model.name, refusal.message))
    if not admitted:
        reasons = "; ".join(f"{passed.model}: {passed.reason}" for passed in passed_over)
        # The mildest reason is the most useful one: what would have to change for the nearest candidate.
        mildest = min(refusals, key=lambda refusal: _MILDEST_FIRST.index(type(refusal)))
        raise type(mildest)(f"No model may answer this request ({reasons}).", param=mildest.param)
    return Feasible(tuple(admitted), tuple(passed_over))


def _refusal(model: ModelBase, needs: Needs, air_gapped: bool) -> EngineError | None:
    if barred := needs.barred.get(model.name):
        return barred
    if model.remote and air_gapped:
        return PolicyRefused("it is outside the walls and this appliance is air-gapped")
    # What is declared counts; undeclared, a local model may see everything and a remote one nothing.
    sees = model.data_classes if model.data_classes is not None else (() if model.remote else (needs.data_class,))
    if needs.data_class not in sees:
        return PolicyRefused(f"it may not see data of class {needs.data_class!r}")
    if reason := needs.found.refusal(remote=model.remote):
        return PolicyRefused(reason)
    if lacking := [name for name in needs.capabilities if name not in model.capabilities]:
        return UnsupportedParameter(f"it lacks {', '.join(lacking)}", param=needs.capabilities[lacking[0]])
    if needs.least_tokens > model.context_tokens:
        return ContextLengthExceeded(f"its context of {model.context_tokens} tokens is too short")
    return None
