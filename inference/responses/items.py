"""The items that a conversation consists of, as clients send them: messages, calls of functions, and their outputs.

Items of earlier answers can be sent back as they came, with ids and statuses, which have no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from inference.protocol import Message, Role, ToolCall
from inference.wire.body import Body, Text, check_kind

_PARTS = ("input_text", "output_text", "refusal")
Status = Literal["in_progress", "completed", "incomplete"]


class ContentPart(Body):
    """A part of a message's content; only text is understood."""

    type: Literal["input_text", "output_text", "refusal"]
    text: Text = ""
    refusal: Text = ""
    annotations: list[Any] = Field(default_factory=list)
    logprobs: list[Any] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, data: Any) -> Any:
        check_kind(data, _PARTS, f"content parts must be of type {', '.join(_PARTS)}")
        return data

    @property
    def said(self) -> str:
        """Its text, whatever it is called."""
        return self.text or self.refusal


Content = Text | list[ContentPart]


class Item(Body):
    """Base of items."""

    id: Text | None = Field(default=None, description="Accepted; has no effect.")
    status: Status | None = Field(default=None, description="Accepted; has no effect.")


class MessageItem(Item):
    """One turn. `developer` is read as `system`."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    phase: Text | None = Field(default=None, description="Accepted; has no effect.")

    def read(self) -> Message:
        """The protocol's message."""
        role: Role = "system" if self.role == "developer" else self.role
        return Message(role, _joined(self.content))


class FunctionCallItem(Item):
    """A call that an earlier answer asked for."""

    type: Literal["function_call"]
    call_id: Text
    name: Text
    arguments: Text

    def read(self) -> Message:
        """The protocol's message; calls that follow each other become one (see `messages`)."""
        return Message("assistant", tool_calls=(ToolCall(self.call_id, self.name, self.arguments),))


class FunctionOutputItem(Item):
    """What a called function said."""

    type: Literal["function_call_output"]
    call_id: Text
    output: Content

    def read(self) -> Message:
        """The protocol's message."""
        return Message("tool", _joined(self.output), tool_call_id=self.call_id)


class ReasoningItem(Item):
    """What a model thought before an earlier answer; it is left out."""

    type: Literal["reasoning"]
    summary: list[Any] = Field(default_factory=list)
    content: list[Any] = Field(default_factory=list)
    encrypted_content: Text | None = None


def _kind(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "message")
    return str(kind or "message")


AnyItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionOutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")],
    Discriminator(_kind),
]
KINDS = ("message", "function_call", "function_call_output", "reasoning")


def messages(items: Iterable[AnyItem]) -> tuple[Message, ...]:
    """The protocol's messages: what the assistant said and called without anybody else between is one message."""
    return tuple(_merged(item.read() for item in items if not isinstance(item, ReasoningItem)))


def shown(item: AnyItem, number: int) -> dict[str, Any]:
    """An item as it is shown again: with an id, and its text in parts."""
    fields = {"id": f"item_{number}", "type": item.type, **item.model_dump(exclude_unset=True, exclude_none=True)}
    if isinstance(item, MessageItem) and isinstance(item.content, str):
        kind = "output_text" if item.role == "assistant" else "input_text"
        fields["content"] = [{"type": kind, "text": item.content}]
    return fields


def _merged(turns: Iterable[Message]) -> Iterator[Message]:
    last: Message | None = None
    for turn in turns:
        if last is not None and last.role == turn.role == "assistant":
            last = Message("assistant", last.content + turn.content, (*last.tool_calls, *turn.tool_calls))
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last


def _joined(content: str | list[ContentPart]) -> str:
    return content if isinstance(content, str) else "".join(part.said for part in content)
