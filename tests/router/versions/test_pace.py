"""Which answers are slow beside the stable version's recent ones."""

from __future__ import annotations

from router.versions.pace import Pace, Timing


def usual(pace: Pace, answers: int = 30) -> None:
    for _ in range(answers):
        pace.slow("stable", Timing(first_chunk=0.2, rest=2.0, tokens=100), 2.0)


def test_nothing_is_slow_before_enough_is_known() -> None:
    pace = Pace()
    usual(pace, 19)
    assert pace.slow("canary", Timing(99, 99, 10), 2.0) is None
    usual(pace, 1)
    assert pace.slow("canary", Timing(99, 99, 10), 2.0) is True


def test_slow_to_the_first_chunk_or_from_token_to_token() -> None:
    pace = Pace()
    usual(pace)
    assert pace.slow("canary", Timing(0.39, 3.9, 100), 2.0) is False
    assert pace.slow("canary", Timing(0.41, 2.0, 100), 2.0) is True
    assert pace.slow("canary", Timing(0.2, 4.1, 100), 2.0) is True
    assert pace.slow("canary", Timing(0.2, 4.1, 7), 2.0) is False  # too few tokens to tell


def test_what_nobody_notices_is_not_slow() -> None:
    pace = Pace()
    for _ in range(30):
        pace.slow("stable", Timing(0.001, 0.001, 100), 2.0)
    assert pace.slow("canary", Timing(0.04, 0.4, 100), 2.0) is False
    assert pace.slow("canary", Timing(0.06, 0.4, 100), 2.0) is True


def test_the_canary_does_not_move_what_it_is_compared_with_and_the_stable_version_does() -> None:
    pace = Pace()
    usual(pace)
    for _ in range(300):
        assert pace.slow("canary", Timing(1.0, 2.0, 100), 2.0) is True
    for _ in range(300):
        pace.slow("stable", Timing(1.0, 2.0, 100), 2.0)
    assert pace.slow("canary", Timing(1.0, 2.0, 100), 2.0) is False
