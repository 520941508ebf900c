"""The `placement:` and `replicas:` parts of a model: what one replica takes of a machine, and how many there may be.

Pure data with validation. On one machine without Ray there is one replica of each model, which has the whole
machine; then only what an engine itself is told (in the subclass of its engine) counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from inference.spec import Seconds, Spec

Amount = Annotated[float, Field(ge=0, le=10_000)]


class Placement(Spec):
    """What one replica takes, in Ray's units; a replica is placed where all of it is free."""

    gpus: Amount = Field(default=0, description="Graphics processors; a part of one, such as 0.5, shares it.")
    accelerator: str | None = Field(default=None, description="Kind of graphics processor, in Ray's words: H100, L4.")
    cpus: Amount = Field(default=1, description="Processor cores.")
    memory_mib: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Memory to be free.")
    resources: Mapping[str, Amount] = Field(
        default={}, description="Custom resources of nodes, such as a label of your own on those with fast disks."
    )

    @model_validator(mode="after")
    def _whole_or_part(self) -> Placement:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be a whole number or less than one, found {self.gpus:g}")
        return self


class Replicas(Spec):
    """How many there are of a model: as many as its requests in flight need, between `min` and `max`."""

    min: Annotated[int, Field(ge=0, le=1000)] = Field(default=1, description="0: none while nobody asks.")
    max: Annotated[int, Field(ge=1, le=1000)] = 1
    in_flight: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Requests in flight that one replica is for; unset: three quarters of `concurrency`."
    )
    scale_down_delay_seconds: Seconds = Field(default=300.0, description="How long fewer must have been enough.")
    cold_start_seconds: Seconds = Field(default=120.0, description="How long requests wait for a replica to come up.")
    drain_seconds: Seconds = Field(default=300.0, description="How long a leaving replica may go on with its answers.")
    surge: bool = Field(
        default=True,
        description="Whether a replacement starts before the old one leaves, which takes room for one more.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.min > self.max:
            raise ValueError(f"replicas.min is {self.min} and more than replicas.max, {self.max}")
        return self
