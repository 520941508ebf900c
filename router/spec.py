"""The `routes:` and `tenants:` parts of models.yaml. Pure data with validation."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from inference.spec import Name, Spec
from ledger.protocol import Budget


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

    @model_validator(mode="after")
    def _ascending(self) -> RouteSpec:
        if list(self.thresholds) != sorted(self.thresholds):
            raise ValueError(f"route {self.name!r}: thresholds must ascend, found {list(self.thresholds)}")
        return self


class BudgetSpec(Spec):
    """What a tenant may spend per window; the router reserves before it calls and settles after."""

    limit_usd: Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=9)]
    window: Literal["day", "month", "total"] = "month"

    def budget(self) -> Budget:
        """As the ledger's accounts take it."""
        return Budget(self.limit_usd, self.window)


class TenantSpec(Spec):
    """Who pays, what their requests may see and which models they may use."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    budget: BudgetSpec
    data_class: str = Field(description="The class of this tenant's requests unless a request says a stricter one.")
    models: tuple[str, ...] = Field(default=("*",), description="Models and routes this tenant may name; * for all.")
    repositories: tuple[str, ...] = Field(
        default=(), description="Globs of absolute paths that this tenant's code tasks may work on; ** crosses folders."
    )

    def may_use(self, model: str) -> bool:
        """Whether the tenant may name this model or route."""
        return "*" in self.models or model in self.models
