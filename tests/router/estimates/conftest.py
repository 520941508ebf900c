"""Training with fewer settings to choose from: what these tests look at does not depend on how fine the choice is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from router.estimates import training


@pytest.fixture(scope="package", autouse=True)
def coarse() -> Iterator[None]:
    """Two of each, in two folds: a fifth of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "_FOLDS", 2)
        patched.setattr(training, "_STRENGTHS", (0.3, 1.0))
        patched.setattr(training, "_NEIGHBOURS", (25, 75))
        yield
