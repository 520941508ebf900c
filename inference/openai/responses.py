"""The shapes of answers: what our routes send and document, and what the HTTP engine reads.

Every field has a default and unknown ones are ignored, because other servers leave out and add
fields; what is sent has exactly the fields that were set.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from inference.wire.shape import Shape


class Answer(Shape):
    """Base of what answers a request; `service_tier` only if that named one."""

    service_tier: str | None = None

    def served_as(self, service_tier: str | None) -> Self:
        """The same answer that names the tier, if there is any to name."""
        return self.model_copy(update={"service_tier": service_tier}) if service_tier else self


class AttemptShape(Shape):
    """An answer that was checked: by which model, the last check it came to, and what that showed."""

    model: str = ""
    outcome: str = ""
    check: str = ""
    summary: str = ""
    seconds: float = 0.0
    cost_usd: str = ""
    environment_digest: str = ""


class VerificationShape(Shape):
    """The evidence of an answer that was to be verified: all attempts, the last of which passed."""

    attempts: list[AttemptShape] = Field(default_factory=list)


def _text_or_empty(value: Any) -> Any:
    return "" if value is None else value


def _list_or_empty(value: Any) -> Any:
    return [] if value is None else value


TextOrNull = Annotated[str, BeforeValidator(_text_or_empty)]


class CachedTokens(Shape):
    """How much of the prompt was found in a prefix cache, and put into one if that has a price of its own."""

    cached_tokens: int = 0
    cache_write_tokens: int | None = None


class UsageShape(Shape):
    """Token counts. `estimated` is ours: true when another server sent none and they were guessed."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: CachedTokens | None = None
    estimated: bool = False


class TopLogprob(Shape):
    """One token with its log probability and its bytes."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class TokenLogprobShape(TopLogprob):
    """The chosen token, with the likeliest alternatives."""

    top_logprobs: Annotated[list[TopLogprob], BeforeValidator(_list_or_empty)] = Field(default_factory=list)


class ChatLogprobs(Shape):
    """Log probabilities of a chat answer's tokens."""

    content: Annotated[list[TokenLogprobShape], BeforeValidator(_list_or_empty)] = Field(default_factory=list)


class FunctionCallShape(Shape):
    """A function call, or a piece of one."""

    name: str | None = None
    arguments: TextOrNull = ""


class ToolCallAnswer(Shape):
    """A tool call, or in a stream a piece of one; `index` is its position and is only in streams."""

    index: int = 0
    id: str | None = None
    type: str | None = "function"
    function: FunctionCallShape = FunctionCallShape()


class AnswerMessage(Shape):
    """The answer, or in a stream a piece of it (a delta)."""

    role: str | None = None
    content: str | None = None
    tool_calls: Annotated[list[ToolCallAnswer], BeforeValidator(_list_or_empty)] = Field(default_factory=list)


class ChatChoice(Shape):
    """One finished chat answer."""

    index: int = 0
    message: AnswerMessage = AnswerMessage()
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatCompletion(Answer):
    """The answer of /v1/chat/completions."""

    id: str = ""
    object: Literal["chat.completion"] = "chat.completion"
    created: int = 0
    model: str = ""
    choices: list[ChatChoice] = Field(default_factory=list)
    usage: UsageShape | None = None
    verification: VerificationShape | None = None


class ChatDelta(Shape):
    """A piece of one chat answer; `stop_reason` is vLLM's, which names the stop string: it is read, never sent."""

    index: int = 0
    delta: AnswerMessage = AnswerMessage()
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class ChatCompletionChunk(Answer):
    """One event of a chat stream."""

    id: TextOrNull = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""
    choices: Annotated[list[ChatDelta], BeforeValidator(_list_or_empty)] = Field(default_factory=list)
    usage: UsageShape | None = None
    verification: VerificationShape | None = None


class TextLogprobs(Shape):
    """Log probabilities of a plain completion's tokens, column by column."""

    tokens: list[str] = Field(default_factory=list)
    token_logprobs: list[float | None] = Field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = Field(default_factory=list)


class TextChoice(Shape):
    """One plain completion, or in a stream a piece of it; `stop_reason` as in `ChatDelta`."""

    index: int = 0
    text: TextOrNull = ""
    logprobs: TextLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class TextCompletion(Answer):
    """The answer of /v1/completions, or one event of its stream."""

    id: TextOrNull = ""
    object: str = "text_completion"
    created: int = 0
    model: str = ""
    choices: Annotated[list[TextChoice], BeforeValidator(_list_or_empty)] = Field(default_factory=list)
    usage: UsageShape | None = None


class TokenList(Shape):
    """The answer of /v1/tokenize, as vLLM's."""

    count: int
    max_model_len: int
    tokens: list[int]


class EmbeddingShape(Shape):
    """One vector; as base64 it is little-endian 32-bit floats."""

    object: Literal["embedding"] = "embedding"
    index: int = 0
    embedding: list[float] | str = Field(default_factory=list)


class EmbeddingList(Answer):
    """The answer of /v1/embeddings."""

    object: Literal["list"] = "list"
    data: list[EmbeddingShape] = Field(default_factory=list)
    model: str = ""
    usage: UsageShape = UsageShape()


class ModelShape(Shape):
    """One model; `context_tokens` and `capabilities` are ours."""

    id: str = ""
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""
    context_tokens: int = 0
    capabilities: list[str] = Field(default_factory=list)


class ModelList(Shape):
    """The answer of /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelShape] = Field(default_factory=list)


class ErrorDetail(Shape):
    """What went wrong, in a sentence; `param` is the field at fault."""

    message: TextOrNull = ""
    type: str | None = None
    param: str | None = None
    code: str | int | None = Field(default=None)


class ErrorBody(Shape):
    """The body of every error."""

    error: ErrorDetail
