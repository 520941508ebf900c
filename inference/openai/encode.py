"""The protocol's answers as OpenAI JSON; used by the routes.

`ChatStream` and `TextStream` turn chunks into the events of a stream; the functions turn whole
answers into bodies.
"""

from __future__ import annotations

import base64
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from inference.openai.evidence import with_evidence
from inference.openai.responses import (
    AnswerMessage,
    CachedTokens,
    ChatChoice,
    ChatCompletion,
    ChatCompletionChunk,
    ChatDelta,
    ChatLogprobs,
    EmbeddingList,
    EmbeddingShape,
    FunctionCallShape,
    ModelShape,
    TextChoice,
    TextCompletion,
    TextLogprobs,
    TokenLogprobShape,
    ToolCallAnswer,
    TopLogprob,
    UsageShape,
)
from inference.protocol import (
    Choice,
    Chunk,
    Completion,
    Embeddings,
    ModelCard,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

_TEXT = "0d6d4c1f51b24f0c9b0c2c2e6d1f7a55"
"""Stands for the text in an event that is cut around it; a random number."""


_Event = ChatCompletionChunk | TextCompletion


class AnswerStream(ABC):
    """Turns the chunks of one answer into the JSON of a stream's events."""

    _shape: type[ChatCompletionChunk | TextCompletion]
    _object: str
    _prefix: str

    def __init__(self, request_id: str, include_usage: bool, service_tier: str | None = None) -> None:
        self._request_id = request_id
        self._created = int(time.time())
        self._include_usage = include_usage
        self._service_tier = service_tier
        self._begun: set[int] = set()
        self._around: dict[tuple[int, str], list[str]] = {}

    def events(self, chunk: Chunk) -> Iterator[str]:
        """The events for one chunk: its piece of the answer, then the usage if it was asked for."""
        if chunk.index in self._begun and _is_plain(chunk):
            yield to_json(chunk.text).decode().join(self._around_text(chunk.index, chunk.model))
        elif _has_content(chunk):
            event = self._piece(chunk)
            self._begun.add(chunk.index)
            yield event
        if chunk.usage is not None and self._include_usage:
            yield self._made(chunk.model, [], usage_shape(chunk.usage)).json_text()

    def _around_text(self, index: int, model: str) -> list[str]:
        """What stands before and after the text, in which alone most events of an answer differ."""
        if (index, model) not in self._around:
            self._around[index, model] = self._piece(Chunk(_TEXT, index, model=model)).split(f'"{_TEXT}"')
        return self._around[index, model]

    def _made(
        self, model: str, choices: Sequence[Any], usage: UsageShape | None
    ) -> ChatCompletionChunk | TextCompletion:
        event = self._shape(
            id=f"{self._prefix}-{self._request_id}",
            object=self._object,
            created=self._created,
            model=model,
            choices=list(choices),
        )
        if self._include_usage:
            event = event.model_copy(update={"usage": usage})
        return event.served_as(self._service_tier)

    def _event(self, chunk: Chunk) -> _Event:
        return self._made(chunk.model, [self._choice(chunk)], None)

    def _piece(self, chunk: Chunk) -> str:
        return self._event(chunk).json_text()

    @abstractmethod
    def _choice(self, chunk: Chunk) -> ChatDelta | TextChoice:
        """The shape of a piece of an answer."""


class ChatStream(AnswerStream):
    """The events of /v1/chat/completions."""

    _shape, _object, _prefix = ChatCompletionChunk, "chat.completion.chunk", "chatcmpl"

    def _event(self, chunk: Chunk) -> _Event:
        event = super()._event(chunk)
        return with_evidence(event, chunk.verified) if isinstance(event, ChatCompletionChunk) else event

    def _choice(self, chunk: Chunk) -> ChatDelta:
        fields: dict[str, object] = {}
        if chunk.index not in self._begun:
            fields = {"role": "assistant", "content": ""}
        if chunk.text:
            fields["content"] = chunk.text
        if chunk.tool_calls:
            fields["tool_calls"] = [_tool_delta(delta) for delta in chunk.tool_calls]
        return ChatDelta(
            index=chunk.index,
            delta=AnswerMessage.model_validate(fields),
            logprobs=_chat_logprobs(chunk.logprobs),
            finish_reason=chunk.finish_reason,
        )


class TextStream(AnswerStream):
    """The events of /v1/completions."""

    _shape, _object, _prefix = TextCompletion, "text_completion", "cmpl"

    def __init__(self, request_id: str, include_usage: bool, service_tier: str | None = None) -> None:
        super().__init__(request_id, include_usage, service_tier)
        self._offsets: dict[int, int] = {}

    def _choice(self, chunk: Chunk) -> TextChoice:
        offset = self._offsets.get(chunk.index, 0)
        self._offsets[chunk.index] = offset + sum(len(entry.token) for entry in chunk.logprobs)
        return TextChoice(
            index=chunk.index,
            text=chunk.text,
            logprobs=_text_logprobs(chunk.logprobs, offset),
            finish_reason=chunk.finish_reason,
        )


def chat_completion(completion: Completion, request_id: str) -> ChatCompletion:
    """The body of a chat answer that is not streamed."""
    body = ChatCompletion(
        id=f"chatcmpl-{request_id}",
        object="chat.completion",
        created=int(time.time()),
        model=completion.model,
        choices=[_chat_choice(index, choice) for index, choice in enumerate(completion.choices)],
        usage=usage_shape(completion.usage),
    )
    return with_evidence(body, completion.verified)


def text_completion(completion: Completion, request_id: str) -> TextCompletion:
    """The body of a plain completion that is not streamed."""
    choices = [
        TextChoice(
            index=index,
            text=choice.text,
            logprobs=_text_logprobs(choice.logprobs, 0),
            finish_reason=choice.finish_reason,
        )
        for index, choice in enumerate(completion.choices)
    ]
    return TextCompletion(
        id=f"cmpl-{request_id}",
        object="text_completion",
        created=int(time.time()),
        model=completion.model,
        choices=choices,
        usage=usage_shape(completion.usage),
    )


def embedding_list(embeddings: Embeddings, as_base64: bool) -> EmbeddingList:
    """The body of /v1/embeddings."""
    data = [
        EmbeddingShape(object="embedding", index=index, embedding=_base64(vector) if as_base64 else list(vector))
        for index, vector in enumerate(embeddings.vectors)
    ]
    return EmbeddingList(object="list", data=data, model=embeddings.model, usage=usage_shape(embeddings.usage))


def model_shape(card: ModelCard) -> ModelShape:
    """One entry of /v1/models."""
    return ModelShape(
        id=card.id,
        object="model",
        created=card.created,
        owned_by=card.owned_by,
        context_tokens=card.context_tokens,
        capabilities=sorted(card.capabilities),
    )


def usage_shape(usage: Usage) -> UsageShape:
    """Token counts on the wire."""
    written = {"cache_write_tokens": usage.written_tokens} if usage.written_tokens else {}
    shape = UsageShape(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=CachedTokens(cached_tokens=usage.cached_tokens, **written),
    )
    return shape.model_copy(update={"estimated": True}) if usage.estimated else shape


def _has_content(chunk: Chunk) -> bool:
    return bool(chunk.text or chunk.tool_calls or chunk.logprobs or chunk.finish_reason)


def _is_plain(chunk: Chunk) -> bool:
    return bool(chunk.text) and not (chunk.tool_calls or chunk.logprobs or chunk.finish_reason)


def _chat_choice(index: int, choice: Choice) -> ChatChoice:
    fields: dict[str, object] = {"role": "assistant", "content": choice.text}
    if choice.tool_calls:
        fields["content"] = choice.text or None
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in choice.tool_calls
        ]
    return ChatChoice(
        index=index,
        message=AnswerMessage.model_validate(fields),
        logprobs=_chat_logprobs(choice.logprobs),
        finish_reason=choice.finish_reason,
    )


def _tool_delta(delta: ToolCallDelta) -> ToolCallAnswer:
    function: dict[str, object] = {"arguments": delta.arguments}
    if delta.name is not None:
        function["name"] = delta.name
    fields: dict[str, object] = {"index": delta.position, "function": FunctionCallShape.model_validate(function)}
    if delta.id is not None:
        fields |= {"id": delta.id, "type": "function"}
    return ToolCallAnswer.model_validate(fields)


def _chat_logprobs(entries: Sequence[TokenLogprob]) -> ChatLogprobs | None:
    if not entries:
        return None
    content = [
        TokenLogprobShape(
            token=entry.token,
            logprob=entry.logprob,
            bytes=list(entry.token.encode()),
            top_logprobs=[
                TopLogprob(token=token, logprob=logprob, bytes=list(token.encode())) for token, logprob in entry.top
            ],
        )
        for entry in entries
    ]
    return ChatLogprobs(content=content)


def _text_logprobs(entries: Sequence[TokenLogprob], offset: int) -> TextLogprobs | None:
    if not entries:
        return None
    offsets = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry.token)
    return TextLogprobs(
        tokens=[entry.token for entry in entries],
        token_logprobs=[entry.logprob for entry in entries],
        top_logprobs=[dict(entry.top) for entry in entries],
        text_offset=offsets,
    )


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
