"""What tokens of a model cost. Pure data with validation: `price:` of an entry in models.yaml."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from inference.protocol import Usage
from inference.spec import Spec

# Above these a call could cost more than the ledger counts.
UsdPerMillion = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)]


class Price(Spec):
    """US dollars per million tokens. Local models have a price too: it is what the cascade saves."""

    input_usd_per_million: UsdPerMillion = Decimal(0)
    output_usd_per_million: UsdPerMillion = Decimal(0)
    cached_input_usd_per_million: UsdPerMillion | None = Field(
        default=None, description="Prompt tokens that were found in the model's cache. Unset: as input."
    )
    cache_write_usd_per_million: UsdPerMillion | None = Field(
        default=None, description="Prompt tokens that were put into its cache; Anthropic charges more. Unset: as input."
    )

    def cost_usd(self, usage: Usage) -> Decimal:
        """The cost of a call, exact (no rounding). An estimate does not know of caches: it counts as `most_usd`."""
        if usage.estimated:
            return self.most_usd(usage)
        anew = max(0, usage.prompt_tokens - usage.cached_tokens - usage.written_tokens)
        prompt = self.input_usd_per_million * anew
        prompt += self._cached * usage.cached_tokens + self._written * usage.written_tokens
        return (prompt + self.output_usd_per_million * usage.completion_tokens) / 1_000_000

    def most_usd(self, usage: Usage) -> Decimal:
        """The most that so many tokens can cost, wherever those of the prompt come from and go to."""
        dearest = max(self.input_usd_per_million, self._cached, self._written)
        return (dearest * usage.prompt_tokens + self.output_usd_per_million * usage.completion_tokens) / 1_000_000

    @property
    def _cached(self) -> Decimal:
        own = self.cached_input_usd_per_million
        return self.input_usd_per_million if own is None else own

    @property
    def _written(self) -> Decimal:
        own = self.cache_write_usd_per_million
        return self.input_usd_per_million if own is None else own
