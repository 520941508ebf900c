"""The `models:` part of models.yaml: what a model is, where its weights are, what it costs.

Pure data with validation; nothing is opened here. `gateway/config.py` reads the file, and
`engines.py` turns one entry into one Engine.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from inference.clouds import Droppable, ExtraBody, Headers, Query
from inference.placement import Placement, Replicas
from inference.price import Price
from inference.protocol import Capability, ModelCard
from inference.resilience import ResilienceSpec
from inference.rollout import FIRST_VERSION, CanarySpec, RollbackSpec, VersionName, VersionSpec
from inference.spec import Name, Seconds, Spec
from inference.vllm.arguments import repeated
from inference.vllm.placement import VllmPlacement

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Source = Annotated[
    str,
    Field(
        pattern=r"^(bundled:[\w.-]+|path:.+|hf:[^@\s]+@[^@\s]+|s3://[^/\s]+/\S+|oci:[^/@\s]+/\S+[:@]\S+)$",
        description="bundled:NAME, path:FILE-OR-FOLDER, hf:OWNER/NAME@REVISION, hf:OWNER/NAME/FILE.gguf@REVISION, "
        "s3://BUCKET/PREFIX or oci:REGISTRY/REPOSITORY:TAG (or @sha256:DIGEST).",
    ),
]


Tokens = Annotated[int, Field(ge=64, le=10_000_000)]


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"each may stand here once, because the order counts; found twice: {', '.join(twice)}")
    return names


Ranking = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_unique)]


class InfillMarks(Spec):
    """The control tokens, by name, between which a model reads what stands before and after a gap and then fills it."""

    prefix: Annotated[str, Field(min_length=1)]
    suffix: Annotated[str, Field(min_length=1)]
    middle: Annotated[str, Field(min_length=1)]

    def around(self, before: str, after: str) -> str:
        """The prompt that asks for what stands between both."""
        return f"{self.prefix}{before}{self.suffix}{after}{self.middle}"


class ModelBase(Spec):
    """What every model declares, whatever engine runs it."""

    preempts: ClassVar[bool] = False
    """Whether its engine sets batch answers aside while interactive requests wait."""

    name: Name
    tier: str = Field(description="One of the tiers declared at the top, cheapest first.")
    context_tokens: Tokens = Field(description="Longest prompt plus answer.")
    capabilities: frozenset[Capability] = frozenset({"chat", "completion"})
    price: Price = Price()
    cache_seconds: Seconds | None = Field(
        default=None,
        description="How long prompts stay in its cache after they were sent. Unset: nothing counts on it.",
    )
    cache_least_tokens: Annotated[int, Field(ge=0)] = Field(default=0, description="Shorter prefixes are not cached.")
    data_classes: tuple[str, ...] | None = Field(
        default=None, description="Data classes this model may see; unset: all for local models, none for remote ones."
    )
    infill: InfillMarks | None = Field(
        default=None,
        description="Its fill-in-the-middle tokens. Unset: those of the GGUF file; another server gets `suffix`.",
    )
    concurrency: Annotated[int, Field(ge=1, le=1024)] = Field(default=4, description="Requests answered at once.")
    queue: Annotated[int, Field(ge=0, le=100_000)] = Field(default=32, description="Requests that may wait for a slot.")
    version: VersionName = Field(default=FIRST_VERSION, description="Which version of the model this entry is.")
    versions: tuple[VersionSpec, ...] = Field(default=(), description="Further versions: each key in which it differs.")
    canary: CanarySpec | None = Field(default=None, description="A further version that answers some conversations.")
    rollback: RollbackSpec = RollbackSpec()
    resilience: ResilienceSpec = ResilienceSpec()

    @property
    def remote(self) -> bool:
        """Whether requests leave the customer's walls."""
        return False

    def answers_at_once(self, placed: bool) -> int:
        """How many requests may be in flight; `placed` says whether models are on a Ray cluster."""
        return self.concurrency

    def card(self) -> ModelCard:
        """How /v1/models lists this model."""
        return ModelCard(id=self.name, capabilities=self.capabilities, context_tokens=self.context_tokens)


class LocalModel(ModelBase):
    """What every model declares that takes room of a machine of ours, or of a Ray cluster."""

    placement: Placement = Placement()
    replicas: Replicas = Replicas()
    cpu_fallback: Name | None = Field(
        default=None, description="A model that answers while this one has no replica that would."
    )

    def answers_at_once(self, placed: bool) -> int:
        """With Ray there may be several replicas, each of which answers `concurrency` requests."""
        return self.concurrency * (self.replicas.max if placed else 1)


class LlamaCppModel(LocalModel):
    """A GGUF file run by llama.cpp in this machine."""

    preempts: ClassVar[bool] = True

    engine: Literal["llama.cpp"]
    source: Source
    sha256: Sha256 | None = Field(default=None, description="Digest of the GGUF file, or of all its parts.")
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None, description="At most; fewer while others need cores. Unset: all cores."
    )
    gpu_layers: Annotated[int, Field(ge=0, le=10_000)] = 0
    memory_mib: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Most that weights, contexts and buffers may take; unset: what is available."
    )
    guesses: bool = Field(default=True, description="Guess ahead where an answer repeats its prompt, as edits do.")


class VllmModel(LocalModel):
    """A model folder served by vLLM's own server, as a supervised child that listens on a private socket."""

    engine: Literal["vllm"]
    source: Source
    sha256: Sha256 | None = Field(
        default=None, description="Digest of the folder's model.safetensors, or of all its files."
    )
    python: str = Field(default="python3", description="Interpreter of the environment vLLM is installed in.")
    arguments: tuple[str, ...] = Field(
        default=(), description="Further arguments for vLLM's server, for what has no key here."
    )
    start_timeout_seconds: Seconds = 600.0
    silence_timeout_seconds: Seconds = Field(
        default=60.0, description="How long the server may not answer at all before it is started again."
    )
    placement: VllmPlacement = VllmPlacement()

    @model_validator(mode="after")
    def _can_be_served(self) -> VllmModel:
        problems = list(repeated(self.arguments))
        if "embeddings" in self.capabilities and len(self.capabilities) > 1:
            problems.append("vLLM either embeds or writes: declare embeddings alone, and another model beside it")
        if "tools" in self.capabilities and self.placement.tool_parser is None:
            problems.append("the capability tools needs placement.tool_parser, vLLM's name for how the model calls")
        if "infill" in self.capabilities and self.infill is None:
            problems.append("the capability infill needs the key infill, because vLLM does not know `suffix`")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class UpstreamModel(ModelBase):
    """What every model declares that another server has."""

    url: Annotated[str, Field(pattern=r"^https?://")] = Field(description="What the paths are added to; ends in /v1.")
    model: str | None = Field(default=None, description="The name the other end knows; unset: `name`.")
    api_key_env: str | None = Field(default=None, description="Environment variable that holds the key.")
    headers: Headers = Field(default={}, description="Further headers of every request, none of them secret.")
    extra_body: ExtraBody = Field(default={}, description="Further fields of every request's body.")
    drop_parameters: tuple[Droppable, ...] = Field(
        default=(), description="Not sent, because the model refuses them: it draws tokens in its own way."
    )
    location: Literal["local", "cloud"] = "cloud"
    connect_timeout_seconds: Seconds = 5.0
    first_token_timeout_seconds: Seconds = 120.0
    between_tokens_timeout_seconds: Seconds = 60.0

    @model_validator(mode="after")
    def _one_place_for_timeouts(self) -> Self:
        timeouts = self.resilience.timeouts
        if timeouts.first_token_seconds is not None or timeouts.between_tokens_seconds is not None:
            raise ValueError(
                f"model {self.name!r}: write first_token_timeout_seconds and between_tokens_timeout_seconds beside "
                "`url` instead of resilience.timeouts"
            )
        return self

    @property
    def remote(self) -> bool:
        """Whether requests leave the customer's walls."""
        return self.location == "cloud"


class HttpModel(UpstreamModel):
    """Any OpenAI-compatible URL: a cloud, or a server of your own (`location: local`)."""

    engine: Literal["http"]
    query: Query = Field(default={}, description="Added to every URL; Azure wants api-version there.")
    auth: Literal["bearer", "api-key"] = Field(
        default="bearer", description="The header that has the key: authorization, or Azure's api-key."
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="How chats name the longest answer; OpenAI's newer models know the second."
    )


class AnthropicModel(UpstreamModel):
    """A model behind Anthropic's Messages API."""

    engine: Literal["anthropic"]
    url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.anthropic.com/v1"
    capabilities: frozenset[Capability] = frozenset({"chat", "tools", "json_schema"})
    max_tokens: Annotated[int, Field(ge=1)] = Field(
        description="Longest answer to requests that do not say: the API insists on a number."
    )
    prompt_cache: bool = Field(
        default=False, description="Have prompts cached, which costs more; pays where conversations go on soon."
    )

    @model_validator(mode="after")
    def _in_its_format(self) -> AnthropicModel:
        if lacking := sorted(self.capabilities - {"chat", "tools", "json_schema"}):
            raise ValueError(f"Anthropic's Messages API has no {', '.join(lacking)}; valid: chat, tools, json_schema")
        return self


class ScriptedReply(Spec):
    """An answer of the scripted engine: the first reply whose `when` stands in the conversation is given."""

    when: str = Field(default="", description="Text the last message must contain; empty matches always.")
    text: str
    times: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Unset: every time.")


class ScriptedModel(ModelBase):
    """Answers from a list: deterministic, for tests, demonstrations and dry runs."""

    engine: Literal["scripted"]
    replies: tuple[ScriptedReply, ...]
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(default=0.0, description="Pause before each chunk.")
    location: Literal["local", "cloud"] = Field(default="local", description="`cloud` to rehearse residency rules.")

    @property
    def remote(self) -> bool:
        """Whether requests would leave the customer's walls."""
        return self.location == "cloud"


ModelSpec = Annotated[
    LlamaCppModel | VllmModel | HttpModel | ScriptedModel | AnthropicModel, Field(discriminator="engine")
]


class Catalog(Spec):
    """All models, by unique name, and the order of the tiers (cheapest first)."""

    tiers: Ranking
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Catalog:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"model names must be unique; declared twice: {', '.join(twice)}")
        for model in self.models:
            if model.tier not in self.tiers:
                raise ValueError(f"model {model.name!r} has tier {model.tier!r}; valid tiers: {', '.join(self.tiers)}")
        return self

    def get(self, name: str) -> ModelSpec | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)

    def tier_rank(self, model: ModelBase) -> int:
        """Position of the model's tier, 0 for the cheapest."""
        return self.tiers.index(model.tier)
