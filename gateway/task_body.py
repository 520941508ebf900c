"""What a client sends to /v1/tasks, checked before anything is looked at on a disk. The routes are tasks_api.py's."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from codegen.protocol import InvalidTask, RepositoryNotFound, TaskRequest
from inference.wire.body import Body

# What `git check-ref-format --branch` takes.
_BRANCH = re.compile(
    r"(?![-/])(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|\Z)))(?!\.)[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])", re.DOTALL
)
# Control characters, and halves of surrogate pairs.
_NO_TEXT = {"Cc", "Cs"}


def _text(text: str) -> str:
    if any(unicodedata.category(letter) in _NO_TEXT and letter not in "\n\t\r\f" for letter in text):
        raise ValueError("it has control characters other than line ends, form feeds and tabs, or is not Unicode")
    return text


def _line(text: str) -> str:
    if any(unicodedata.category(letter) in _NO_TEXT for letter in text):
        raise ValueError("it has control characters or is not Unicode")
    return text


def _branch(name: str) -> str:
    if not _BRANCH.fullmatch(name):
        raise ValueError("git has no branches of such a name")
    return name


FilePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_line)]
Reason = Annotated[str, Field(max_length=2_000), AfterValidator(_text)]
Branch = Annotated[str, Field(max_length=250), AfterValidator(_line), AfterValidator(_branch)]


class TaskBody(Body):
    """A code task. `files` may be left out: then the plan finds them."""

    repository: FilePath = Field(
        description="Absolute path of a checkout or a bare repository on the appliance's machine."
    )
    instruction: Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_text)]
    branch: Branch = "main"
    files: list[FilePath] = Field(default_factory=list, max_length=50, description="Paths that may change.")
    tests: dict[FilePath, Annotated[str, AfterValidator(_text)]] = Field(
        default_factory=dict, max_length=50, description="Acceptance tests: path -> text."
    )
    model: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)] = "auto"
    budget_usd: Annotated[Decimal, Field(gt=0, le=1_000_000, strict=False)] | None = None
    allow_dirty: bool = Field(default=False, description="Work from the last commit of a checkout with changes.")

    def request(self) -> TaskRequest:
        """As the workflow takes it. Raises `InvalidTask` or `RepositoryNotFound`."""
        return TaskRequest(
            self._resolved(),
            self.instruction,
            self.branch,
            tuple(self.files),
            self.tests,
            self.model,
            self.budget_usd,
            self.allow_dirty,
        )

    def _resolved(self) -> str:
        """Links must not lead around a tenant's allowed paths."""
        if not self.repository.startswith("/"):
            raise InvalidTask(f"`repository` must be an absolute path, found {self.repository!r}.")
        try:
            path = Path(self.repository).resolve()
            path.is_dir()  # raises for what cannot even be looked at
        except (OSError, RuntimeError):  # the latter for links that lead to themselves
            raise RepositoryNotFound(f"There is no repository at {self.repository} that can be read.") from None
        return str(path)


class RejectBody(Body):
    """Why a change is turned down."""

    reason: Reason = ""
