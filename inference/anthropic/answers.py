"""The protocol's answers as Anthropic's messages: whole ones, and the parts that streams share."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from inference.protocol import Completion, FinishReason, ToolCall, Usage
from inference.wire.shape import Shape

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
_STOP_REASONS: dict[FinishReason, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class TextContent(Shape):
    """A block of text."""

    type: Literal["text"] = "text"
    text: str


class ToolUseContent(Shape):
    """A block that asks for a tool to be called."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: dict[str, Any]


class MessageUsage(Shape):
    """Token counts; those of the prompt without what was found in a prefix cache or put into one."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int


class MessageAnswer(Shape):
    """The answer of /v1/messages."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[Annotated[TextContent | ToolUseContent, Field(discriminator="type")]]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage


class TokenCount(Shape):
    """The answer of /v1/messages/count_tokens."""

    input_tokens: int


def message_id(request_id: str) -> str:
    """The id of the answer to a request."""
    return f"msg_{request_id}"


def whole_message(completion: Completion, request_id: str) -> MessageAnswer:
    """The body of an answer that is not streamed."""
    choice = completion.choices[0]
    return MessageAnswer(
        id=message_id(request_id),
        type="message",
        role="assistant",
        model=completion.model,
        content=[
            *([TextContent(type="text", text=choice.text)] if choice.text else []),
            *(_tool_use(call) for call in choice.tool_calls),
        ],
        stop_reason=stop_reason(choice.finish_reason, choice.stop_string),
        stop_sequence=choice.stop_string,
        usage=usage_shape(completion.usage),
    )


def stop_reason(reason: FinishReason, stop_string: str | None) -> StopReason:
    """Why an answer ended, in Anthropic's words."""
    return "stop_sequence" if stop_string is not None else _STOP_REASONS[reason]


def usage_shape(usage: Usage) -> MessageUsage:
    """Token counts on the wire."""
    return MessageUsage(
        input_tokens=max(0, usage.prompt_tokens - usage.cached_tokens - usage.written_tokens),
        cache_creation_input_tokens=usage.written_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
    )


def _tool_use(call: ToolCall) -> ToolUseContent:
    """A call whose arguments another server cut off is passed on without any: a block must have an object."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    return ToolUseContent(
        type="tool_use", id=call.id, name=call.name, input=arguments if isinstance(arguments, dict) else {}
    )
