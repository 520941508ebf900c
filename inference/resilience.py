"""The `resilience:` part of a model's entry in models.yaml. Pure data with validation.

How long connecting may take is no business of this: the engine behind a URL has `connect_timeout_seconds`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from inference.spec import Seconds, Spec

Pause = Annotated[float, Field(ge=0, le=3600)]
Share = Annotated[float, Field(gt=0, le=1)]


class TimeoutsSpec(Spec):
    """How long the router waits for a model. The time in which a client reads what came does not count.

    A model with a `url` has the first two beside it, and there they also cut a silent connection.
    """

    first_token_seconds: Seconds | None = Field(default=None, description="From asking to the first piece; unset: any.")
    between_tokens_seconds: Seconds | None = Field(default=None, description="From piece to piece; unset: any.")
    total_seconds: Seconds | None = Field(
        default=None, description="All waiting for one answer, retries and their pauses included; unset: any."
    )


class RetriesSpec(Spec):
    """Asking the same model again, before the first chunk, after errors that may pass.

    The nth pause is drawn evenly between 0 and `base_seconds` * 2^(n-1), at most `cap_seconds` ("full jitter": Brooker,
    Exponential Backoff And Jitter, AWS 2015); after the time that the other end asked for, if it did.
    """

    most: Annotated[int, Field(ge=0, le=10)] = Field(default=2, description="Tries after the first one.")
    base_seconds: Pause = 0.25
    cap_seconds: Pause = 5.0
    within_seconds: Pause = Field(
        default=20.0,
        description="No try begins later than this after the first; who asks for a longer pause is left at once.",
    )
    budget_share: Share = Field(default=0.2, description="Retries per request in the long run.")
    budget_burst: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Retries that may have been saved up."
    )

    @model_validator(mode="after")
    def _base_below_cap(self) -> RetriesSpec:
        if self.base_seconds > self.cap_seconds:
            raise ValueError(f"base_seconds is {self.base_seconds:g}: more than cap_seconds, {self.cap_seconds:g}")
        return self


class BreakerSpec(Spec):
    """When a model is left alone because it fails, and for how long."""

    consecutive_failures: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=5, description="So many failures with no success between them open the circuit."
    )
    failure_share: Share = Field(default=0.5, description="So does this share of the calls of the window,")
    least_calls: Annotated[int, Field(ge=1, le=100_000)] = Field(default=10, description="if there were so many.")
    window_seconds: Seconds = 30.0
    open_seconds: Seconds = Field(default=5.0, description="The first time; twice as long each time it fails again.")
    longest_open_seconds: Seconds = 120.0
    probes: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="Requests that find out at once whether it answers again."
    )

    @model_validator(mode="after")
    def _first_below_longest(self) -> BreakerSpec:
        if self.open_seconds > self.longest_open_seconds:
            raise ValueError(
                f"open_seconds is {self.open_seconds:g}: more than longest_open_seconds, {self.longest_open_seconds:g}"
            )
        return self


class ResilienceSpec(Spec):
    """What is done about a model that fails or is slow. The defaults hold for every model."""

    timeouts: TimeoutsSpec = TimeoutsSpec()
    retries: RetriesSpec = RetriesSpec()
    breaker: BreakerSpec = BreakerSpec()
