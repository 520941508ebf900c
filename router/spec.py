"""The `routes:` and `tenants:` parts of models.yaml. Pure data with validation."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from inference.spec import Name, Spec
from ledger.protocol import Budget
from router.privacy.spec import PrivacySpec
from router.rates import Rate, Unit
from router.shadows.spec import ShadowSpec


class ShareSpec(Spec):
    """Equal requests of a tenant get one answer, sampled or not; the first pays for it."""

    keep_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=0.0, description="How long an answer is given again after it ended; 0: only while it is being given."
    )


class PlanSpec(Spec):
    """Requests whose answer will be checked start with the cheapest model that is worth a try (router/plans.py).

    Estimates from this appliance's own outcomes decide that; as long as there are too few of them, difficulty does.
    """

    true_accept: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95, description="Share of right answers that checks accept."
    )
    false_accept: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.05, description="Share of wrong answers that checks accept."
    )
    verify_usd: Annotated[Decimal, Field(ge=0, le=1000)] = Field(
        default=Decimal(0), description="What checking one answer costs."
    )
    least_outcomes: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=30, description="Checked answers of a model without which nothing is estimated of it."
    )
    explore: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="Share of requests that start with any model that may answer, to learn of all."
    )
    most_samples: Annotated[int, Field(ge=1, le=10)] = Field(
        default=1,
        description="Draws that the first model may be given, if so many are worth it; with 1, its answer is repaired.",
    )

    @model_validator(mode="after")
    def _tells_right_from_wrong(self) -> PlanSpec:
        if self.true_accept < self.false_accept:
            raise ValueError("true_accept must be at least false_accept: checks accept what is right sooner")
        return self


class RouteSpec(Spec):
    """A name that clients use as a model; the router picks one of `models` for each request."""

    name: Name
    models: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Candidates; order does not matter.")
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        default=(0.6,),
        description="Difficulties from which the first, second, ... tier of the candidates is not even tried.",
    )
    fallback: bool = Field(
        default=True, description="Whether another candidate may take over when one is down, before the first token."
    )
    share: ShareSpec | None = Field(default=None, description="Whether equal requests of a tenant share an answer.")
    plan: PlanSpec | None = Field(default=None, description="Whether estimates say where checked answers start.")
    shadow: ShadowSpec | None = Field(
        default=None, description="Another model that is asked afterwards, too, to compare it; nobody sees its answer."
    )

    @model_validator(mode="after")
    def _ascending(self) -> RouteSpec:
        if list(self.thresholds) != sorted(self.thresholds):
            raise ValueError(f"route {self.name!r}: thresholds must ascend, found {list(self.thresholds)}")
        return self

    def as_shadow(self) -> RouteSpec:
        """The route as shadows see it: there is one candidate, and nobody takes over from it."""
        if self.shadow is None:
            return self
        alone = {"models": (self.shadow.model,), "thresholds": (), "fallback": False, "share": None, "plan": None}
        return self.model_copy(update=alone)


Share = Annotated[float, Field(gt=0, le=1)]


class BudgetSpec(Spec):
    """What may be spent per window; the router reserves before it calls and settles after."""

    limit_usd: Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=9)] | None = None
    limit_tokens: Annotated[int, Field(ge=0, le=10**15)] | None = Field(
        default=None, description="Tokens in and out, whatever they cost."
    )
    window: Literal["day", "month", "total"] = Field(default="month", description="UTC days and months.")
    soft_limit: Share = Field(
        default=1.0, description="Share of the limit from which routes start at their cheapest tier only."
    )
    alert_at: tuple[Share, ...] = Field(
        default=(0.8,), description="Shares of the limit at which the ledger and the metrics say so."
    )

    @model_validator(mode="after")
    def _limits_something(self) -> BudgetSpec:
        if self.limit_usd is None and self.limit_tokens is None:
            raise ValueError("a budget needs limit_usd, limit_tokens or both")
        return self

    def budget(self, account: str) -> Budget:
        """As the ledger's accounts take it."""
        return Budget(account, self.limit_usd, self.window, self.limit_tokens)

    def up_to_soft_limit(self, account: str) -> Budget:
        """The same for calls that nobody waits for: they end at the soft limit."""
        share = Decimal(str(self.soft_limit))
        usd = None if self.limit_usd is None else self.limit_usd * share
        tokens = None if self.limit_tokens is None else int(self.limit_tokens * share)
        return Budget(account, usd, self.window, tokens)


class RateSpec(Spec):
    """How much may be asked for; a minute's worth may come at once."""

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        default=None, description="Tokens in and out, guessed before the answer and corrected after it."
    )

    def rates(self, account: str) -> list[Rate]:
        """What binds an account."""
        declared: list[tuple[Unit, int | None]] = [
            ("requests", self.requests_per_minute),
            ("tokens", self.tokens_per_minute),
        ]
        return [Rate(account, unit, most) for unit, most in declared if most is not None]


class TenantSpec(Spec):
    """Who pays, what their requests may see and which models they may use."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    budget: BudgetSpec
    key_budget: BudgetSpec | None = Field(default=None, description="What each API key of the tenant may spend.")
    task_budget: BudgetSpec | None = Field(
        default=None, description="What each task may spend: a code task, or the calls with one `x-bailey-task`."
    )
    model_budgets: Mapping[Name, BudgetSpec] = Field(
        default_factory=dict, description="What the tenant may spend on single models."
    )
    rate: RateSpec = Field(default=RateSpec(), description="How much the tenant may ask for.")
    key_rate: RateSpec = Field(default=RateSpec(), description="How much each API key of the tenant may ask for.")
    data_class: str = Field(description="The class of this tenant's requests unless a request says a stricter one.")
    models: tuple[str, ...] = Field(default=("*",), description="Models and routes this tenant may name; * for all.")
    weight: Annotated[float, Field(ge=0.1, le=100)] = Field(
        default=1.0, description="How many turns it has where requests wait for a model, as a ratio to other tenants'."
    )
    privacy: PrivacySpec | None = Field(
        default=None, description="Stricter rules than the appliance's for secrets and personal data in requests."
    )
    workloads: tuple[Name, ...] = Field(
        default=(), description="Workloads that the tenant's requests may belong to; the first unless a request says."
    )
    repositories: tuple[str, ...] = Field(
        default=(), description="Globs of absolute paths that this tenant's code tasks may work on; ** crosses folders."
    )

    @property
    def usual_workload(self) -> str:
        """The one of requests that name none; empty if there is none."""
        return self.workloads[0] if self.workloads else ""

    def may_use(self, model: str) -> bool:
        """Whether the tenant may name this model or route."""
        return "*" in self.models or model in self.models
