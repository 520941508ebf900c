"""The `placement:` of a vLLM model: what one replica takes of a machine, and what its vLLM is told about it.

Pure data with validation of what can be known without vLLM. `arguments.py` turns it into vLLM's command line, and
`bailey config check` asks the installed vLLM about the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from inference.placement import Amount, Placement
from inference.spec import Spec

Count = Annotated[int, Field(ge=1, le=10_000)]
Folder = Annotated[str, Field(pattern=r"^path:.+")]
AdapterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
MAX_SHARE = 0.9
"""Part of a shared graphics processor's share that vLLM may take: CUDA itself needs some of it."""


class Lora(Spec):
    """Adapters of the model; each is asked for as `model:adapter`, and more may be loaded while it runs."""

    adapters: Mapping[AdapterName, Folder] = Field(default={}, description="Adapters by name, path:FOLDER each.")
    max_loaded: Count = Field(default=4, description="Adapters that the answers of one step may use together.")
    max_rank: Count = Field(default=16, description="Largest rank that an adapter may have; memory is kept for it.")


class Speculative(Spec):
    """How vLLM guesses tokens ahead, in its own words."""

    method: str = Field(description="A method that vLLM knows, such as ngram, suffix, eagle3 or draft_model.")
    tokens: Count = Field(description="Tokens guessed at a time.")
    model: Folder | None = Field(default=None, description="path:FOLDER of the model that guesses, if one does.")


class VllmPlacement(Placement):
    """One replica of a vLLM model. Unset values are left to vLLM."""

    gpus: Amount = Field(
        default=0,
        description="Graphics processors; unset: tensor_parallel x pipeline_parallel. A part of one, such as 0.5, "
        "shares it. 0: vLLM is its build for processors.",
    )
    tensor_parallel: Count = Field(default=1, description="Processes that share every layer.")
    pipeline_parallel: Count = Field(default=1, description="Groups of them that share the layers between them.")
    machines: Count = Field(default=1, description="Machines of a Ray cluster that the processes are spread over.")
    dtype: str | None = Field(default=None, description="Number format of weights and activations.")
    quantization: str | None = Field(default=None, description="How weights are quantized; unset: as the files say.")
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Part of each processor's memory for weights, activations, keys and values together."
    )
    kv_cache_mib: Count | None = Field(default=None, description="Memory for keys and values alone, on any build.")
    prefix_caching: bool | None = Field(default=None, description="Whether prompts that begin alike share that part.")
    speculative: Speculative | None = None
    lora: Lora | None = None
    tool_parser: str | None = Field(default=None, description="vLLM's parser for the model's spelling of tool calls.")
    reasoning_parser: str | None = Field(default=None, description="vLLM's parser for what the model thinks aloud.")
    eager: bool = Field(default=False, description="Start sooner and answer slower: nothing is compiled.")

    @model_validator(mode="before")
    @classmethod
    def _a_processor_for_each_process(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "gpus" in given:
            return given
        sizes = [given.get(name, 1) for name in ("tensor_parallel", "pipeline_parallel")]
        return given | {"gpus": sizes[0] * sizes[1]} if all(isinstance(size, int) for size in sizes) else given

    @model_validator(mode="after")
    def _consistent(self) -> VllmPlacement:
        processes = self.tensor_parallel * self.pipeline_parallel
        if self.gpus and (self.gpus if self.gpus >= 1 else 1) != processes:
            raise ValueError(
                f"gpus is {self.gpus:g}, but tensor_parallel x pipeline_parallel is {processes}; leave gpus out, "
                "or make them equal (a part of one processor needs 1, and gpus: 0 is for vLLM's build for processors)"
            )
        if processes % self.machines:
            raise ValueError(
                f"machines is {self.machines}, but tensor_parallel x pipeline_parallel is {processes}, which cannot be "
                "spread evenly over so many"
            )
        return self

    @property
    def memory_fraction(self) -> float | None:
        """What vLLM is told: a replica that shares its graphics processor must not take all of it."""
        if self.gpu_memory_fraction is None and 0 < self.gpus < 1:
            return round(self.gpus * MAX_SHARE, 3)
        return self.gpu_memory_fraction
