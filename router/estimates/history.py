"""Outcomes arranged for learning: each request once, what is known of each head, how much each outcome still counts.

Pure; `train` calls it. Newer outcomes count more: the weight halves with every half-life.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.estimates.artefact import Quantiles
from router.estimates.features import Features
from router.estimates.head import Seen
from router.estimates.outcome import Context, Outcome
from router.estimates.prior import WRONG, Head, Key, Prior

# The newest ones; more would make an estimate take longer than it may.
MOST_REQUESTS = 20_000
_DAY_SECONDS = 86_400.0
_ANOTHER_VERSION = 1 / 3
# First draws say what a model passes, second ones how alike its draws are; further ones follow from both.
_LAST_DRAW = 2


@dataclass(frozen=True, slots=True)
class History:
    """`contexts` has one entry per outcome of a head, in the order of its `Seen`."""

    requests: Sequence[Features]
    heads: Mapping[Head, Seen]
    contexts: Mapping[Head, Sequence[Context]]

    def prior(self, held: NDArray[np.bool_] | None = None) -> Prior:
        """The prior of all outcomes, or of those whose request is not held out."""
        counts: dict[Key, tuple[float, float]] = {}
        for head, seen in self.heads.items():
            for row, passed, weight, context in zip(
                seen.rows, seen.passed.tolist(), seen.weights.tolist(), self.contexts[head], strict=True
            ):
                if held is None or not held[row]:
                    key = (*head, context.task_type, context.tenant)
                    before = counts.get(key, (0.0, 0.0))
                    counts[key] = (before[0] + weight, before[1] + weight * passed)
        return Prior(counts)


def aged(outcomes: Sequence[Outcome], half_life_days: float) -> list[float]:
    """The weight of each outcome: 0.5 ^ (its age / half-life), where the newest one has age 0.

    That of another version than the model's newest counts a third of it.
    """
    if not outcomes:
        return []
    last = max(outcomes, key=lambda each: each.when).when
    newest = {each.model: each.version for each in sorted(outcomes, key=lambda each: each.when)}
    return [
        0.5 ** ((last - each.when).total_seconds() / _DAY_SECONDS / half_life_days)
        * (1.0 if each.version == newest[each.model] else _ANOTHER_VERSION)
        for each in outcomes
    ]


def arranged(outcomes: Sequence[Outcome], weights: Sequence[float]) -> History:
    """Outcomes, oldest first, as a history of their newest requests.

    Where two models had the same request, the last outcome of each tells what one does where the other fails.
    """
    newest = dict.fromkeys(each.features.digest for each in reversed(outcomes))
    kept = dict.fromkeys(list(newest)[:MOST_REQUESTS])
    requests: dict[str, Features] = {}
    last: dict[str, dict[str, tuple[Outcome, float]]] = defaultdict(dict)
    found: dict[Head, list[tuple[str, bool, float, Context]]] = defaultdict(list)
    for outcome, weight in zip(outcomes, weights, strict=True):
        digest = outcome.features.digest
        if digest in kept:
            requests.setdefault(digest, outcome.features)
            last[digest][outcome.model] = (outcome, weight)
            if outcome.draw <= _LAST_DRAW:
                head = ("" if outcome.draw == 1 else outcome.model, outcome.model)
                found[head].append((digest, outcome.passed, weight, outcome.context))
            if outcome.context.task_type == "tests" and outcome.failed_at:
                found[WRONG, outcome.model].append((digest, outcome.failed_at == "tests", weight, outcome.context))
    for digest, models in last.items():
        for weak, (failed, _) in models.items():
            for strong, (outcome, weight) in models.items():
                if weak != strong and not failed.passed:
                    found[weak, strong].append((digest, outcome.passed, weight, outcome.context))
    rows = {digest: row for row, digest in enumerate(requests)}
    heads = {head: _seen(found[head], rows) for head in sorted(found)}
    contexts = {head: [each[3] for each in found[head]] for head in heads}
    return History(list(requests.values()), heads, contexts)


def _seen(found: Sequence[tuple[str, bool, float, Context]], rows: Mapping[str, int]) -> Seen:
    return Seen(
        np.array([rows[each[0]] for each in found], dtype=np.int32),
        np.array([each[1] for each in found], dtype=np.float32),
        np.array([each[2] for each in found], dtype=np.float32),
    )


def quantiles(observed: Iterable[tuple[str, float]], weights: Sequence[float]) -> dict[str, Quantiles]:
    """p50 and p95 of what was observed of each model, by weight."""
    by_model: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (model, value), weight in zip(observed, weights, strict=True):
        by_model[model].append((value, weight))
    return {model: Quantiles(_quantile(found, 0.5), _quantile(found, 0.95)) for model, found in by_model.items()}


def _quantile(found: Sequence[tuple[float, float]], share: float) -> float:
    """The smallest value at or below which lies at least this share of the weight."""
    values = np.array(sorted(found))
    reached = np.cumsum(values[:, 1])
    return float(values[np.searchsorted(reached, share * reached[-1] - 1e-9), 0])
