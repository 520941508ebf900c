"""Logistic regression on sparse rows, in numpy alone: a library for it would take 200 MB in every appliance.

`fit` is for training; a fitted `Regression` answers in microseconds. Heads hold one each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from router.estimates.features import Floats
from router.estimates.mix import Doubles, sigmoid
from router.estimates.representation import Reading
from router.estimates.sparse import Rows

_NEWTON_STEPS, _HALVINGS, _CONJUGATE_STEPS = 30, 20, 40
# Shares of the gradient: where the search ends, and how exactly a step is solved for.
_CONVERGED, _SOLVED = 0.01, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A coefficient per position of a reading, the constant among them."""

    coefficients: Floats

    def probability(self, reading: Reading) -> float:
        """Of passing."""
        odds = float(self.coefficients[reading.positions] @ reading.values)
        return float(sigmoid(np.array(odds)))


def fit(rows: Rows, passed: Doubles, weights: Doubles, strengths: Sequence[float]) -> list[Doubles]:
    """Coefficients for each strength: the minimum of |c|^2 / 2 + strength x sum of weight x log loss.

    Newton's method, each step solved for by conjugate gradients (Lin, Weng and Keerthi 2008); a strength starts where
    the one before ended.
    """
    found, coefficients = [], np.zeros(rows.width)
    for strength in strengths:
        coefficients = _minimum(rows, passed, strength * weights, coefficients)
        found.append(coefficients)
    return found


def _minimum(rows: Rows, passed: Doubles, weights: Doubles, start: Doubles) -> Doubles:
    coefficients, odds = start, rows.times(start)
    enough = _CONVERGED * np.linalg.norm(rows.transposed_times(weights * (0.5 - passed)))

    def objective(coefficients: Doubles, odds: Doubles) -> float:
        return float(coefficients @ coefficients / 2 + weights @ (np.logaddexp(0, odds) - passed * odds))

    for _ in range(_NEWTON_STEPS):
        likely = sigmoid(odds)
        gradient = coefficients + rows.transposed_times(weights * (likely - passed))
        if np.linalg.norm(gradient) <= enough:
            break
        step = _solved(rows, weights * likely * (1 - likely), -gradient)
        along, now = rows.times(step), objective(coefficients, odds)
        for _ in range(_HALVINGS):
            if objective(coefficients + step, odds + along) <= now:
                break
            step, along = step / 2, along / 2
        coefficients, odds = coefficients + step, odds + along
    return coefficients


def _solved(rows: Rows, curvature: Doubles, wanted: Doubles) -> Doubles:
    """About (1 + rows' x curvature x rows)^-1 x wanted."""
    return _conjugate_gradients(lambda vector: vector + rows.transposed_times(curvature * rows.times(vector)), wanted)


def _conjugate_gradients(times: Callable[[Doubles], Doubles], wanted: Doubles) -> Doubles:
    found, rest, direction = np.zeros_like(wanted), wanted, wanted
    size = first = float(rest @ rest)
    for _ in range(_CONJUGATE_STEPS):
        if size <= _SOLVED**2 * first:
            break
        image = times(direction)
        along = size / float(direction @ image)
        found, rest = found + along * direction, rest - along * image
        before, size = size, float(rest @ rest)
        direction = rest + size / before * direction
    return found
