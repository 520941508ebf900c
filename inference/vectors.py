"""Embedding vectors as the protocol wants them: unit length, cut to the dimensions asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unit_vectors(rows: NDArray[np.float32], dimensions: int | None) -> tuple[tuple[float, ...], ...]:
    """The rows (texts x width), each cut to `dimensions` and scaled to length 1; a zero row stays zero.

    Raises `InvalidRequest` if `dimensions` is more than the width.
    """
    import numpy as np

    width = rows.shape[1]
    if dimensions is not None and dimensions > width:
        raise InvalidRequest(f"'dimensions' is {dimensions}, but this model has {width}.", param="dimensions")
    kept = rows[:, :dimensions].astype(np.float64)
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    unit = np.divide(kept, lengths, out=np.zeros_like(kept), where=lengths > 0)
    return tuple(tuple(row) for row in unit.tolist())
