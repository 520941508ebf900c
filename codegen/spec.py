"""The `codegen:` part of models.yaml: limits of a task, and which paths may change on whose word."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from inference.spec import Spec


class PathRule(Spec):
    """What happens to a verified change of matching files. The strictest rule of all changed paths holds."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="Globs; ** crosses folders.")
    decision: Literal["apply", "ask", "refuse"]
    reason: str = Field(description="Shown to the requester and the reviewer.")


class CodegenSpec(Spec):
    """How a code task is worked on. Limits are checked before each call, not after."""

    attempts_per_tier: Annotated[int, Field(ge=1, le=10)] = Field(
        default=2,
        description="Answers of one model, with the evidence sent back, before a stronger one is asked.",
    )
    max_attempts: Annotated[int, Field(ge=1, le=50)] = Field(default=8, description="Answers in all.")
    max_cost_usd: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(default=Decimal(1), description="Per task.")
    max_minutes: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=30.0, description="Wall clock per task and run."
    )
    max_parallel_tasks: Annotated[int, Field(ge=1, le=256)] = 2
    answer_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = Field(
        default=400, description="Longest answer asked for."
    )
    evidence_characters: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        default=400, description="How much of what the checks showed goes back to the model."
    )
    default_decision: Literal["apply", "ask", "refuse"] = Field(
        default="ask", description="For changed paths that no rule matches."
    )
    rules: tuple[PathRule, ...] = Field(
        default=(
            PathRule(
                paths=("**/.git*", "**/.git*/**", "**/.ci/**", "**/conftest.py"),
                decision="refuse",
                reason="it decides how code is checked",
            ),
        ),
        description="First to last; the strictest decision of all matching rules holds.",
    )
