"""RouteLLM's figures: how much of the gap between two models is closed when the strong one gets a share of the prompts.

PGR(c) = (quality with share c - weak) / (strong - weak); APGR is its mean over all shares; CPT(x) is the smallest share
with PGR of at least x (Ong et al. 2024, section 2). As in its code the curve is a line through eleven shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Right = NDArray[np.bool_]

_SHARES = np.linspace(0, 1, 11)
_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """APGR as a share, CPT in percent of the prompts."""

    apgr: float
    cpt50: float
    cpt80: float


def figures(scores: Scores, weak: Right, strong: Right) -> Figures:
    """The strong model gets the highest scores first; equal ones in no order, so the curve is straight across them."""
    recovered = _recovered(scores, weak, strong)
    return Figures(float(np.trapezoid(recovered, _SHARES)), 100 * _share(recovered, 0.5), 100 * _share(recovered, 0.8))


def _recovered(scores: Scores, weak: Right, strong: Right) -> Scores:
    """PGR at the eleven shares."""
    order = np.argsort(-scores, kind="stable")
    gained = np.cumsum(strong[order].astype(np.float64) - weak[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    shares, quality = np.append(0, (last + 1) / len(scores)), np.append(0, gained[last])
    return np.asarray(np.interp(_SHARES, shares, quality / gained[-1]), dtype=np.float64)


def _share(recovered: Scores, wanted: float) -> float:
    """Where the line first reaches what is wanted."""
    after = int(np.argmax(recovered >= wanted))
    before = recovered[after - 1]
    part = (wanted - before) / (recovered[after] - before)
    return float(_SHARES[after - 1] + part * (_SHARES[after] - _SHARES[after - 1]))


def bootstrapped(scores: Sequence[Scores], weak: Right, strong: Right) -> tuple[float, float]:
    """Bounds of APGR with 95 % (percentile bootstrap over prompts), where `scores` has one element per seed."""
    random = np.random.default_rng(0)
    means = []
    for _ in range(_DRAWS):
        drawn = random.integers(0, len(weak), len(weak))
        means.append(np.mean([figures(each[drawn], weak[drawn], strong[drawn]).apgr for each in scores]))
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
