"""The words of the corpus: a family makes tasks, a task is phrased as a problem, problems become samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Names = tuple[str, ...]
"""The identifiers a problem uses: the function's or class's name, then its arguments (or methods)."""

Rule = tuple[str, ...]
"""One extra condition, as alternative full sentences."""

Part = Literal["train", "dev", "heldout"]
Options = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Task:
    """One small program: how people ask for it, the reference answer and how to check it.

    `says` are at least six phrasings, each beginning with a verb in its base form ("return the ...").
    Expected values come from `oracle`, an independent implementation called on each of `inputs`
    (an exception it raises is an expected exception); `tests` are added as they stand.
    """

    says: tuple[str, ...]
    code: str
    oracle: Callable[..., object] | None = None
    inputs: tuple[tuple[object, ...], ...] = ()
    rules: tuple[Rule, ...] = ()
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A parameterised task: `make(names, **options)` for every combination of the options."""

    key: str
    theme: str
    names: tuple[str, ...]
    arguments: tuple[tuple[str, ...], ...]
    options: Mapping[str, tuple[object, ...]]
    make: Callable[..., Task]


@dataclass(frozen=True, slots=True)
class Problem:
    """A task as somebody asks for it: what a model sees, the right answer, and tests for any answer.

    Each test is a snippet that stands alone after `test_imports` and the answer.
    """

    family: str
    theme: str
    names: Names
    instruction: str
    reference: str
    tests: tuple[str, ...]
    test_imports: str
    options: Options
    phrasing: int

    @property
    def name(self) -> str:
        """The function's or class's name."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a training sample; only where `learn` is true does the loss count."""

    text: str
    learn: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample of a kind ("draft", "repair", ...), in the model's own markup."""

    kind: str
    family: str
    segments: tuple[Segment, ...] = field(default=())

    @property
    def text(self) -> str:
        """The whole sample."""
        return "".join(segment.text for segment in self.segments)
