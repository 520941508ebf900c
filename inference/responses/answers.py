"""The protocol's answers as OpenAI's response objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from inference.protocol import Choice, FinishReason, Message, TokenLogprob, ToolCall, Usage
from inference.responses.requests import ResponsesBody
from inference.wire.shape import Shape

Status = Literal["completed", "incomplete", "in_progress", "failed"]
_INCOMPLETE: Mapping[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class TopLogprob(Shape):
    """A likely alternative."""

    token: str
    bytes: list[int]
    logprob: float


class Logprob(TopLogprob):
    """A token's log probability."""

    top_logprobs: list[TopLogprob]


class OutputText(Shape):
    """Text of an answer."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any]
    logprobs: list[Logprob]


class OutputMessage(Shape):
    """What the assistant said."""

    type: Literal["message"] = "message"
    id: str
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class OutputCall(Shape):
    """A function that the assistant wants called."""

    type: Literal["function_call"] = "function_call"
    id: str
    call_id: str
    name: str
    arguments: str
    status: Literal["in_progress", "completed", "incomplete"]


OutputItem = Annotated[OutputMessage | OutputCall, Field(discriminator="type")]


class InputDetails(Shape):
    """How much of the prompt was found in a prefix cache, and put into one if that has a price of its own."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputDetails(Shape):
    """How much of the answer was thought."""

    reasoning_tokens: int = 0


class ResponseUsage(Shape):
    """Token counts."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class IncompleteDetails(Shape):
    """Why an answer is cut off."""

    reason: str


class ResponseError(Shape):
    """Why there is no answer."""

    code: str
    message: str


class ResponseObject(Shape):
    """The answer of /v1/responses; most of it repeats the request."""

    id: str
    object: Literal["response"] = "response"
    created_at: float
    status: Status
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: dict[str, str | None]
    service_tier: str | None
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: str
    usage: ResponseUsage | None
    user: str | None
    background: bool


class Outline:
    """All of a response that is known before the answer; `made` adds the rest."""

    def __init__(self, body: ResponsesBody, request_id: str) -> None:
        self.id = f"resp_{request_id}"
        self._fields: dict[str, Any] = {
            "id": self.id,
            "object": "response",
            "created_at": float(int(time.time())),
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata,
            "parallel_tool_calls": body.parallel_tool_calls,
            "previous_response_id": body.previous_response_id,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": body.served_as or "default",
            "store": body.store,
            "temperature": body.temperature,
            "text": {"format": body.text.format.model_dump(by_alias=True, exclude_unset=True)},
            "tool_choice": body.tool_choice if isinstance(body.tool_choice, str) else body.tool_choice.model_dump(),
            "tools": [tool.model_dump() for tool in body.tools],
            "top_logprobs": body.top_logprobs,
            "top_p": body.top_p,
            "truncation": body.truncation,
            "user": body.user,
            "background": False,
        }

    def made(
        self, status: Status, model: str, output: Sequence[OutputMessage | OutputCall] = (), **rest: Any
    ) -> ResponseObject:
        """The response in a state: `usage`, `incomplete_details` and `error` where they are known."""
        known = {"usage": None, "incomplete_details": None, "error": None, **rest}
        return ResponseObject(status=status, model=model, output=list(output), **self._fields, **known)

    def ended(
        self, choice: Choice, output: Sequence[OutputMessage | OutputCall], model: str, usage: Usage
    ) -> ResponseObject:
        """The response as it ended, whole or cut off."""
        reason = _INCOMPLETE.get(choice.finish_reason)
        details = IncompleteDetails(reason=reason) if reason else None
        status: Status = "incomplete" if reason else "completed"
        return self.made(status, model, output, usage=usage_shape(usage), incomplete_details=details)


def output_items(choice: Choice, request_id: str) -> list[OutputMessage | OutputCall]:
    """A whole answer's items: what was said, if anything was, and then the calls."""
    whole = choice.finish_reason != "length"
    items: list[OutputMessage | OutputCall] = []
    if choice.text or not choice.tool_calls:
        items.append(message_item(request_id, choice.text, choice.logprobs, whole=whole))
    return [*items, *(call_item(call, whole=whole) for call in choice.tool_calls)]


def message_item(request_id: str, text: str, logprobs: Sequence[TokenLogprob], *, whole: bool) -> OutputMessage:
    """What was said, in its end."""
    return OutputMessage(
        type="message",
        id=f"msg_{request_id}",
        status="completed" if whole else "incomplete",
        role="assistant",
        content=[output_text(text, logprobs)],
    )


def output_text(text: str, logprobs: Sequence[TokenLogprob]) -> OutputText:
    """Text as a part of a message."""
    return OutputText(type="output_text", text=text, annotations=[], logprobs=[_logprob(entry) for entry in logprobs])


def call_item(call: ToolCall, *, whole: bool) -> OutputCall:
    """A call, in its end."""
    return OutputCall(
        type="function_call",
        id=f"fc_{call.id}",
        call_id=call.id,
        name=call.name,
        arguments=call.arguments,
        status="completed" if whole else "incomplete",
    )


def usage_shape(usage: Usage) -> ResponseUsage:
    """Token counts on the wire."""
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputDetails(cached_tokens=usage.cached_tokens, cache_write_tokens=usage.written_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputDetails(reasoning_tokens=0),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def turn_of(choice: Choice) -> Message:
    """The answer as the conversation's next message."""
    return Message("assistant", choice.text, choice.tool_calls)


def _logprob(entry: TokenLogprob) -> Logprob:
    return Logprob(
        token=entry.token,
        bytes=list(entry.token.encode()),
        logprob=entry.logprob,
        top_logprobs=[
            TopLogprob(token=token, bytes=list(token.encode()), logprob=logprob) for token, logprob in entry.top
        ],
    )
