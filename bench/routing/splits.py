"""Which prompts are learnt from and which are asked about: no group is on both sides, and labels are few. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

FOLDS = 5


def grouped(groups: Sequence[str], labels: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """FOLDS pairs of rows: at most `labels` to learn from, and those to ask about; every row is asked about once."""
    random = np.random.default_rng(seed)
    names = sorted(set(groups))
    folds = dict(zip(names, random.permutation(len(names)) % FOLDS, strict=True))
    fold_of = np.array([folds[group] for group in groups])
    for fold in range(FOLDS):
        rest = np.flatnonzero(fold_of != fold)
        learnt = random.choice(rest, min(labels, len(rest)), replace=False)
        yield np.sort(learnt), np.flatnonzero(fold_of == fold)
