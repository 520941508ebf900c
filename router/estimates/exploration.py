"""Now and then another model than the best is asked, so that estimates do not only learn of what they favour.

Only among models that policy, budget and capabilities have left over. Pure: the draw is handed in. The propensity goes
into the record of the decision; what is learnt from records later divides by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explored:
    """`propensity` is the probability with which this model was going to be asked first."""

    model: str
    propensity: float
    explored: bool


def explore(feasible: Sequence[str], best: str, share: float, draw: float) -> Explored:
    """Epsilon-greedy: with probability `share` any of the feasible models alike, else the best of them.

    `draw` is uniform in [0, 1). Raises `ValueError` when the best is not feasible.
    """
    if best not in feasible:
        raise ValueError(f"{best} may not answer; feasible: {', '.join(feasible)}.")
    each = share / len(feasible)
    place = min(int(draw / each), len(feasible) - 1) if draw < share and each > 0 else None  # a quotient may round up
    model = best if place is None else feasible[place]
    return Explored(model, each + (1 - share if model == best else 0.0), model != best)
