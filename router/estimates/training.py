"""Learns estimates from audited outcomes: `train(outcomes) -> Artefact`. Deterministic; reads no clock.

How strong the regression is held, how many neighbours are asked, the mix and its calibration are chosen by log loss on
folds that were held out within the outcomes. Texts that open alike are in one fold. This alone needs scikit-learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.spec import Spec
from router.estimates import mix, regression, representation
from router.estimates.artefact import Artefact, Facts
from router.estimates.features import Features
from router.estimates.head import HeadModel, Seen
from router.estimates.history import History, aged, arranged, quantiles
from router.estimates.mix import Doubles, Mix, log_loss
from router.estimates.outcome import InfrastructureFailure, Outcome
from router.estimates.prior import WRONG, Head
from router.estimates.regression import Regression
from router.estimates.representation import Reading
from router.estimates.sparse import Rows

_FOLDS = 5
_STRENGTHS = (0.1, 0.3, 1.0, 3.0)
_NEIGHBOURS = (25, 75, 150, 300)
_LEAST_OF_EACH_KIND = 10


class TrainingSpec(Spec):
    """How outcomes are weighed."""

    half_life_days: Annotated[float, Field(gt=0, le=3650)] = Field(
        default=90.0, description="An outcome counts half when the newest one is so many days younger."
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    strength: float
    neighbours: int
    mix: Mix
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """What each part said of outcomes that it was not fitted to: a row per outcome, a column per setting."""

    regression: Doubles
    neighbours: Doubles
    prior: Doubles

    @classmethod
    def of(cls, outcomes: int) -> _HeldOut:
        """Nothing said yet."""
        return cls(np.zeros((outcomes, len(_STRENGTHS))), np.zeros((outcomes, len(_NEIGHBOURS))), np.zeros(outcomes))


def train(outcomes: Iterable[Outcome | InfrastructureFailure], spec: TrainingSpec) -> Artefact:
    """Learn from outcomes in any order. A head is left to the prior until ten requests passed and ten failed."""
    given = list(outcomes)
    audited = sorted(
        (each for each in given if isinstance(each, Outcome)),
        key=lambda each: (each.when, each.features.digest, each.model, each.passed),
    )
    weights = aged(audited, spec.half_life_days)
    history = arranged(audited, weights)
    enough = {head: seen for head, seen in history.heads.items() if _is_enough(seen) and _varies(head)}
    known, readings = None, np.zeros((0, 0), dtype=np.float32)
    heads: dict[Head, HeadModel] = {}
    if enough:
        known = representation.fit(history.requests)
        read = [known.read(each) for each in history.requests]
        readings = np.stack([each.dense for each in read])
        for head, choice in _choices(history, enough).items():
            seen = enough[head]
            (fitted,) = _regressions(read, seen, known.width, [choice.strength])
            heads[head] = HeadModel(fitted, seen, choice.neighbours, choice.mix, choice.metrics)
    facts = Facts(
        first=audited[0].when.isoformat() if audited else "",
        last=audited[-1].when.isoformat() if audited else "",
        requests=len(history.requests),
        outcomes=dict(sorted(Counter(each.model for each in audited).items())),
        infrastructure_failures=len(given) - len(audited),
        half_life_days=spec.half_life_days,
    )
    costs = quantiles(((each.model, each.cost_usd) for each in audited), weights)
    seconds = quantiles(((each.model, each.seconds) for each in audited), weights)
    return Artefact(facts, history.prior(), costs, seconds, known, readings, heads)


def _choices(history: History, enough: Mapping[Head, Seen]) -> dict[Head, _Choice]:
    """The settings of each head with enough outcomes, by log loss on outcomes held out fold by fold.

    The representation is fitted without the held requests, too: it fits their texts better than those to come.
    """
    folds = _folds(history.requests)
    found = {head: _HeldOut.of(len(seen.rows)) for head, seen in enough.items()}
    for fold in range(_FOLDS):
        held = folds == fold
        known = representation.fit([each for each, out in zip(history.requests, held, strict=True) if not out])
        read = [known.read(each) for each in history.requests]
        readings, prior = np.stack([each.dense for each in read]), history.prior(held)
        for head, said in found.items():
            seen = enough[head]
            rest = seen.without(held)
            fitted = _regressions(read, rest, known.width, _STRENGTHS)
            for at in np.flatnonzero(held[seen.rows]):
                row, mean = int(seen.rows[at]), prior.mean(head, history.contexts[head][int(at)])
                similar = readings @ readings[row]
                said.prior[at] = mean
                said.regression[at] = [each.probability(read[row]) for each in fitted]
                said.neighbours[at] = [rest.nearest(similar, count, mean) for count in _NEIGHBOURS]
    return {head: _choice(found[head], seen) for head, seen in enough.items()}


def _varies(head: Head) -> bool:
    """How alike draws are, and what checks accept, is one number of a model, whatever the request: the prior has it."""
    return head[0] not in {head[1], WRONG}


def _is_enough(seen: Seen) -> bool:
    kinds = (seen.rows[seen.passed > 0.5], seen.rows[seen.passed < 0.5])
    return min(len(np.unique(rows)) for rows in kinds) >= _LEAST_OF_EACH_KIND


def _folds(requests: Sequence[Features]) -> NDArray[np.int64]:
    """The fold of each request: the same for the same opening, unless nearly all open alike."""
    groups = [each.group for each in requests]
    if max(Counter(groups).values()) > len(groups) / 2:
        groups = [each.digest for each in requests]
    ranks = {group: rank for rank, group in enumerate(sorted(set(groups)))}
    return np.array([ranks[group] % _FOLDS for group in groups])


def _choice(said: _HeldOut, seen: Seen) -> _Choice:
    passed, weights = seen.passed.astype(np.float64), seen.weights.astype(np.float64)

    def loss(likely: Doubles) -> float:
        return log_loss(likely, passed, weights)

    strength = min(range(len(_STRENGTHS)), key=lambda at: loss(said.regression[:, at]))
    count = min(range(len(_NEIGHBOURS)), key=lambda at: loss(said.neighbours[:, at]))
    parts = np.stack((said.regression[:, strength], said.neighbours[:, count], said.prior), axis=1)
    mixed = mix.fit(parts, passed, weights)
    likely = mixed.probability(parts)
    metrics = {
        "outcomes": float(len(passed)),
        "log_loss": loss(likely),
        "log_loss_uncalibrated": loss(mix.sigmoid(mixed.raw(parts))),
        "log_loss_regression": loss(parts[:, 0]),
        "log_loss_neighbours": loss(parts[:, 1]),
        "log_loss_prior": loss(parts[:, 2]),
        "brier": float(np.average((likely - passed) ** 2, weights=weights)),
    }
    return _Choice(_STRENGTHS[strength], _NEIGHBOURS[count], mixed, metrics)


def _regressions(read: Sequence[Reading], seen: Seen, width: int, strengths: Sequence[float]) -> list[Regression]:
    """Fitted to the outcomes of a head, one for each strength; without any, all say one half."""
    if not len(seen.rows):
        return [Regression(np.zeros(width, dtype=np.float32))] * len(strengths)
    chosen = [read[row] for row in seen.rows]
    rows = Rows([each.positions for each in chosen], [each.values for each in chosen], width)
    fitted = regression.fit(rows, seen.passed.astype(np.float64), seen.weights.astype(np.float64), strengths)
    return [Regression(each.astype(np.float32)) for each in fitted]
