"""The contract of everything that can answer: llama.cpp, vLLM, an HTTP endpoint, a script, the router.

Each is an `Engine`. The HTTP routes are written once, for any of them; tests/contracts holds them all to the same.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from inference.verification import Checking, Verified, Verify

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Capability = Literal["chat", "completion", "infill", "embeddings", "tools", "json_schema", "logprobs"]
Priority = Literal["interactive", "batch"]
"""Where requests wait, what is interactive goes before all that is batch, however long that has waited."""


def new_request_id() -> str:
    """A fresh request id; it is also the idempotency key of the call in the ledger."""
    return f"req_{os.urandom(16).hex()}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called. `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; text only."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` as OpenAI names it; `name` only with mode "function"."""

    mode: Literal["none", "auto", "required", "function"] = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """What shape the answer must have; `schema` only with kind "json_schema"."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str = "response"
    schema: Mapping[str, object] | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Defaults are OpenAI's; `temperature=0` is greedy and repeatable.

    `top_k` keeps the k likeliest tokens (0: all), `min_p` those with at least this share of the likeliest one's
    probability, `repetition_penalty` divides the scores of tokens the answer has already; OpenAI has none of the three.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a call is made: what budgets and residency rules are applied to.

    `data_class` is one of the classes that models.yaml's policy declares, e.g. "internal". `key` is the id of the API
    key that the call came with, `task` the name of the task it is for, `workload` its class of traffic, or are empty.
    """

    tenant: str = "default"
    actor: str = "local"
    data_class: str = "internal"
    key: str = ""
    task: str = ""
    workload: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked. Exactly one of `messages` (chat) and `prompt` (plain completion) is given.

    `suffix` turns a completion into fill-in-the-middle. `tried` names models whose answer to this request failed
    verification: a router answers with a stronger one, a single engine ignores it. `max_cost_usd` is the most the call
    may cost at worst: a priced router sees to it before anything is sent. `deadline` is in seconds since the epoch.
    `priority` is for our queues. What asks to `verify` is for an engine that does; it asks others with `checking`.
    """

    model: str
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    suffix: str | None = None
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    response_format: ResponseFormat = ResponseFormat()
    caller: Caller = Caller()
    tried: tuple[str, ...] = ()
    max_cost_usd: Decimal | None = None
    deadline: float | None = None
    priority: Priority = "interactive"
    request_id: str = field(default_factory=new_request_id)
    verify: Verify | None = None
    checking: Checking | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to embed; `dimensions` asks for the first so many components, normalised again. The rest as in chats."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    caller: Caller = Caller()
    deadline: float | None = None
    priority: Priority = "interactive"
    request_id: str = field(default_factory=new_request_id)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the engine, and what they cost; only a priced router fills in `cost_usd`.

    Of the prompt, `cached_tokens` were found in a cache and `written_tokens` put into one; `estimated`: all is a guess.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    estimated: bool = False
    written_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: `id` and `name` come first, `arguments` in fragments."""

    position: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token's log probability with the likeliest alternatives (text, log probability)."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer.

    `index` is the choice (0 .. n-1). Every choice ends with exactly one chunk that has a `finish_reason`, and the
    `stop_string` that ended it if one did and is known; the last chunk has the `usage` of all choices together.
    `model` is the concrete model that answers; `route` is a router's one-line reason, on the first chunk only.
    """

    text: str = ""
    index: int = 0
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str = ""
    route: str = ""
    stop_string: str | None = None
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One finished answer."""

    text: str
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    stop_string: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: all chunks of a stream put together."""

    choices: tuple[Choice, ...]
    usage: Usage
    model: str
    route: str = ""
    verified: Verified | None = None

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.choices[0].text


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit-length vectors, one per text, each of the model's width (or of `dimensions`)."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt as a model reads it; if another server has it and does not tell, `ids` is None and `count` a guess."""

    count: int
    ids: tuple[int, ...] | None
    model: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine can answer now, a sentence for a person, and what it has allocated, by part, if it can tell."""

    ready: bool
    detail: str = ""
    memory_mib: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A name that `ChatRequest.model` may carry; `context_tokens` is the longest prompt plus answer."""

    id: str
    capabilities: frozenset[Capability]
    context_tokens: int
    owned_by: str = "bailey"
    created: int = 0


class Embedder(Protocol):
    """Turns texts into vectors."""

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts, in order. Raises `EngineError`."""


class Engine(Embedder, Protocol):
    """Anything that can answer. Methods raise `inference.errors.EngineError` and nothing else."""

    def models(self) -> Sequence[ModelCard]:
        """The names this engine answers to."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece. Closing the generator cancels the work and frees its slot."""

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The request's prompt as the model would read it; nothing is computed. Raises `EngineError`."""

    async def health(self) -> Health:
        """Whether a request would be answered now; never raises."""

    async def close(self) -> None:
        """Free what the engine holds (processes, sockets, memory); safe to call twice."""
