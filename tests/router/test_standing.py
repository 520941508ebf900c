"""The price of money, soft limits and alerts, on a hand-moved clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.protocol import Budget, Reserved, Spend
from router.spec import BudgetSpec, RouteSpec
from router.standing import NO_PRESSURE, Pressure, Standing, paced, price_of, used_share

FIRST = datetime(2025, 11, 1, tzinfo=UTC)
LAST = datetime(2025, 12, 1, tzinfo=UTC)
SPEC = BudgetSpec(limit_usd=Decimal(100), limit_tokens=1000, soft_limit=0.9, alert_at=(0.5, 0.8))
BUDGET = SPEC.budget("tenant/acme")
AUTO = RouteSpec(name="auto", models=("small", "large"), thresholds=(0.2, 0.6))


class House:
    def __init__(self) -> None:
        self.now = FIRST
        self.standing = Standing(lambda: self.now)

    def saw(self, usd: float = 0, tokens: int = 0, budget: Budget = BUDGET) -> None:
        spend = Spend(Decimal(usd) / 2, Decimal(usd) / 2, FIRST, LAST, tokens, 0)
        self.standing.remember(Reserved(None, ((budget, spend),)))

    def pressure(self) -> Pressure:
        return self.standing.pressure([(BUDGET, SPEC)])

    def alerts(self) -> list[object]:
        return [alert.data["reached"] for alert in self.standing.alerts([(BUDGET, SPEC)])]


@pytest.fixture
def house() -> House:
    return House()


def test_nothing_is_known_at_first(house: House) -> None:
    assert (house.pressure(), house.alerts(), house.standing.shares()) == (NO_PRESSURE, [], {})


def test_money_that_goes_as_fast_as_time_costs_what_it_says_and_faster_more(house: House) -> None:
    house.now = FIRST + timedelta(days=15)
    house.saw(50)
    assert house.pressure().price == 1
    house.saw(75)
    assert house.pressure().price == 2
    house.now = FIRST + timedelta(days=27)
    assert house.pressure().price == 1


def test_a_window_that_is_over_says_nothing_of_the_next(house: House) -> None:
    house.saw(100)
    assert house.pressure().price > 1
    house.now = LAST
    assert (house.pressure(), house.standing.shares()) == (NO_PRESSURE, {})


def test_a_budget_without_a_window_has_no_pace() -> None:
    spend = Spend(Decimal(90), Decimal(0), None, None)
    assert price_of(Budget("tenant/acme", Decimal(100), "total"), spend, FIRST) == 1


@given(st.floats(0, 30), st.floats(0, 120), st.floats(0, 20))
def test_the_price_rises_with_what_is_spent_and_falls_with_time(day: float, usd: float, more: float) -> None:
    def price(days: float, spent: float) -> float:
        spend = Spend(Decimal(spent), Decimal(0), FIRST, LAST)
        return price_of(BUDGET, spend, FIRST + timedelta(days=days))

    assert 1 <= price(day, usd) <= price(day, usd + more) <= 1000
    assert price(min(30, day + more), usd) <= price(day, usd)


def test_the_dearer_money_is_the_harder_a_request_must_be_to_skip_a_tier(house: House) -> None:
    assert paced(AUTO, NO_PRESSURE) == AUTO
    assert paced(AUTO, Pressure(2)).thresholds == pytest.approx((0.6, 0.8))
    assert paced(AUTO, Pressure(1, "tenant/acme")).thresholds == ()
    house.saw(90)
    assert house.pressure().soft_limit_of == "tenant/acme"


def test_an_alert_is_given_once_for_each_share_of_a_window(house: House) -> None:
    house.saw(40)
    assert house.alerts() == []
    house.saw(40, tokens=500)
    assert house.alerts() == [0.5]
    assert house.alerts() == []
    house.saw(85)
    assert house.alerts() == [0.8]
    house.standing = Standing(lambda: house.now)
    house.saw(85)
    keys = [alert.key for alert in house.standing.alerts([(BUDGET, SPEC)])]  # a restart says it again: the key is known
    assert keys == [f"budget/tenant/acme/month/2025-11-01/{share}" for share in ("0.5", "0.8")]


def test_shares_are_told_of_all_but_keys_and_tasks(house: House) -> None:
    house.saw(30)
    house.saw(30, budget=SPEC.budget("key/one"))
    house.saw(30, budget=SPEC.budget("task/acme/tsk_1"))
    assert house.standing.shares() == {"tenant/acme": 0.3}


def test_a_limit_of_nothing_is_used_up() -> None:
    assert used_share(Budget("tenant/acme", Decimal(0)), Spend(Decimal(0), Decimal(0), None, None)) == 1
