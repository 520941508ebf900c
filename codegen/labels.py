"""Labels on paths: what of a repository is more sensitive than the tenant's requests are. Pure.

A request that shows a labelled file to a model is of the file's data class; labels make a class stricter, never laxer.
Code tasks ask for each call, and the gateway for clients that say which files a prompt was made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from codegen.policy import matches
from inference.protocol import Caller
from inference.spec import Spec


class PathLabel(Spec):
    """A data class for files. The strictest of all labels that match a path holds."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="Globs; ** crosses folders.")
    data_class: str = Field(description="The class of a request that shows one of them.")


class PathLabels:
    """`ranking` is the data classes from least to most sensitive."""

    def __init__(self, ranking: Sequence[str] = (), labels: Sequence[PathLabel] = ()) -> None:
        self._ranking = ranking
        self._labels = labels

    def raised(self, caller: Caller, paths: Iterable[str]) -> Caller:
        """The caller of a request that shows these files."""
        classes = {caller.data_class}
        for path in paths if self._labels else ():
            classes |= {label.data_class for label in self._labels if any(matches(path, glob) for glob in label.paths)}
        return caller if len(classes) == 1 else replace(caller, data_class=max(classes, key=self._ranking.index))
