"""What tokens of a model cost: as a cloud charges, or as hardware of one's own does that is paid by the hour.

Pure data with validation: `price:` of an entry in models.yaml.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, model_validator

from inference.protocol import Usage
from inference.spec import Spec

# Above these a call could cost more than the ledger counts.
UsdPerMillion = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)]


Rate = Annotated[Decimal, Field(gt=0, le=1_000_000_000)]


class Hardware(Spec):
    """What a model's hardware costs, and what it computes: its hours are spread over the tokens that it makes of them.

    A second of work costs `usd_per_hour / 3600 / busy_share`, because idle hours cost as much as others.
    """

    usd_per_hour: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(
        description="All that the model occupies: purchase over its life, power, space, people; or the rent."
    )
    input_tokens_per_second: Rate = Field(description="Of prompts, for all requests together, while it computes.")
    output_tokens_per_second: Rate = Field(description="Of answers, for all requests together, while it computes.")
    busy_share: Annotated[Decimal, Field(gt=0, le=1)] = Field(description="Share of the time in which it computes.")

    def usd_per_million(self, tokens_per_second: Decimal) -> Decimal:
        """What a million tokens cost that come at this rate."""
        usd_per_second = self.usd_per_hour / 3600 / self.busy_share
        return (usd_per_second / tokens_per_second * 1_000_000).quantize(Decimal("1e-9"))


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

    amortised: Hardware | None = Field(
        default=None, description="Hardware that is paid by the hour, instead of prices of input and output."
    )

    @model_validator(mode="before")
    @classmethod
    def _amortised(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("amortised") is None:
            return data
        hardware = Hardware.model_validate(data["amortised"])
        made = {
            "input_usd_per_million": hardware.usd_per_million(hardware.input_tokens_per_second),
            "output_usd_per_million": hardware.usd_per_million(hardware.output_tokens_per_second),
        }
        for name, price in made.items():
            if Decimal(str(data.get(name, price))) != price:
                raise ValueError(f"{name} follows from 'amortised' ({price:f}); leave it out")
        return {**data, **made}

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
