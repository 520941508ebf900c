"""The regression finds the minimum it is said to find, and the sparse matrix multiplies as a dense one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.estimates.mix import Doubles, sigmoid
from router.estimates.regression import fit
from router.estimates.sparse import Rows


def drawn(seed: int, count: int = 60, width: int = 30) -> tuple[Doubles, Rows]:
    """A dense matrix with few entries, none of its rows empty, and the same as rows."""
    source = np.random.default_rng(seed)
    dense = np.where(source.random((count, width)) < 0.2, source.normal(0, 1, (count, width)), 0)
    dense[:, -1] = 1
    dense = dense.astype(np.float32).astype(np.float64)
    at = [np.flatnonzero(row).astype(np.int32) for row in dense]
    return dense, Rows(at, [row[each].astype(np.float32) for row, each in zip(dense, at, strict=True)], width)


@given(st.integers(0, 1000))
def test_it_multiplies_as_a_dense_matrix_does(seed: int) -> None:
    dense, rows = drawn(seed)
    source = np.random.default_rng(seed)
    right, left = (source.normal(0, 1, (size,)) for size in reversed(dense.shape))
    assert rows.times(right) == pytest.approx(dense @ right)
    assert rows.transposed_times(left) == pytest.approx(dense.T @ left)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 100.0]))
def test_no_step_in_any_direction_leads_lower(seed: int, strength: float) -> None:
    dense, rows = drawn(seed)
    source = np.random.default_rng(seed)
    passed = (source.random(len(dense)) < 0.6).astype(np.float64)
    weights = source.random(len(dense))

    def objective(coefficients: Doubles) -> float:
        odds = dense @ coefficients
        return float(coefficients @ coefficients / 2 + strength * (weights @ (np.logaddexp(0, odds) - passed * odds)))

    (found,) = fit(rows, passed, weights, [strength])
    gradient = found + strength * dense.T @ (weights * (sigmoid(dense @ found) - passed))
    before = strength * np.linalg.norm(dense.T @ (weights * (0.5 - passed)))
    assert np.linalg.norm(gradient) <= 0.011 * before
    assert objective(found) <= objective(np.zeros_like(found))


def test_a_strength_after_another_ends_where_it_would_alone() -> None:
    dense, rows = drawn(5)
    passed = (dense[:, 0] > 0).astype(np.float64)
    alone = fit(rows, passed, np.ones(len(dense)), [3.0])[0]
    after = fit(rows, passed, np.ones(len(dense)), [0.1, 1.0, 3.0])[-1]
    assert sigmoid(dense @ after) == pytest.approx(sigmoid(dense @ alone), abs=0.03)


def test_what_weighs_nothing_and_only_one_kind_are_no_trouble() -> None:
    dense, rows = drawn(6)
    passed = np.ones(len(dense))
    assert np.all(sigmoid(dense @ fit(rows, passed, passed, [1.0])[0]) > 0.8)
    assert np.all(fit(rows, passed, np.zeros(len(dense)), [1.0])[0] == 0)
