"""What an answer must pass before it is given, and what is told of how it did. An engine alone verifies nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

CheckKind = Literal["tests", "checks", "schema", "task", "acceptance"]
"""What decides on an answer: tests that came with it, checks without tests, a schema; or, in a code task, the tests of
the repository alone, or with acceptance tests of the requester's own."""


@dataclass(frozen=True, slots=True)
class Checking:
    """How the answer to a request will be checked: known to whoever estimates whether it passes, and learnt by it.

    A `draw` above 1 asks the model `again` for another answer to the same question; its earlier ones did not pass.
    """

    kind: CheckKind
    draw: int = 1
    again: str = ""


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask for an answer that passed. Its code parses and has no fatal findings of a linter in any case.

    `tests` is code in `language`: assertions, or functions as pytest finds them, about the names of the answer, which
    is the module `solution`. `checks` names further ones. With a JSON `schema` the answer is no code, but JSON.
    """

    language: Literal["python"] = "python"
    tests: str = ""
    checks: tuple[str, ...] = ()
    schema: dict[str, object] | None = None

    @property
    def kind(self) -> CheckKind:
        """What decides on the answer."""
        if self.schema is not None:
            return "schema"
        return "tests" if self.tests else "checks"


@dataclass(frozen=True, slots=True)
class Attempted:
    """An answer that was checked: the last check that it came to, and what that showed; cost of the answer alone."""

    model: str
    outcome: Literal["pass", "fail", "inconclusive"]
    check: str
    summary: str
    seconds: float
    cost_usd: Decimal
    environment_digest: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """How verification goes, as a phrase, until an answer passed; then all attempts, which are the evidence.

    A router says on a draft how many `samples` its plan gives the model that answers before a stronger one is asked.
    """

    progress: str
    attempts: tuple[Attempted, ...] = ()
    samples: int = 0
