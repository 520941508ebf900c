"""The shapes inside a chat request: messages, tools, tool choice and response format.

Used in both directions: `read` gives the protocol's type, `write` makes the shape from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from inference.protocol import Message, ResponseFormat, Role, Tool, ToolCall, ToolChoice
from inference.wire.body import Body, JsonObject, Text, check_kind, invalid

FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class TextPart(Body):
    """A part of a message's content; only text is understood."""

    type: Literal["text"]
    text: Text

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, data: Any) -> Any:
        check_kind(data, ("text",), "content parts must be of type 'text'")
        return data


class FunctionCall(Body):
    """The function named by a tool call; `arguments` is JSON text."""

    name: Text
    arguments: Text


class ToolCallShape(Body):
    """A call that an earlier answer asked for."""

    id: Text
    type: Literal["function"] = "function"
    function: FunctionCall


class MessageShape(Body):
    """One turn. `developer` is read as `system`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[TextPart] = ""
    tool_calls: list[ToolCallShape] = Field(default_factory=list)
    tool_call_id: Text | None = None

    @model_validator(mode="after")
    def _fits_role(self) -> MessageShape:
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise invalid("tool_call_id", "it is given exactly in messages of role 'tool'")
        if self.tool_calls and self.role != "assistant":
            raise invalid("tool_calls", "only messages of role 'assistant' have it")
        return self

    def read(self) -> Message:
        """The protocol's message; text parts are joined."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        role: Role = "system" if self.role == "developer" else self.role
        calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in self.tool_calls)
        return Message(role=role, content=content, tool_calls=calls, tool_call_id=self.tool_call_id)

    @classmethod
    def write(cls, message: Message) -> MessageShape:
        """The shape of a protocol message, with only the fields it needs."""
        fields: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            fields["tool_calls"] = [
                ToolCallShape(
                    id=call.id, type="function", function=FunctionCall(name=call.name, arguments=call.arguments)
                )
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            fields["tool_call_id"] = message.tool_call_id
        return cls(**fields)


class FunctionShape(Body):
    """A function the model may call; `parameters` is a JSON schema."""

    name: FunctionName
    description: Text = ""
    parameters: JsonObject = Field(default_factory=dict)
    strict: bool = False


class ToolShape(Body):
    """A tool; only functions are understood."""

    type: Literal["function"]
    function: FunctionShape

    def read(self) -> Tool:
        """The protocol's tool."""
        function = self.function
        return Tool(function.name, function.description, function.parameters, function.strict)

    @classmethod
    def write(cls, tool: Tool) -> ToolShape:
        """The shape of a protocol tool."""
        function = FunctionShape(
            name=tool.name, description=tool.description, parameters=dict(tool.parameters), strict=tool.strict
        )
        return cls(type="function", function=function)


class NamedFunction(Body):
    """The function a tool choice insists on."""

    name: FunctionName


class NamedToolChoice(Body):
    """A tool choice that insists on one function."""

    type: Literal["function"]
    function: NamedFunction


ToolChoiceShape = Literal["none", "auto", "required"] | NamedToolChoice


def read_tool_choice(shape: ToolChoiceShape) -> ToolChoice:
    """The protocol's tool choice."""
    if isinstance(shape, NamedToolChoice):
        return ToolChoice("function", shape.function.name)
    return ToolChoice(shape)


def write_tool_choice(choice: ToolChoice) -> ToolChoiceShape:
    """The shape of a protocol tool choice."""
    if choice.mode == "function":
        return NamedToolChoice(type="function", function=NamedFunction(name=choice.name or ""))
    return choice.mode


class JsonSchemaShape(Body):
    """A named JSON schema that the answer must follow."""

    name: FunctionName
    description: Text = ""
    schema_: JsonObject = Field(default_factory=dict, alias="schema")
    strict: bool = False


class ResponseFormatShape(Body):
    """The shape an answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaShape | None = None

    @model_validator(mode="after")
    def _schema_given(self) -> ResponseFormatShape:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise invalid("json_schema", "it is given exactly with type 'json_schema'")
        return self

    def read(self) -> ResponseFormat:
        """The protocol's response format."""
        if self.json_schema is None:
            return ResponseFormat(self.type)
        schema = self.json_schema
        return ResponseFormat("json_schema", schema.name, schema.schema_, schema.strict)

    @classmethod
    def write(cls, wanted: ResponseFormat) -> ResponseFormatShape:
        """The shape of a protocol response format."""
        if wanted.kind != "json_schema":
            return cls(type=wanted.kind)
        schema = JsonSchemaShape.model_validate(
            {"name": wanted.name, "schema": dict(wanted.schema or {}), "strict": wanted.strict}
        )
        return cls(type="json_schema", json_schema=schema)
