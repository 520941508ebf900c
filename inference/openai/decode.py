"""OpenAI JSON from another server as the protocol's answers; used by the HTTP engine.

`read_chunk` reads one event of either kind of stream. Other servers differ in details: fields are
missing, null or additional, usage comes with every event, in the last one or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from inference.errors import EngineUnavailable
from inference.openai.responses import (
    ChatCompletionChunk,
    ChatDelta,
    ChatLogprobs,
    EmbeddingList,
    TextChoice,
    TextCompletion,
    TextLogprobs,
    UsageShape,
)
from inference.protocol import Chunk, FinishReason, TokenLogprob, ToolCallDelta, Usage

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def chat_chunks(event: str, model: str) -> Iterator[Chunk]:
    """The chunks in one event of a chat stream; raises `EngineUnavailable` if it is not such an event."""
    try:
        shape = ChatCompletionChunk.model_validate_json(event)
    except ValidationError as error:
        raise not_understood(model, error) from error
    for choice in shape.choices:
        yield _chat_chunk(choice, model)
    if shape.usage is not None:
        yield Chunk(model=model, usage=read_usage(shape.usage))


def text_chunks(event: str, model: str) -> Iterator[Chunk]:
    """The chunks in one event of a plain completion's stream; raises `EngineUnavailable` likewise."""
    try:
        shape = TextCompletion.model_validate_json(event)
    except ValidationError as error:
        raise not_understood(model, error) from error
    for choice in shape.choices:
        yield _text_chunk(choice, model)
    if shape.usage is not None:
        yield Chunk(model=model, usage=read_usage(shape.usage))


def read_embeddings(body: bytes, model: str) -> EmbeddingList:
    """The vectors in a body of /embeddings; raises `EngineUnavailable` if there are none."""
    try:
        return EmbeddingList.model_validate_json(body)
    except ValidationError as error:
        raise not_understood(model, error) from error


def read_usage(shape: UsageShape) -> Usage:
    """Token counts from the wire."""
    details = shape.prompt_tokens_details
    return Usage(
        prompt_tokens=shape.prompt_tokens,
        completion_tokens=shape.completion_tokens,
        cached_tokens=details.cached_tokens if details else 0,
        estimated=shape.estimated,
        written_tokens=(details and details.cache_write_tokens) or 0,
    )


def not_understood(model: str, error: ValidationError) -> EngineUnavailable:
    """The error for an answer that is not OpenAI's wire format."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or "the whole"
    return EngineUnavailable(
        f"The server behind {model!r} answered in a form that is not OpenAI's: {where}: {first['msg']}."
    )


def _chat_chunk(choice: ChatDelta, model: str) -> Chunk:
    calls = tuple(
        ToolCallDelta(call.index, call.id, call.function.name, call.function.arguments)
        for call in choice.delta.tool_calls
    )
    return Chunk(
        text=choice.delta.content or "",
        index=choice.index,
        tool_calls=calls,
        logprobs=_chat_logprobs(choice.logprobs),
        finish_reason=_finish_reason(choice.finish_reason),
        stop_string=choice.stop_reason if isinstance(choice.stop_reason, str) else None,
        model=model,
    )


def _text_chunk(choice: TextChoice, model: str) -> Chunk:
    return Chunk(
        text=choice.text,
        index=choice.index,
        logprobs=_text_logprobs(choice.logprobs),
        finish_reason=_finish_reason(choice.finish_reason),
        stop_string=choice.stop_reason if isinstance(choice.stop_reason, str) else None,
        model=model,
    )


def _finish_reason(reason: str | None) -> FinishReason | None:
    """A reason OpenAI does not have counts as a normal end."""
    return _FINISH_REASONS.get(reason, "stop") if reason else None


def _chat_logprobs(shape: ChatLogprobs | None) -> tuple[TokenLogprob, ...]:
    if shape is None:
        return ()
    return tuple(
        TokenLogprob(entry.token, entry.logprob, tuple((top.token, top.logprob) for top in entry.top_logprobs))
        for entry in shape.content
    )


def _text_logprobs(shape: TextLogprobs | None) -> tuple[TokenLogprob, ...]:
    if shape is None:
        return ()
    tops: Sequence[dict[str, float] | None] = shape.top_logprobs or [None] * len(shape.tokens)
    return tuple(
        TokenLogprob(token, logprob or 0.0, tuple((top or {}).items()))
        for token, logprob, top in zip(shape.tokens, shape.token_logprobs, tops, strict=False)
    )
