"""What pairs of answers say of two models: cost, times, failures and equality, with 95 % intervals. Pure.

Differences are taken within pairs (the same request), and their intervals are percentiles of a bootstrap over pairs; of
few pairs there is none. Shares have E. B. Wilson's score interval (J. Am. Stat. Assoc. 22, 1927).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from router.evaluation.proportion import Proportion
from router.shadows.pairs import Answer, Pair, ShadowLog

Floats = npt.NDArray[np.float64]
_LEAST_PAIRS = 10
"""For an interval of a difference."""
_RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; None where there is too little for one. `of`: how many it is made of."""

    value: float
    low: float | None
    high: float | None
    of: int


@dataclass(frozen=True, slots=True)
class Side:
    """One side of all pairs. `failed` is the share of its calls that failed, of those that finished or failed."""

    models: Mapping[str, int]
    cost_usd: float
    seconds: float
    first_seconds: float | None
    finish_reasons: Mapping[str, int]
    failed: Estimate | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A route's answers and those of one model. Differences are the shadow's less the route's, for one call.

    `cost_usd` is their mean, `seconds` and `first_seconds` are their medians. Of a side, times are medians, too, and
    the cost is a sum. `equal` is the share of pairs in which both said exactly the same.
    """

    model: str
    pairs: int
    route: Side
    shadow: Side
    cost_usd: Estimate
    seconds: Estimate
    first_seconds: Estimate | None
    equal: Estimate | None


def compare(log: ShadowLog, seed: int = 0) -> Sequence[Comparison]:
    """For each model that answered a shadow, by name."""
    return [_compared(log, model, pairs, seed) for model, pairs in sorted(log.pairs.items())]


def _compared(log: ShadowLog, model: str, pairs: Sequence[Pair], seed: int) -> Comparison:
    given, shadows = [pair.given for pair in pairs], [pair.shadow for pair in pairs]
    firsts = [
        pair.shadow.first_seconds - pair.given.first_seconds
        for pair in pairs
        if pair.shadow.first_seconds is not None and pair.given.first_seconds is not None
    ]
    known = [pair for pair in pairs if pair.given.digest and pair.shadow.digest]
    alike = sum(pair.given.digest == pair.shadow.digest for pair in known)
    return Comparison(
        model,
        len(pairs),
        _side(given, log.endings),
        _side(shadows, log.shadow_endings[model]),
        cost_usd=_difference([pair.shadow.cost_usd - pair.given.cost_usd for pair in pairs], np.mean, seed),
        seconds=_difference([pair.shadow.seconds - pair.given.seconds for pair in pairs], np.median, seed),
        first_seconds=_difference(firsts, np.median, seed) if firsts else None,
        equal=share(alike, len(known)),
    )


def _side(answers: Sequence[Answer], endings: Mapping[str, int]) -> Side:
    firsts = [answer.first_seconds for answer in answers if answer.first_seconds is not None]
    failed = endings.get("failed", 0)
    return Side(
        models=dict(Counter(answer.model for answer in answers).most_common()),
        cost_usd=math.fsum(answer.cost_usd for answer in answers),
        seconds=float(np.median([answer.seconds for answer in answers])),
        first_seconds=float(np.median(firsts)) if firsts else None,
        finish_reasons=dict(Counter(reason for answer in answers for reason in answer.finish_reasons).most_common()),
        failed=share(failed, failed + endings.get("finished", 0)),
    )


def share(some: int, of: int) -> Estimate | None:
    """A share with its interval; None of nothing."""
    counted = Proportion(of, some)
    if counted.share is None or counted.interval is None:
        return None
    return Estimate(counted.share, *counted.interval, of)


def _difference(differences: Sequence[float], middle: Callable[[Floats], np.floating], seed: int) -> Estimate:
    values = np.array(differences, dtype=float)
    if len(values) < _LEAST_PAIRS:
        return Estimate(float(middle(values)), None, None, len(values))
    random = np.random.default_rng(seed)
    resampled = [float(middle(random.choice(values, len(values)))) for _ in range(_RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(middle(values)), float(low), float(high), len(values))
