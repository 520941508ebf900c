"""The body of POST /v1/responses.

Fields without effect here are accepted and say so; whatever would change the answer and cannot be honoured is refused
by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from inference.openai.messages import FunctionName
from inference.openai.requests import TieredBody
from inference.protocol import Caller, ChatRequest, Message, ResponseFormat, Sampling, Tool, ToolChoice
from inference.responses.items import KINDS, AnyItem, MessageItem, messages
from inference.wire.body import AnswerTokens, Body, JsonObject, Text, check_kind, invalid, refused

NO_EFFECT = "Accepted; has no effect."
LOGPROBS = "message.output_text.logprobs"


class FunctionTool(Body):
    """A function the model may call; tools that OpenAI itself runs are refused by name."""

    type: Literal["function"]
    name: FunctionName
    description: Text = ""
    parameters: JsonObject = Field(default_factory=dict)
    strict: bool = True

    @model_validator(mode="before")
    @classmethod
    def _only_functions(cls, data: Any) -> Any:
        check_kind(data, ("function",), "tools must be of type 'function'")
        return data

    def read(self) -> Tool:
        """The protocol's tool."""
        return Tool(self.name, self.description, self.parameters, self.strict)


class NamedTool(Body):
    """A tool choice that insists on one function."""

    type: Literal["function"]
    name: FunctionName


class TextFormat(Body):
    """The shape an answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    name: FunctionName | None = None
    description: Text = ""
    schema_: JsonObject | None = Field(default=None, alias="schema")
    strict: bool = False

    @model_validator(mode="after")
    def _schema_given(self) -> TextFormat:
        if (self.type == "json_schema") != (self.schema_ is not None and self.name is not None):
            raise invalid("schema", "it is given, with a name, exactly with type 'json_schema'")
        return self

    def read(self) -> ResponseFormat:
        """The protocol's response format."""
        if self.schema_ is None:
            return ResponseFormat(self.type)
        return ResponseFormat("json_schema", self.name or "response", self.schema_, self.strict)


class TextOptions(Body):
    """How text is written."""

    format: TextFormat = TextFormat(type="text")
    verbosity: Literal["low", "medium", "high"] | None = Field(default=None, description=NO_EFFECT)


class StreamOptions(Body):
    """What a stream carries besides the answer."""

    include_obfuscation: bool = Field(default=False, description="Nothing is added to hide lengths: only false.")

    @model_validator(mode="after")
    def _nothing_added(self) -> StreamOptions:
        if self.include_obfuscation:
            raise refused("include_obfuscation", "nothing is added to streams; leave it out")
        return self


class Reasoning(Body):
    """How much is thought before the answer: these models think as their templates have them think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = Field(
        default=None, description=NO_EFFECT
    )
    summary: Literal["auto", "concise", "detailed"] | None = Field(default=None, description=NO_EFFECT)
    generate_summary: Literal["auto", "concise", "detailed"] | None = Field(default=None, description=NO_EFFECT)


class ResponsesBody(TieredBody):
    """The body of POST /v1/responses."""

    input: Text | list[AnyItem]
    instructions: Text | None = None
    previous_response_id: Text | None = None
    store: bool = Field(default=True, description="Keep the response, so that a later one can go on from it.")
    max_output_tokens: AnswerTokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    tools: list[FunctionTool] = Field(default_factory=list)
    tool_choice: Literal["none", "auto", "required"] | NamedTool = "auto"
    parallel_tool_calls: bool = True
    text: TextOptions = TextOptions()
    stream: bool = False
    stream_options: StreamOptions | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] = Field(
        default_factory=list, description="Encrypted reasoning: there is none."
    )
    truncation: Literal["auto", "disabled"] = Field(default="disabled", description="Prompts are never cut.")
    background: bool = Field(default=False, description="Answers are given while the client waits: only false.")
    metadata: dict[Text, Text] = Field(default_factory=dict)
    reasoning: Reasoning | None = Field(default=None, description=NO_EFFECT)
    user: Text | None = Field(default=None, description=NO_EFFECT)
    safety_identifier: Text | None = Field(default=None, description=NO_EFFECT)
    prompt_cache_key: Text | None = Field(default=None, description=NO_EFFECT)
    prompt_cache_retention: Literal["in-memory", "in_memory", "24h"] | None = Field(default=None, description=NO_EFFECT)

    @model_validator(mode="before")
    @classmethod
    def _known_items(cls, data: Any) -> Any:
        items = data.get("input") if isinstance(data, dict) else None
        for item in items if isinstance(items, list) else ():
            check_kind(item, KINDS, f"items of 'input' must be of type {', '.join(KINDS)}")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> ResponsesBody:
        if self.background:
            raise refused("background", "answers are given while the client waits; leave it out")
        if self.truncation != "disabled":
            raise refused("truncation", "prompts are never cut; leave it out")
        if not self.input and self.previous_response_id is None:
            raise invalid("input", "it is empty")
        if self.top_logprobs and LOGPROBS not in self.include:
            raise invalid("top_logprobs", f"it needs '{LOGPROBS}' in 'include'")
        names = [tool.name for tool in self.tools]
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.name not in names:
            raise invalid("tool_choice", f"the functions in 'tools' are {', '.join(names) or 'none'}")
        if self.tool_choice == "required" and not names:
            raise invalid("tool_choice", "'required' needs at least one function in 'tools'")
        return self

    @property
    def items(self) -> list[AnyItem]:
        """The input as items."""
        return [MessageItem(role="user", content=self.input)] if isinstance(self.input, str) else self.input

    def read(self, caller: Caller, request_id: str, before: tuple[Message, ...]) -> ChatRequest:
        """The protocol's request; `before` is the conversation up to the response that this one goes on from."""
        choice = self.tool_choice
        return ChatRequest(
            model=self.model,
            messages=(
                *([Message("system", self.instructions)] if self.instructions else []),
                *before,
                *messages(self.items),
            ),
            sampling=Sampling(
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=self.max_output_tokens,
                logprobs=LOGPROBS in self.include,
                top_logprobs=self.top_logprobs,
            ),
            tools=tuple(tool.read() for tool in self.tools),
            tool_choice=ToolChoice(choice) if isinstance(choice, str) else ToolChoice("function", choice.name),
            parallel_tool_calls=self.parallel_tool_calls,
            response_format=self.text.format.read(),
            caller=caller,
            priority=self.priority,
            request_id=request_id,
        )
