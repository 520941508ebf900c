"""One thing that is estimated (a model passes, or passes where another failed): its regression, neighbours and mix.

Reading it is numpy only. Training makes it, the artefact keeps it, the estimator asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from router.estimates.features import Floats, Ints
from router.estimates.mix import Doubles, Mix
from router.estimates.regression import Regression
from router.estimates.representation import Reading

# The prior counts among the neighbours as so many of them.
_NEIGHBOURS_OF_THE_PRIOR = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Outcomes of a head: the request's row among all requests, 1 for passed, and the decayed weight."""

    rows: Ints
    passed: Floats
    weights: Floats

    def nearest(self, similar: Floats, count: int, prior: float) -> float:
        """The share that passed among the `count` most similar, shrunk towards the prior."""
        own = similar[self.rows]
        if len(own) > count:
            chosen = np.argpartition(own, len(own) - count)[len(own) - count :]
            passed, weights = self.passed[chosen], self.weights[chosen]
        else:
            passed, weights = self.passed, self.weights
        seen = float(weights.sum()) + _NEIGHBOURS_OF_THE_PRIOR
        return (float(passed @ weights) + _NEIGHBOURS_OF_THE_PRIOR * prior) / seen

    def without(self, held: NDArray[np.bool_]) -> Seen:
        """Those whose request is not held out; `held` has one value per request."""
        kept = ~held[self.rows]
        return Seen(self.rows[kept], self.passed[kept], self.weights[kept])


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """`neighbours` is how many are asked. `metrics` come from held-out folds."""

    regression: Regression
    seen: Seen
    neighbours: int
    mix: Mix
    metrics: Mapping[str, float] = field(default_factory=dict)

    def parts(self, reading: Reading, similar: Floats, prior: float) -> Doubles:
        """The three probabilities: of the regression, the neighbours and the prior."""
        near = self.seen.nearest(similar, self.neighbours, prior)
        return np.array([self.regression.probability(reading), near, prior])
