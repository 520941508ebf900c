"""Workload classes: kinds of traffic with models, slots, a priority, a deadline and a service level of their own.

Declared in models.yaml. What a class may do is decided with every other rule of policy, so it binds every fallback,
too; its share of a model's slots is a queue of its own: no other class can fill it, and it takes nothing of theirs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from inference.protocol import ChatRequest, EmbedRequest, Priority
from inference.spec import Name, Spec
from ledger.spec import Days

Seconds = Annotated[float, Field(gt=0, le=86_400)]
R = TypeVar("R", ChatRequest, EmbedRequest)


class WorkloadSpec(Spec):
    """A class of requests; a tenant's requests belong to one of the tenant's `workloads`."""

    name: Name
    models: tuple[str, ...] = Field(default=("*",), description="Models that may answer it; * for all.")
    slots_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Share of each model's slots that is its own; it takes no others, and nobody takes it.",
    )
    queue: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None, description="How many of its requests may wait for its own slots; the model's queue if left out."
    )
    priority: Priority | None = Field(default=None, description="Whatever the request says.")
    deadline_seconds: Seconds | None = Field(default=None, description="The longest that an answer may take.")
    first_token_seconds: Seconds | None = Field(default=None, description="Service level: to the first piece.")
    total_seconds: Seconds | None = Field(default=None, description="Service level: to the end of an answer.")
    record: Literal["usual", "full"] = Field(
        default="usual",
        description="full: only models whose weights are known by digest answer, so that each answer can be traced.",
    )

    retention_days: Days | None = Field(
        default=None,
        description="How long the ledger keeps its prompts and answers; as `ledger.retention_days` says if left out.",
    )

    informs: tuple[str, ...] = Field(
        default=(),
        description="Other workloads that learn from its tested answers; * for all, and for traffic without a class.",
    )

    @model_validator(mode="after")
    def _queue_of_its_own(self) -> WorkloadSpec:
        if self.queue is not None and self.slots_share is None:
            raise ValueError(f"workload {self.name!r}: a queue needs slots_share")
        return self

    def refuses(self, model: str, weights: str | None) -> str:
        """Why a model may not answer, as a phrase, or nothing. `weights` is the digest of what it runs."""
        if "*" not in self.models and model not in self.models:
            return f"it does not answer workload {self.name!r}"
        if self.record == "full" and weights is None:
            return f"no digest of its weights is known, which workload {self.name!r} needs for its record"
        return ""

    def applied(self, request: R, now: float | None = None) -> R:
        """The request with the class's priority and deadline (seconds since the epoch)."""
        if self.priority is None and self.deadline_seconds is None:
            return request
        deadline = request.deadline
        if self.deadline_seconds is not None:
            latest = (time.time() if now is None else now) + self.deadline_seconds
            deadline = latest if deadline is None else min(latest, deadline)
        return replace(request, priority=self.priority or request.priority, deadline=deadline)


def slots_of(workloads: Mapping[str, WorkloadSpec], workload: str, at_once: int) -> tuple[str, int]:
    """Whose slots a request takes (a class's name, or "" for those of all others), and how many these are.

    Each class with a share has at least one slot, and so have the others.
    """
    own = {spec.name: max(1, int(at_once * spec.slots_share)) for spec in workloads.values() if spec.slots_share}
    return (workload, own[workload]) if workload in own else ("", max(1, at_once - sum(own.values())))
