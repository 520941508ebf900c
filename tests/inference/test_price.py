"""What calls cost where prompts are cached: never less than the other end charges."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.openai.decode import read_usage
from inference.openai.encode import usage_shape
from inference.openai.responses import UsageShape
from inference.price import Price
from inference.protocol import Usage
from tests.inference.strategies import quick

dollars = st.decimals(0, 1000, places=3)
counts = st.integers(0, 10**6)
prices = st.builds(
    Price,
    input_usd_per_million=dollars,
    output_usd_per_million=dollars,
    cached_input_usd_per_million=st.none() | dollars,
    cache_write_usd_per_million=st.none() | dollars,
)
usages = st.builds(
    lambda anew, cached, written, answered: Usage(anew + cached + written, answered, cached, written_tokens=written),
    *(counts, counts, counts, counts),
)
CLOUD = Price.model_validate(
    {
        "input_usd_per_million": "3",
        "output_usd_per_million": "15",
        "cached_input_usd_per_million": "0.3",
        "cache_write_usd_per_million": "3.75",
    }
)


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(1_000_000, 100_000, 600_000, written_tokens=300_000)
    assert CLOUD.cost_usd(usage) == Decimal("0.3") + Decimal("0.18") + Decimal("1.125") + Decimal("1.5")


@quick
@given(dollars, dollars, usages)
def test_without_prices_of_their_own_cached_tokens_cost_as_all_do(spent: Decimal, got: Decimal, usage: Usage) -> None:
    price = Price(input_usd_per_million=spent, output_usd_per_million=got)
    assert price.cost_usd(usage) == price.cost_usd(replace(usage, cached_tokens=0, written_tokens=0))
    assert price.cost_usd(usage) == price.most_usd(usage)


@quick
@given(prices, usages)
def test_the_most_is_never_exceeded_and_an_estimate_costs_the_most(price: Price, usage: Usage) -> None:
    assert 0 <= price.cost_usd(usage) <= price.most_usd(usage)
    guessed = Usage(usage.prompt_tokens, usage.completion_tokens, estimated=True)
    assert price.cost_usd(guessed) == price.most_usd(usage)


@quick
@given(prices, counts, counts, counts)
def test_counts_that_contradict_each_other_are_paid_for_all_the_same(
    price: Price, prompt: int, cached: int, written: int
) -> None:
    cost = price.cost_usd(Usage(prompt, 0, cached, written_tokens=written))
    of_its_own = price.cost_usd(Usage(cached + written, 0, cached, written_tokens=written))
    assert cost >= of_its_own


def test_a_price_of_nothing_is_one() -> None:
    """Some clouds charge nothing for what is cached; unset is another thing."""
    free = CLOUD.model_copy(update={"cached_input_usd_per_million": Decimal(0)})
    assert free.cost_usd(Usage(1_000_000, 0, 1_000_000)) == 0
    with pytest.raises(ValidationError):
        Price.model_validate({"cached_input_usd_per_million": -1})


@pytest.mark.parametrize(
    ("details", "counted"),
    [
        ({"cached_tokens": 7, "cache_write_tokens": 2}, (7, 2)),
        ({"cached_tokens": 7, "cache_write_tokens": None}, (7, 0)),
        ({}, (0, 0)),
        (None, (0, 0)),
    ],
)
def test_openais_usage_is_read_and_written(details: object, counted: tuple[int, int]) -> None:
    shape = UsageShape.model_validate({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": details})
    usage = read_usage(shape)
    assert (usage.cached_tokens, usage.written_tokens) == counted
    assert read_usage(UsageShape.model_validate_json(usage_shape(usage).model_dump_json(exclude_unset=True))) == usage


HARDWARE = {
    "usd_per_hour": "3.6",
    "input_tokens_per_second": 10_000,
    "output_tokens_per_second": 1_000,
    "busy_share": "0.5",
}


def test_hours_of_hardware_are_spread_over_the_tokens_that_are_made_in_them() -> None:
    """In an hour, half of which it works, it writes 1.8 million tokens or reads 18 million, for 3.6 dollars."""
    price = Price.model_validate({"amortised": HARDWARE})
    assert price.cost_usd(Usage(0, 1_800_000)) == price.cost_usd(Usage(18_000_000, 0)) == Decimal("3.6")
    assert Price.model_validate(price.model_dump()) == price
    assert Price.model_validate(price.model_dump(mode="json")) == price


def test_a_price_is_declared_in_one_way() -> None:
    with pytest.raises(ValidationError, match="input_usd_per_million follows from 'amortised'"):
        Price.model_validate({"amortised": HARDWARE, "input_usd_per_million": 1})
    with pytest.raises(ValidationError, match="busy_share"):
        Price.model_validate({"amortised": {**HARDWARE, "busy_share": 0}})
    with pytest.raises(ValidationError, match="less than or equal to 1000000"):
        Price.model_validate({"amortised": {**HARDWARE, "output_tokens_per_second": "0.0001"}})
