"""A canary beside the stable version: false alarms, how soon a worse one is found, and bad minutes."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from inference.rollout import RollbackSpec
from router.versions.trial import Finding, Tally, Trial

RULES = RollbackSpec()
PER_MINUTE = 60


class Traffic:
    """Requests of both versions, mixed by chance, with the error rate of each at each moment."""

    def __init__(self, seed: int, share: float = 0.1) -> None:
        self._random = np.random.default_rng(seed)
        self._share = share

    def through(self, trial: Trial, stable: np.ndarray, canary: np.ndarray) -> tuple[int, Finding] | None:
        """The finding and after how many of the canary's answers it came."""
        is_canary = self._random.random(len(stable)) < self._share
        bad = self._random.random(len(stable)) < np.where(is_canary, canary, stable)
        for number, (of_canary, is_bad) in enumerate(zip(is_canary.tolist(), bad.tolist(), strict=True)):
            at = number * 60 / PER_MINUTE
            if finding := trial.add("canary" if of_canary else "stable", "errors", bad=is_bad, at=at):
                return trial.canary["errors"].seen, finding
        return None


def always(rate: float, length: int = 5_000) -> np.ndarray:
    return np.full(length, rate)


def burst(rate: float, begin: int, length: int = 5_000, seconds: int = 60) -> np.ndarray:
    rates = always(rate, length)
    rates[begin : begin + seconds * PER_MINUTE // 60] = 1.0
    return rates


@pytest.mark.parametrize(("rate", "share"), [(0.005, 0.1), (0.05, 0.1), (0.05, 0.5), (0.3, 0.5)])
def test_an_equal_canary_is_not_rolled_back_however_long_it_is_looked_at(rate: float, share: float) -> None:
    """Even without a margin: at a confidence of 90 % at most a tenth of the runs may, and far fewer do."""
    rules = RollbackSpec(errors=0.0, confidence=0.9)
    runs = [Traffic(seed, share).through(Trial(rules), always(rate, 3_000), always(rate, 3_000)) for seed in range(40)]
    assert sum(run is not None for run in runs) <= 2


def test_a_canary_worse_by_just_the_margin_stays() -> None:
    runs = [Traffic(seed, 0.5).through(Trial(RULES), always(0.05), always(0.05 + RULES.errors)) for seed in range(20)]
    assert runs == [None] * 20


@pytest.mark.parametrize(("rate", "within"), [(1.0, 30), (0.3, 110), (0.1, 600)])
def test_a_clearly_worse_canary_is_found_after_so_many_answers(rate: float, within: int) -> None:
    """Beside a stable version with 0.5 % errors and a margin of 2 %; the canary answers a tenth of one a second."""
    for seed in range(10):
        found = Traffic(seed).through(Trial(RULES), always(0.005, 20_000), always(rate, 20_000))
        assert found is not None
        answers, finding = found
        assert answers <= within
        assert finding.canary_at_least > finding.stable_at_most + finding.margin
        assert finding.criterion == "errors"


@pytest.mark.parametrize("begin", [0, 30, 1_000])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_one_bad_minute_of_the_canary_alone_is_not_enough(begin: int, share: float) -> None:
    for seed in range(10):
        assert Traffic(seed, share).through(Trial(RULES), always(0.005), burst(0.005, begin)) is None


@pytest.mark.parametrize("begin", [0, 30, 1_000])
def test_what_hits_both_alike_is_nobodys_fault(begin: int) -> None:
    """Five minutes in which everything fails for both."""
    bad = burst(0.005, begin, seconds=300)
    for seed in range(10):
        assert Traffic(seed).through(Trial(RULES), bad, bad) is None


def test_minutes_that_go_on_being_bad_are_found() -> None:
    found = Traffic(1).through(Trial(RULES), always(0.005), burst(0.005, 1_000, seconds=900))
    assert found is not None


def test_without_answers_of_the_stable_version_nothing_is_said() -> None:
    trial = Trial(RULES)
    assert not any(trial.add("canary", "errors", bad=True, at=60.0 * n) for n in range(100))


def test_the_three_kinds_are_counted_apart_and_share_the_doubt() -> None:
    trial = Trial(RULES)
    for number in range(300):
        trial.add("stable", "slow", bad=False, at=number)
        trial.add("stable", "failed_checks", bad=False, at=number)
        assert trial.add("canary", "failed_checks", bad=False, at=number) is None
    findings = [trial.add("canary", "slow", bad=True, at=20.0 * number) for number in range(60)]
    found = next(finding for finding in findings if finding)
    assert (found.criterion, found.margin) == ("slow", 0.10)
    assert found.alpha == pytest.approx(0.01 / 6)
    assert "slow: " in found.sentence()
    assert "margin of 10.0%" in found.sentence()
    assert trial.canary["failed_checks"].bad == 0


def test_figures_survive_being_kept() -> None:
    trial, again = Trial(RULES), None
    for number in range(200):
        for arm in ("stable", "canary"):
            trial.add(arm, "errors", bad=arm == "canary" and number % 9 == 0, at=7.0 * number)
    again = Trial.restored(RULES, json.loads(json.dumps(trial.counts())))
    assert again == trial
    for number in range(200, 300):
        same = [each.add("canary", "errors", bad=True, at=7.0 * number) for each in (trial, again)]
        assert same[0] == same[1]
    assert same[0] is not None
    assert json.loads(json.dumps(asdict(same[0])))["canary_bad"] == same[0].canary_bad


def test_no_worse_is_said_only_when_it_is_proved() -> None:
    trial = Trial(RULES)
    assert not trial.no_worse()
    for number in range(2_000):
        for arm in ("stable", "canary"):
            for kind in ("errors", "slow"):
                trial.add(arm, kind, bad=False, at=number)
    assert trial.no_worse()
    trial.add("canary", "failed_checks", bad=False, at=0)
    assert not trial.no_worse()


def test_the_worst_two_minutes_hold_any_bad_minute() -> None:
    tally = Tally()
    for second in range(600):
        tally.add(250 <= second < 310, second // 60)
    assert (tally.seen, tally.bad) == (600, 60)
    rest = tally.without_worst()
    assert rest.bad == 0
    assert rest.seen >= 600 - 120
