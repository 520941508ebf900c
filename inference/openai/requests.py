"""The request bodies of /v1/chat/completions, /v1/completions and /v1/embeddings, in both directions.

`read` turns a validated body into the protocol's request; `chat_body` and `completion_body` write
one for another server. Fields without effect here (`user`, `safety_identifier`, `prompt_cache_key`,
`metadata`) are accepted; whatever would change the answer and cannot be honoured is refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from inference.openai.messages import (
    MessageShape,
    NamedToolChoice,
    ResponseFormatShape,
    ToolChoiceShape,
    ToolShape,
    read_tool_choice,
)
from inference.protocol import Caller, ChatRequest, EmbedRequest, Priority, ResponseFormat, Sampling, ToolChoice
from inference.verification import Verify
from inference.wire.body import LARGEST_COUNT, AnswerTokens, Body, Text, invalid, refused

TokenId = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
StopString = Annotated[Text, Field(min_length=1)]


class StreamOptions(Body):
    """What a stream carries besides text."""

    include_usage: bool = False


class TieredBody(Body):
    """What all three have: how soon an answer is wanted, in OpenAI's words for chat."""

    model: Text
    service_tier: Literal["auto", "default", "priority", "flex", "scale", "fast"] | None = Field(
        default=None, description="flex: behind all other requests, which may also interrupt it. All others are equal."
    )

    @property
    def priority(self) -> Priority:
        """Nobody waits for an answer that may be slow."""
        return "batch" if self.service_tier == "flex" else "interactive"

    @property
    def served_as(self) -> str | None:
        """The tier that the answer names, as OpenAI's does: the one in effect, if the request names any."""
        return self.service_tier and ("flex" if self.priority == "batch" else "default")


class GenerationBody(TieredBody):
    """The fields that chat and plain completions share."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1, le=LARGEST_COUNT)] = Field(
        default=0, description="As vLLM and llama.cpp; 0 or -1: off."
    )
    min_p: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="As vLLM and llama.cpp; 0: off.")
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] = Field(default=1.0, description="As vLLM; 1: off.")
    stop: StopString | Annotated[list[StopString], Field(max_length=64)] = Field(
        default_factory=list, description="OpenAI takes four; editors that complete at the cursor send dozens."
    )
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0
    logit_bias: dict[TokenId, Bias] = Field(default_factory=dict)
    n: Annotated[int, Field(ge=1, le=128)] = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: Text | None = Field(default=None, description="Accepted; has no effect.")

    @model_validator(mode="after")
    def _options_of_a_stream(self) -> GenerationBody:
        if self.stream_options is not None and not self.stream:
            raise invalid("stream_options", "it is only allowed with 'stream': true")
        return self

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def _sampling(self, **rest: Any) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=max(self.top_k, 0),
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop),
            seed=self.seed,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            logit_bias={int(token): bias for token, bias in self.logit_bias.items()},
            n=self.n,
            **rest,
        )


class VerifyShape(Body):
    """What an answer must pass before it is given: our field, which OpenAI's clients send as `extra_body`."""

    language: Literal["python"] = "python"
    tests: Annotated[Text, Field(max_length=1_000_000)] = Field(
        default="", description="Assertions or pytest functions about the names that the answer defines."
    )
    checks: Annotated[list[Text], Field(max_length=20)] = Field(
        default_factory=list, description="Further checks by name, such as security."
    )
    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="A JSON schema that the answer fits, instead of being code."
    )

    def read(self) -> Verify:
        """The protocol's."""
        return Verify(self.language, self.tests, tuple(self.checks), self.schema_)


class ChatBody(GenerationBody):
    """The body of POST /v1/chat/completions."""

    messages: Annotated[list[MessageShape], Field(min_length=1)]
    max_completion_tokens: AnswerTokens | None = None
    max_tokens: AnswerTokens | None = Field(default=None, description="The older name of `max_completion_tokens`.")
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    tools: list[ToolShape] = Field(default_factory=list)
    tool_choice: ToolChoiceShape | None = None
    parallel_tool_calls: bool = True
    response_format: ResponseFormatShape | None = None
    safety_identifier: Text | None = Field(default=None, description="Accepted; has no effect.")
    prompt_cache_key: Text | None = Field(default=None, description="Accepted; has no effect.")
    prompt_cache_retention: Literal["in-memory", "in_memory", "24h"] | None = Field(
        default=None, description="Accepted; has no effect."
    )
    metadata: dict[Text, Text] = Field(default={}, description="Accepted; has no effect.")
    store: bool = Field(default=False, description="Answers are not stored for retrieval: only false is accepted.")
    modalities: list[Literal["text"]] = Field(default_factory=list)
    verify: VerifyShape | None = Field(default=None, description="Answer only with what passed; see docs/verified.md.")

    @model_validator(mode="after")
    def _consistent(self) -> ChatBody:
        if self.store:
            raise refused("store", "answers are not stored for retrieval; leave it out")
        if self.top_logprobs and not self.logprobs:
            raise invalid("top_logprobs", "it needs 'logprobs': true")
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise invalid("max_tokens", "it contradicts 'max_completion_tokens'")
        self._check_tool_choice()
        return self

    def _check_tool_choice(self) -> None:
        names = [tool.function.name for tool in self.tools]
        if isinstance(self.tool_choice, NamedToolChoice):
            if self.tool_choice.function.name not in names:
                raise invalid("tool_choice", f"the functions in 'tools' are {', '.join(names) or 'none'}")
        elif self.tool_choice == "required" and not names:
            raise invalid("tool_choice", "'required' needs at least one function in 'tools'")

    def read(self, caller: Caller, request_id: str) -> ChatRequest:
        """The protocol's request."""
        return ChatRequest(
            model=self.model,
            messages=tuple(message.read() for message in self.messages),
            sampling=self._sampling(
                max_tokens=self.max_completion_tokens or self.max_tokens,
                logprobs=self.logprobs,
                top_logprobs=self.top_logprobs,
            ),
            tools=tuple(tool.read() for tool in self.tools),
            tool_choice=ToolChoice() if self.tool_choice is None else read_tool_choice(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls,
            response_format=ResponseFormat() if self.response_format is None else self.response_format.read(),
            caller=caller,
            priority=self.priority,
            request_id=request_id,
            verify=None if self.verify is None else self.verify.read(),
        )


class CompletionBody(GenerationBody):
    """The body of POST /v1/completions; with `suffix` the model fills in what stands between."""

    null_has_meaning = frozenset({"max_tokens"})

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1)] = Field(
        description="One text; token ids and several prompts in one request are not supported."
    )
    suffix: Text | None = None
    max_tokens: AnswerTokens | None = Field(
        default=16, description="Null: until the model ends its answer or the context is full."
    )
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool = Field(default=False, description="Only false is accepted.")
    best_of: int | None = Field(default=None, description="Only the value of `n` is accepted.")

    @model_validator(mode="after")
    def _consistent(self) -> CompletionBody:
        if self.echo:
            raise refused("echo", "the prompt is not repeated; leave it out")
        if self.best_of is not None and self.best_of != self.n:
            raise refused("best_of", "it must equal 'n' or be left out")
        return self

    def read(self, caller: Caller, request_id: str) -> ChatRequest:
        """The protocol's request."""
        return ChatRequest(
            model=self.model,
            prompt=self.prompt if isinstance(self.prompt, str) else self.prompt[0],
            suffix=self.suffix,
            sampling=self._sampling(
                max_tokens=self.max_tokens, logprobs=self.logprobs is not None, top_logprobs=self.logprobs or 0
            ),
            caller=caller,
            priority=self.priority,
            request_id=request_id,
        )


class TokenizeBody(Body):
    """The body of POST /v1/tokenize, as vLLM's: a text, or a conversation with the chat template around it."""

    model: Text
    prompt: Text | None = None
    messages: list[MessageShape] = Field(default_factory=list)
    tools: list[ToolShape] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenizeBody:
        if (self.prompt is None) == (not self.messages):
            raise invalid("prompt", "give exactly one of 'prompt' and 'messages'")
        if self.tools and not self.messages:
            raise invalid("tools", "it needs 'messages'")
        return self

    def read(self, caller: Caller, request_id: str) -> ChatRequest:
        """The protocol's request."""
        return ChatRequest(
            model=self.model,
            messages=tuple(message.read() for message in self.messages),
            prompt=self.prompt,
            tools=tuple(tool.read() for tool in self.tools),
            caller=caller,
            request_id=request_id,
        )


class EmbeddingsBody(TieredBody):
    """The body of POST /v1/embeddings."""

    input: (
        Annotated[Text, Field(min_length=1)]
        | Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=2048)]
    ) = Field(description="One or more texts; token ids are not supported.")
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: Text | None = Field(default=None, description="Accepted; has no effect.")

    def read(self, caller: Caller, request_id: str) -> EmbedRequest:
        """The protocol's request."""
        return EmbedRequest(
            model=self.model,
            texts=(self.input,) if isinstance(self.input, str) else tuple(self.input),
            dimensions=self.dimensions,
            caller=caller,
            priority=self.priority,
            request_id=request_id,
        )
