"""The retry budget: any sequence of requests and retries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.resilience.retry_budget import RetryBudget


def test_what_is_saved_up_goes_first_and_then_a_share_of_the_requests() -> None:
    budget = RetryBudget(share=0.5, burst=2)
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]
    granted = []
    for _ in range(6):
        budget.deposit()
        granted.append(budget.withdraw())
    assert granted == [False, True] * 3


def test_no_more_is_saved_up_than_the_burst() -> None:
    budget = RetryBudget(share=1.0, burst=3)
    for _ in range(100):
        budget.deposit()
    assert budget.tokens == 3
    assert [budget.withdraw() for _ in range(4)] == [True] * 3 + [False]


@given(st.floats(0.01, 1), st.integers(1, 20), st.lists(st.booleans(), max_size=300))
def test_retries_are_never_more_than_the_burst_and_the_share_of_requests(
    share: float, burst: int, asks: list[bool]
) -> None:
    budget, requests, retries = RetryBudget(share, burst), 0, 0
    for ask in asks:
        if ask:
            budget.deposit()
            requests += 1
        else:
            retries += budget.withdraw()
        assert retries <= burst + share * requests + 1e-9
        assert 0 <= budget.tokens <= burst
