"""A sparse matrix for training, in numpy alone: what is fitted multiplies with it and with its transpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.estimates.features import Floats, Ints
from router.estimates.mix import Doubles


class Rows:
    """A matrix of `width` columns, kept by rows and by columns; no row is empty."""

    def __init__(self, positions: Sequence[Ints], values: Sequence[Floats], width: int) -> None:
        lengths = [len(each) for each in positions]
        self.width = width
        self._positions = np.concatenate(positions)
        self._values = np.concatenate(values).astype(np.float64)
        self._starts = np.concatenate(([0], np.cumsum(lengths[:-1], dtype=np.intp)))
        by_column = np.argsort(self._positions, kind="stable")
        self._rows = np.repeat(np.arange(len(lengths)), lengths)[by_column]
        self._values_by_column = self._values[by_column]
        self._columns, self._column_starts = np.unique(self._positions[by_column], return_index=True)

    def times(self, vector: Doubles) -> Doubles:
        """The product with a vector of `width`."""
        return np.add.reduceat(self._values * vector[self._positions], self._starts)

    def transposed_times(self, vector: Doubles) -> Doubles:
        """The transpose's product with a vector that has a number per row."""
        product = np.zeros(self.width)
        product[self._columns] = np.add.reduceat(self._values_by_column * vector[self._rows], self._column_starts)
        return product
