"""Scores prompts with the product's own code: outcomes are learnt with `train`, prompts are asked with `Estimator`.

No setting is chosen here; what is chosen at all, `train` chooses inside the prompts that it is given.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from bench.routing.curve import Scores
from bench.routing.data import STRONG, WEAK, Item
from bench.routing.splits import grouped
from router.estimates.artefact import Artefact
from router.estimates.estimator import Estimator
from router.estimates.features import Features, featurize
from router.estimates.outcome import Outcome
from router.estimates.training import TrainingSpec, train

GAIN, DIFFICULTY, RESCUE = (
    "ours",
    "ours, by P(weak fails) alone",
    "ours, by P(weak fails) x P(strong passes given that)",
)
_WHEN = datetime(2024, 1, 1, tzinfo=UTC)


def scored(items: Sequence[Item], groups: Sequence[str], labels: int, seed: int) -> dict[str, Scores]:
    """Every prompt by what is estimated of it, each from an artefact that has seen nothing of its group."""
    features = [featurize(item.prompt) for item in items]
    scores = {name: np.full(len(items), np.nan) for name in (GAIN, DIFFICULTY, RESCUE)}
    for learnt, asked in grouped(groups, labels, seed):
        estimator = Estimator(trained([items[row] for row in learnt], [features[row] for row in learnt]))
        for row in asked:
            estimates = estimator.estimate(features[row], (WEAK, STRONG))
            fails = 1 - estimates[WEAK].pass_probability
            scores[GAIN][row] = estimates.gain(WEAK, STRONG)
            scores[DIFFICULTY][row] = fails
            scores[RESCUE][row] = fails * estimates.rescue(WEAK, STRONG)
    return scores


def trained(items: Sequence[Item], features: Sequence[Features]) -> Artefact:
    """What the product learns when both models had these prompts."""
    outcomes = [
        Outcome(given, model, passed, cost_usd=0.0, seconds=0.0, when=_WHEN)
        for item, given in zip(items, features, strict=True)
        for model, passed in ((WEAK, item.weak), (STRONG, item.strong))
    ]
    return train(outcomes, TrainingSpec())


def timed(artefact: Artefact, prompts: Sequence[str]) -> list[float]:
    """Milliseconds from a prompt's text to all that is estimated of it, one prompt after the other."""
    estimator, taken = Estimator(artefact), []
    for prompt in prompts:
        begun = time.perf_counter()
        estimates = estimator.estimate(featurize(prompt), (WEAK, STRONG))
        estimates.gain(WEAK, STRONG)
        estimates.rescue(WEAK, STRONG)
        taken.append(1000 * (time.perf_counter() - begun))
    return taken
