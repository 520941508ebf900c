"""Rates on a hand-moved clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import RateLimited
from router.rates import Rate, Rates
from router.spec import RateSpec


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


REQUESTS = RateSpec(requests_per_minute=6).rates("tenant/a")
TOKENS = RateSpec(tokens_per_minute=600).rates("tenant/a")


def admitted(rates: Rates, limits: list[Rate], tokens: int = 0) -> bool:
    try:
        rates.take(limits, tokens)
    except RateLimited:
        return False
    return True


def test_a_minutes_worth_may_come_at_once_and_flows_back_evenly() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert [admitted(rates, REQUESTS) for _ in range(7)] == [True] * 6 + [False]
    with pytest.raises(RateLimited, match="tenant/a may ask for 6 requests a minute; try again in 10") as caught:
        rates.take(REQUESTS, 0)
    assert caught.value.retry_after_seconds == pytest.approx(10)
    clock.now += 10
    assert [admitted(rates, REQUESTS) for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [admitted(rates, REQUESTS) for _ in range(7)] == [True] * 6 + [False]


def test_tokens_are_given_back_when_fewer_were_used_and_taken_when_more() -> None:
    rates = Rates(Clock())
    rates.take(TOKENS, 500)
    assert not admitted(rates, TOKENS, 200)
    rates.correct(TOKENS, 500, 100)
    assert admitted(rates, TOKENS, 200)
    rates.correct(TOKENS, 200, 450)
    assert not admitted(rates, TOKENS, 100)


def test_what_is_refused_by_one_limit_is_taken_from_none() -> None:
    rates = Rates(Clock())
    rates.take(TOKENS, 600)
    assert not any(admitted(rates, [*REQUESTS, *TOKENS], 1) for _ in range(10))
    assert [admitted(rates, REQUESTS) for _ in range(7)] == [True] * 6 + [False]


def test_accounts_do_not_share() -> None:
    rates = Rates(Clock())
    rates.take(TOKENS, 600)
    assert admitted(rates, RateSpec(tokens_per_minute=600).rates("tenant/b"), 600)


def test_who_wants_more_than_a_minute_has_gets_it_when_all_of_it_is_there() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert admitted(rates, TOKENS, 5000)
    clock.now += 59
    assert not admitted(rates, TOKENS, 5000)
    clock.now += 1
    assert admitted(rates, TOKENS, 5000)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 700)), max_size=60))
def test_never_more_than_two_minutes_worth_in_any_minute(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    rates = Rates(clock)
    taken: list[tuple[float, int]] = []
    for pause, tokens in steps:
        clock.now += pause
        if admitted(rates, TOKENS, tokens):
            taken.append((clock.now, min(tokens, 600)))
        within = sum(amount for when, amount in taken if when > clock.now - 60)
        assert within <= 2 * 600
        assert sum(amount for _, amount in taken) <= 600 + (clock.now - 1000) * 10 + 1e-3


def test_what_has_flowed_back_is_forgotten() -> None:
    clock = Clock()
    rates = Rates(clock)
    for number in range(10_002):
        rates.take(RateSpec(requests_per_minute=1).rates(f"key/{number}"), 0)
        clock.now += 61
    assert len(rates._empty_at) < 10
