"""What is learnt from outcomes and asked again: cold start, shrinkage, decay, gain and rescue, cost and time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from router.estimates.artefact import Artefact, Quantiles
from router.estimates.estimator import Estimates, Estimator
from router.estimates.features import featurize
from router.estimates.head import Seen
from router.estimates.outcome import NO_CONTEXT, Context, InfrastructureFailure, Outcome
from router.estimates.training import TrainingSpec, train
from tests.router.estimates.made import START, outcomes, text

SPEC = TrainingSpec()


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return train(outcomes(300), SPEC)


def asked(artefact: Artefact, hard: bool, seed: int = 99, context: Context = NO_CONTEXT) -> Estimates:
    return Estimator(artefact).estimate(featurize(text(random.Random(seed), hard)), ("small", "large"), context)


def test_a_cold_start_is_the_prior() -> None:
    few = outcomes(4)
    for given in ([], few):
        artefact = train(given, SPEC)
        for context in (Context(), Context("fix", "ada")):
            estimates = asked(artefact, hard=True, context=context)
            for model in ("small", "large"):
                prior = artefact.prior.mean(("", model), context)
                assert estimates[model].pass_probability == prior
                assert estimates[model].parts == {"prior": prior}
            assert estimates.rescue("small", "large") == artefact.prior.mean(("small", "large"), context)
    assert asked(train([], SPEC), hard=True)["small"].pass_probability == 0.5


def test_what_was_seen_to_fail_is_expected_to_fail(artefact: Artefact) -> None:
    hard, easy = ([asked(artefact, hard=hard, seed=seed) for seed in range(20)] for hard in (True, False))
    for one, other in zip(hard, easy, strict=True):
        assert one["small"].pass_probability < 0.5 < other["small"].pass_probability
        assert one.gain("small", "large") > other.gain("small", "large")
        assert one.gain("small", "large") == -one.gain("large", "small")
        assert one["large"].pass_probability > 0.7
        assert set(one["small"].parts) == {"regression", "neighbours", "prior"}
    assert np.mean([one.gain("small", "large") for one in hard]) > 0.5
    assert np.mean([other.gain("small", "large") for other in easy]) < 0.15


def test_probabilities_come_true(artefact: Artefact) -> None:
    fresh = [each for each in outcomes(600, seed=7) if each.model == "small"]
    likely = np.array(
        [Estimator(artefact).estimate(each.features, ("small",))["small"].pass_probability for each in fresh]
    )
    passed = np.array([each.passed for each in fresh])
    for low, high in ((0.0, 0.5), (0.5, 1.0)):
        inside = (likely >= low) & (likely < high)
        assert abs(likely[inside].mean() - passed[inside].mean()) < 0.1


def test_rescue_is_learnt_where_the_weak_one_failed() -> None:
    # The strong one passes whatever the weak one passes, and hardly anything else.
    given = []
    for weak in outcomes(200)[::2]:
        rescued = int(weak.features.digest, 16) % 10 == 0
        given += [weak, replace(weak, model="large", passed=weak.passed or rescued)]
    artefact = train(given, SPEC)
    estimates = asked(artefact, hard=True)
    assert estimates.rescue("small", "large") < 0.3
    assert asked(artefact, hard=False)["large"].pass_probability > 0.7
    assert estimates.rescue("small", "unknown") == artefact.prior.mean(("", "unknown"))


def test_neighbours_are_shrunk_towards_the_prior_and_move_towards_the_data() -> None:
    similar = np.linspace(0, 1, 100, dtype=np.float32)
    before = 0.2
    for count in (5, 20, 100):
        rows = np.arange(100 - count, 100, dtype=np.int32)
        seen = Seen(rows, np.ones(count, dtype=np.float32), np.ones(count, dtype=np.float32))
        now = seen.nearest(similar, 100, 0.2)
        assert before < now < 1
        before = now
    empty = np.zeros(0, dtype=np.float32)
    nothing = Seen(empty.astype(np.int32), empty, empty)
    assert nothing.nearest(similar, 10, 0.2) == pytest.approx(0.2)


def test_only_the_nearest_are_asked() -> None:
    similar = np.array([0.9, 0.1, 0.8, 0.2], dtype=np.float32)
    passed = np.array([1, 0, 1, 0], dtype=np.float32)
    seen = Seen(np.arange(4, dtype=np.int32), passed, np.ones(4, dtype=np.float32))
    assert seen.nearest(similar, 2, 0.5) == pytest.approx((2 + 5) / 12)
    held = np.array([True, False, False, False])
    assert seen.without(held).nearest(similar, 2, 0.5) == pytest.approx((1 + 5) / 12)


def test_a_model_that_became_better_is_believed_sooner_with_a_short_half_life() -> None:
    old = [replace(each, passed=False) for each in outcomes(60) if each.model == "small"]
    new = [replace(each, passed=True, when=each.when + timedelta(days=200)) for each in outcomes(60, seed=3)[::2]]
    short, long = (train([*old, *new], TrainingSpec(half_life_days=days)) for days in (20, 2000))
    assert asked(short, hard=True)["small"].pass_probability > asked(long, hard=True)["small"].pass_probability
    assert asked(short, hard=True)["small"].outcomes < asked(long, hard=True)["small"].outcomes


def test_failures_of_machines_never_count(artefact: Artefact) -> None:
    failures = [InfrastructureFailure("small", START + timedelta(hours=hour)) for hour in range(50)]
    given: Sequence[Outcome | InfrastructureFailure] = [*failures, *outcomes(300)]
    other = train(given, SPEC)
    assert other.facts.infrastructure_failures == 50
    assert dict(asked(other, hard=True)) == dict(asked(artefact, hard=True))
    assert train(failures, SPEC).prior.mean(("", "small")) == 0.5


def test_cost_and_time_are_those_observed(artefact: Artefact) -> None:
    estimates = asked(artefact, hard=True)
    assert estimates["small"].cost_usd == Quantiles(0.001, 0.001)
    assert estimates["small"].seconds == Quantiles(6.0, 10.0)  # 1 to 10, and later ones count a little more
    assert estimates["large"].seconds == Quantiles(5.0, 5.0)
    assert Estimator(artefact).estimate(featurize("x"), ("new",))["new"].cost_usd is None


def test_texts_that_all_open_alike_are_learnt_from_too() -> None:
    source, given = random.Random(4), []
    for number in range(60):
        hard = number % 2 == 0
        features = featurize("You are given a task of our project. " * 10 + text(source, hard))
        given.append(Outcome(features, "small", not hard, 0.0, 1.0, START + timedelta(hours=number)))
    assert ("", "small") in train(given, SPEC).heads


def test_a_model_that_was_only_asked_texts_that_open_alike_is_learnt_too() -> None:
    opening = "You are given a task of our project. " * 10
    alike = [
        replace(each, features=featurize(f"{opening} {number} {'hard' if number % 2 else 'easy'}"), model="third")
        for number, each in enumerate(outcomes(15))
    ]
    artefact = train([*outcomes(60), *(replace(each, passed=n % 2 == 0) for n, each in enumerate(alike))], SPEC)
    assert 0 < asked(artefact, hard=True)["large"].pass_probability < 1
    assert ("", "third") in artefact.heads


def test_the_same_request_again_is_one_request() -> None:
    features = featurize("the same words every time")
    given = [Outcome(features, "small", n % 2 == 0, 0.0, 1.0, START + timedelta(hours=n)) for n in range(40)]
    artefact = train(given, SPEC)
    assert artefact.facts.requests == 1
    assert artefact.facts.outcomes == {"small": 40}
    assert artefact.prior.mean(("", "small")) == pytest.approx(0.5, abs=0.02)
    assert not artefact.heads
