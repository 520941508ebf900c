"""The bodies of POST /v1/messages and /v1/messages/count_tokens.

`read` turns a validated body into the protocol's request. Fields without effect here (`metadata`, `cache_control`,
`thinking`, ...) are accepted and say so; whatever would change the answer and cannot be honoured is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from inference.protocol import (
    Caller,
    ChatRequest,
    Message,
    ResponseFormat,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
)
from inference.wire.body import LARGEST_COUNT, AnswerTokens, Body, JsonObject, Text, check_kind, invalid, refused

NO_EFFECT = "Accepted; has no effect."
PREFIXES = "Accepted; prefixes are cached by themselves."
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
StopSequence = Annotated[Text, Field(min_length=1)]


class CacheControl(Body):
    """Where a prefix to be cached ends."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Block(Body):
    """Base of content blocks; one of a kind that is not understood is refused by its name."""

    cache_control: CacheControl | None = Field(default=None, description=PREFIXES)


class TextBlock(Block):
    """Text."""

    type: Literal["text"]
    text: Text


class ToolUseBlock(Block):
    """A call that an earlier answer asked for."""

    type: Literal["tool_use"]
    id: Text
    name: Text
    input: JsonObject


class ThinkingBlock(Block):
    """What a model thought before an earlier answer; it is left out, as Anthropic does with earlier turns."""

    type: Literal["thinking", "redacted_thinking"]
    thinking: Text = ""
    signature: Text = ""
    data: Text = ""


def _understood(data: Any, kinds: Sequence[str]) -> Any:
    for block in data if isinstance(data, list) else ():
        check_kind(block, kinds, f"content blocks here may be {', '.join(kinds)}")
    return data


class ToolResultBlock(Block):
    """What a called tool said."""

    type: Literal["tool_result"]
    tool_use_id: Text
    content: Text | list[TextBlock] = ""
    is_error: bool = False

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, data: Any) -> Any:
        if isinstance(data, dict):
            _understood(data.get("content"), ("text",))
        return data

    def read(self) -> Message:
        """The protocol's message; a failure is told in words, because other formats have no field for it."""
        text = _joined(self.content)
        return Message("tool", f"The tool failed: {text}" if self.is_error else text, tool_call_id=self.tool_use_id)


AnyBlock = Annotated[TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock, Field(discriminator="type")]
_KINDS = {"user": ("text", "tool_result"), "assistant": ("text", "tool_use", "thinking", "redacted_thinking")}


class MessageBody(Body):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Text | list[AnyBlock]

    @model_validator(mode="before")
    @classmethod
    def _fits_role(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("role") in _KINDS:
            _understood(data.get("content"), _KINDS[data["role"]])
        return data

    def read(self) -> Iterator[Message]:
        """The protocol's messages: each tool's result is one of its own."""
        blocks = [TextBlock(type="text", text=self.content)] if isinstance(self.content, str) else self.content
        if self.role == "assistant":
            calls = tuple(
                ToolCall(block.id, block.name, json.dumps(block.input, ensure_ascii=False))
                for block in blocks
                if isinstance(block, ToolUseBlock)
            )
            yield Message("assistant", _joined([block for block in blocks if isinstance(block, TextBlock)]), calls)
            return
        yield from (block.read() for block in blocks if isinstance(block, ToolResultBlock))
        if texts := [block for block in blocks if isinstance(block, TextBlock)]:
            yield Message("user", _joined(texts))


class ToolBody(Body):
    """A function the model may call; the tools that Anthropic itself runs or knows by heart are refused by name."""

    type: Literal["custom"] = "custom"
    name: ToolName
    description: Text = ""
    input_schema: JsonObject
    strict: bool = False
    cache_control: CacheControl | None = Field(default=None, description=PREFIXES)
    eager_input_streaming: bool = Field(default=False, description=NO_EFFECT)

    @model_validator(mode="before")
    @classmethod
    def _only_custom(cls, data: Any) -> Any:
        check_kind(data, ("custom",), "tools must be of type 'custom'")
        return data

    def read(self) -> Tool:
        """The protocol's tool."""
        return Tool(self.name, self.description, self.input_schema, self.strict)


class ToolChoiceBody(Body):
    """Whether and which tools are to be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: ToolName | None = None
    disable_parallel_tool_use: bool = False

    @model_validator(mode="after")
    def _named(self) -> ToolChoiceBody:
        if (self.type == "tool") != (self.name is not None):
            raise invalid("name", "it is given exactly with type 'tool'")
        return self

    def read(self) -> ToolChoice:
        """The protocol's tool choice."""
        match self.type:
            case "tool":
                return ToolChoice("function", self.name)
            case "any":
                return ToolChoice("required")
            case other:
                return ToolChoice(other)


class Thinking(Body):
    """How much is thought before the answer: these models think as their templates have them think."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class OutputSchema(Body):
    """A JSON schema that the answer must follow."""

    type: Literal["json_schema"]
    schema_: JsonObject = Field(alias="schema")


class OutputConfig(Body):
    """The shape of the answer; `effort` is accepted and has no effect."""

    format: OutputSchema | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = Field(default=None, description=NO_EFFECT)


class Metadata(Body):
    """Who asks, in the client's own words."""

    user_id: Text | None = None


class Edit(Body):
    """An edit of what came before: only that of thoughts, of which nothing is kept anyway."""

    type: Literal["clear_thinking_20251015"]
    keep: Any = None


class ContextManagement(Body):
    """How what came before is cut short."""

    edits: list[Edit] = Field(default_factory=list)


class PromptBody(Body):
    """What both routes read: all that the model is shown."""

    model: Text
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    system: Text | list[TextBlock] = ""
    tools: list[ToolBody] = Field(default_factory=list)
    tool_choice: ToolChoiceBody | None = None
    thinking: Thinking | None = Field(default=None, description=NO_EFFECT)
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = Field(default=None, description=PREFIXES)
    context_management: ContextManagement | None = Field(default=None, description=NO_EFFECT)

    @model_validator(mode="after")
    def _consistent(self) -> PromptBody:
        if self.messages[-1].role == "assistant":
            raise refused("messages", "the last one must be the user's; beginnings of answers are not continued")
        choice, names = self.tool_choice, [tool.name for tool in self.tools]
        if choice is not None and choice.type == "any" and not names:
            raise invalid("tool_choice", "'any' needs at least one tool in 'tools'")
        if choice is not None and choice.name is not None and choice.name not in names:
            raise invalid("tool_choice", f"the tools in 'tools' are {', '.join(names) or 'none'}")
        return self

    def read(self, caller: Caller, request_id: str) -> ChatRequest:
        """The protocol's request."""
        system = _joined(self.system, between="\n\n")
        choice, output = self.tool_choice, self.output_config and self.output_config.format
        return ChatRequest(
            model=self.model,
            messages=(
                *([Message("system", system)] if system else []),
                *(message for turn in self.messages for message in turn.read()),
            ),
            tools=tuple(tool.read() for tool in self.tools),
            tool_choice=ToolChoice() if choice is None else choice.read(),
            parallel_tool_calls=choice is None or not choice.disable_parallel_tool_use,
            response_format=ResponseFormat("json_schema", schema=output.schema_) if output else ResponseFormat(),
            sampling=self.sampling(),
            caller=caller,
            request_id=request_id,
        )

    def sampling(self) -> Sampling:
        """How tokens are drawn; what is only counted is not drawn."""
        return Sampling()


class CountBody(PromptBody):
    """The body of POST /v1/messages/count_tokens."""


class MessagesBody(PromptBody):
    """The body of POST /v1/messages."""

    max_tokens: AnswerTokens
    temperature: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = 0
    stop_sequences: list[StopSequence] = Field(default_factory=list)
    stream: bool = False
    metadata: Metadata | None = Field(default=None, description=NO_EFFECT)
    service_tier: Literal["auto", "standard_only"] | None = Field(default=None, description=NO_EFFECT)

    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            stop=tuple(self.stop_sequences),
        )


def _joined(content: str | Sequence[TextBlock], between: str = "") -> str:
    return content if isinstance(content, str) else between.join(block.text for block in content)
