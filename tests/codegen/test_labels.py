"""Labels on paths make a request's data class stricter, never laxer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.labels import PathLabel, PathLabels
from inference.protocol import Caller

RANKING = ("public", "internal", "confidential")
PATHS = ("src/a.py", "customers/list.csv", "customers/eu/b.py", "keys.pem")
LABELS = (
    PathLabel(paths=("customers/**",), data_class="confidential"),
    PathLabel(paths=("**/*.py",), data_class="internal"),
    PathLabel(paths=("docs/**",), data_class="public"),
)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ((), "public"),
        (("keys.pem", "docs/a.md"), "public"),
        (("src/a.py",), "internal"),
        (("src/a.py", "customers/eu/b.py"), "confidential"),
    ],
)
def test_the_strictest_label_holds(paths: tuple[str, ...], expected: str) -> None:
    assert PathLabels(RANKING, LABELS).raised(Caller("t", data_class="public"), paths).data_class == expected


@given(st.sampled_from(RANKING), st.sets(st.sampled_from(PATHS)), st.sets(st.sampled_from(PATHS)))
def test_more_files_are_never_laxer(own: str, some: set[str], more: set[str]) -> None:
    labels, caller = PathLabels(RANKING, LABELS), Caller("t", data_class=own)
    classes = [own, *(labels.raised(caller, paths).data_class for paths in (some, some | more))]
    assert classes == sorted(classes, key=RANKING.index)
