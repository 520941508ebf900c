"""Features as a model reads them: sparse numbers for the regression, a short dense vector for the neighbours.

Which n-grams count, their weights and the directions of the dense vector are learnt from the texts of past requests
alone, never from outcomes. Training fits one, the artefact keeps it, the estimator reads with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.estimates.features import SHAPE_LENGTH, SPACE, WORD_SPACE, Features, Floats, Ints
from router.estimates.sparse import Rows

_LEAST_REQUESTS = 2  # an n-gram of one request says nothing of another
_DIRECTIONS, _SPARE_DIRECTIONS, _POWER_STEPS = 64, 10, 3
# In units of an n-gram block's length, which is one: what one standard deviation of a count weighs.
_SHAPE_WEIGHT, _SHAPE_WEIGHT_AMONG_NEIGHBOURS = 0.2, 0.3
_MOST_DEVIATIONS = 4.0
_WAVES, _BANDWIDTH = 256, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One request: what stands at which coefficient, and the dense vector of length one."""

    positions: Ints
    values: Floats
    dense: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Representation:
    """`vocabulary` ascends, words before characters; `basis` has a row per word. Counts are centred and scaled.

    `waves` and `phases` make random Fourier features of the counts (Rahimi and Recht 2007), by which a linear model
    bends: a very short and a very long text may both be hard.
    """

    vocabulary: Ints
    idf: Floats
    centre: Floats
    scale: Floats
    basis: Floats
    waves: Floats
    phases: Floats

    @property
    def width(self) -> int:
        """How many coefficients a regression on it has: n-grams, counts, waves and a constant."""
        return len(self.vocabulary) + len(self.centre) + len(self.phases) + 1

    def read(self, features: Features) -> Reading:
        """A request as the regression and the neighbours see it."""
        at = np.searchsorted(self.vocabulary, features.indices)
        known = np.zeros(len(at), dtype=bool)
        inside = at < len(self.vocabulary)
        known[inside] = self.vocabulary[at[inside]] == features.indices[inside]
        positions = at[known]
        values = features.values[known] * self.idf[positions]
        words = int(np.searchsorted(positions, len(self.basis)))
        for block in (values[:words], values[words:]):
            block /= max(float(np.linalg.norm(block)), 1e-9)
        deviations = np.clip((features.shape - self.centre) / self.scale, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        bent = np.sqrt(2 / len(self.phases)) * np.cos(deviations @ self.waves + self.phases)
        topic = _unit((values[:words] @ self.basis[positions[:words]]).astype(np.float32))
        return Reading(
            np.concatenate((positions, np.arange(len(self.vocabulary), self.width))).astype(np.int32),
            np.concatenate((values, _SHAPE_WEIGHT * deviations, bent, [1.0])).astype(np.float32),
            _unit(np.concatenate((topic, _SHAPE_WEIGHT_AMONG_NEIGHBOURS * deviations)).astype(np.float32)),
        )


def fit(requests: Sequence[Features]) -> Representation:
    """Learn it from past requests, each once.

    Weights are the smoothed inverse document frequency, log((1 + n) / (1 + df)) + 1; directions are the first right
    singular vectors of the word block (latent semantic indexing, Deerwester et al. 1990).
    """
    requests_with = np.bincount(np.concatenate([each.indices for each in requests]), minlength=SPACE)
    vocabulary = np.flatnonzero(requests_with >= _LEAST_REQUESTS).astype(np.int32)
    idf = np.log((1 + len(requests)) / (1 + requests_with[vocabulary])) + 1
    shapes = np.stack([each.shape for each in requests])
    spread = shapes.std(axis=0)
    random = np.random.default_rng(0)
    bare = Representation(
        vocabulary,
        idf.astype(np.float32),
        shapes.mean(axis=0),
        np.where(spread > 1e-6, spread, 1).astype(np.float32),
        np.zeros((int(np.searchsorted(vocabulary, WORD_SPACE)), 0), dtype=np.float32),
        (random.standard_normal((SHAPE_LENGTH, _WAVES)) / _BANDWIDTH).astype(np.float32),
        random.uniform(0, 2 * np.pi, _WAVES).astype(np.float32),
    )
    return replace(bare, basis=_directions([bare.read(each) for each in requests], len(bare.basis)))


def _directions(readings: Sequence[Reading], words: int) -> Floats:
    """Subspace iteration from a random start (Halko, Martinsson and Tropp 2011, algorithm 4.4)."""
    wanted = min(_DIRECTIONS, words, len(readings) - 1)
    if wanted < 1:
        return np.zeros((words, 0), dtype=np.float32)
    ends = [int(np.searchsorted(each.positions, words)) for each in readings]
    said = [(each, end) for each, end in zip(readings, ends, strict=True) if end]
    rows = Rows([each.positions[:end] for each, end in said], [each.values[:end] for each, end in said], words)
    spanned = np.random.default_rng(0).standard_normal((words, min(wanted + _SPARE_DIRECTIONS, words)))
    for _ in range(_POWER_STEPS):
        spanned, _ = np.linalg.qr(np.stack([rows.transposed_times(rows.times(each)) for each in spanned.T], axis=1))
    images = np.stack([rows.times(each) for each in spanned.T], axis=1)
    _, turned = np.linalg.eigh(images.T @ images)  # ascending
    return np.ascontiguousarray(spanned @ turned[:, ::-1][:, :wanted], dtype=np.float32)


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
