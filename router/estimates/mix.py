"""Three probabilities become one: a weighted mean of their log odds, then calibrated. Pure numpy.

Weights and calibration are those with the smallest log loss on outcomes that none of the three was fitted to. The
calibration is J. Platt's (1999), a line through the log odds, held close to leaving them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_CLOSEST_TO_CERTAIN = 1e-3
_STEPS = 10
_RIDGE, _NEWTON_STEPS, _HALVINGS = 5.0, 20, 20


@dataclass(frozen=True, slots=True)
class Mix:
    """`weights` of (regression, neighbours, prior) sum to one; calibrated log odds are slope x mixed + shift."""

    weights: tuple[float, float, float]
    slope: float = 1.0
    shift: float = 0.0

    def raw(self, parts: Doubles) -> Doubles:
        """The mixed log odds of probabilities in columns (regression, neighbours, prior)."""
        return np.asarray(logit(parts) @ np.array(self.weights), dtype=np.float64)

    def probability(self, parts: Doubles) -> Doubles:
        """The calibrated probability, one per row of `parts`."""
        return sigmoid(self.slope * self.raw(parts) + self.shift)


def fit(parts: Doubles, passed: Doubles, weights: Doubles) -> Mix:
    """The mix with the smallest log loss on outcomes that were held out."""
    tried = [
        Mix((first / _STEPS, second / _STEPS, (_STEPS - first - second) / _STEPS))
        for first in range(_STEPS + 1)
        for second in range(_STEPS + 1 - first)
    ]
    best = min(tried, key=lambda mix: log_loss(sigmoid(mix.raw(parts)), passed, weights))
    return Mix(best.weights, *_calibration(best.raw(parts), passed, weights))


def _calibration(mixed: Doubles, passed: Doubles, weights: Doubles) -> tuple[float, float]:
    """Slope and shift by Newton's method with halved steps; the ridge draws them to 1 and 0 as if by a few outcomes."""
    inputs = np.stack((mixed, np.ones_like(mixed)), axis=1)
    neutral = line = np.array([1.0, 0.0])

    def objective(line: Doubles) -> float:
        odds, away = inputs @ line, line - neutral
        return float(weights @ (np.logaddexp(0, odds) - passed * odds) + _RIDGE / 2 * (away @ away))

    for _ in range(_NEWTON_STEPS):
        likely = sigmoid(inputs @ line)
        slope = inputs.T @ (weights * (likely - passed)) + _RIDGE * (line - neutral)
        curvature = (inputs * (weights * likely * (1 - likely))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        step, now = np.linalg.solve(curvature, slope), objective(line)
        for _ in range(_HALVINGS):
            if objective(line - step) <= now:
                break
            step = step / 2
        line = line - step
    return float(line[0]), float(line[1])


def log_loss(likely: Doubles, passed: Doubles, weights: Doubles) -> float:
    """The weighted mean of -log(probability given to what happened), in nats."""
    bounded = np.clip(likely, _CLOSEST_TO_CERTAIN, 1 - _CLOSEST_TO_CERTAIN)
    return -float(np.average(np.log(np.where(passed > 0.5, bounded, 1 - bounded)), weights=weights))


def logit(likely: Doubles) -> Doubles:
    """Log odds; certainty is bounded."""
    bounded = np.clip(likely, _CLOSEST_TO_CERTAIN, 1 - _CLOSEST_TO_CERTAIN)
    return np.log(bounded / (1 - bounded))


def sigmoid(odds: Doubles) -> Doubles:
    """The probability of log odds."""
    return np.asarray((1 + np.tanh(odds / 2)) / 2, dtype=np.float64)  # exp would overflow
