"""The words of a code task: Task, Plan, Patch, Evidence, Verdict. Immutable; each goes into the ledger as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from inference.protocol import Caller, Completion

Outcome = Literal["pass", "fail", "inconclusive"]
Decision = Literal["apply", "ask", "refuse"]


class TaskError(Exception):
    """Base of the package's errors."""

    retryable = False


class InvalidTask(TaskError):
    """The task cannot be taken on as it is; nothing was started."""


class RepositoryProblem(TaskError):
    """The repository does not exist, is dirty, has diverged or cannot be merged; it was not changed."""


class RepositoryNotFound(RepositoryProblem):
    """There is no repository, or no such branch, where the task says."""


class UnknownTask(TaskError):
    """There is no task with this id that the caller may see."""


class WrongState(TaskError):
    """The task is not in a state in which this can be done."""


class ApprovalRefused(TaskError):
    """This actor may not decide on this task: approve or cancel it."""


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What a person asks for.

    `repository` is a path (a checkout or a bare repository). `files` are the paths that may change;
    empty: found by the plan. `tests` are acceptance tests of the requester's own (path -> text) that
    become part of the change. `budget_usd` is a limit below the appliance's own.
    """

    repository: str
    instruction: str
    branch: str = "main"
    files: tuple[str, ...] = ()
    tests: Mapping[str, str] | None = None
    model: str = "auto"
    budget_usd: Decimal | None = None
    allow_dirty: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A request taken on: who asked, and the commit it starts from."""

    id: str
    request: TaskRequest
    caller: Caller
    base_commit: str
    submitted_at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, checked against policy and budget before anything acts.

    `refusal` is a sentence when the plan may not be carried out.
    """

    files: tuple[str, ...]
    steps: tuple[str, ...]
    attempts_per_tier: int
    budget_usd: Decimal
    expected_decision: Decision
    reasons: tuple[str, ...]
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage that went into the prompt."""

    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """What the model is shown of the repository, and what it costs in (estimated) tokens."""

    excerpts: tuple[Excerpt, ...]
    tokens: int
    passages_considered: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A proposed change set: path -> new content; None deletes the file."""

    changes: Mapping[str, str | None]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the change set, independent of order."""
        return hashlib.sha256(json.dumps(dict(sorted(self.changes.items()))).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Draft:
    """One answer of a model, to the call `request_id`; `samples` as a router's plan has them (turns.py).

    `patch` is None when the answer was malformed; its bytes are kept all the same.
    """

    model: str
    route: str
    answer: str
    patch: Patch | None
    problem: str | None
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal
    request_id: str = ""
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one rung of the ladder showed. `summary` is short enough to go back to a model."""

    rung: str
    outcome: Outcome
    summary: str
    seconds: float
    environment_digest: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """The ladder's climb, up to the first rung that did not pass."""

    evidence: tuple[Evidence, ...]

    @property
    def green(self) -> bool:
        """Every rung passed; inconclusive is not a pass."""
        return bool(self.evidence) and all(item.outcome == "pass" for item in self.evidence)

    @property
    def red(self) -> bool:
        """A rung failed; inconclusive is no failure either."""
        return bool(self.failed_at)

    @property
    def failed_at(self) -> str:
        """The rung that failed; empty if none did."""
        return next((item.rung for item in self.evidence if item.outcome == "fail"), "")

    @property
    def findings(self) -> str:
        """What did not pass, for the model and for people."""
        return "\n".join(item.summary for item in self.evidence if item.outcome != "pass")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may happen with a verified change: apply it, ask a person, refuse it."""

    decision: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """A change and the evidence that it does what was asked; `patch` is None when nothing was proven."""

    patch: Patch | None
    verification: Verification
    attempts: int
    cost_usd: Decimal
    why_unproven: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A verified change as a commit on a branch of its own, to be looked at; `diff` is unified."""

    branch: str
    commit: str
    changes: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class Integration:
    """Where the change went. `delivered` tells whether it was pushed; otherwise `pull_command` fetches it."""

    branch: str
    change_commit: str
    merge_commit: str
    tree: str
    delivered: bool
    pull_command: str


@dataclass(frozen=True, slots=True)
class PastCall:
    """A model call that is on record and what it cost; `completion` is None when it failed or was cut off."""

    completion: Completion | None
    cost_usd: Decimal


class VerifiedAnswers(Protocol):
    """Who wants to know which answers passed verification, such as whoever compares models."""

    async def verified(self, request_id: str, passed: bool, *, tested: bool, failed_at: str = "") -> None:
        """The answer to a call passed or failed; telling it again is harmless. Doubt is not told.

        `tested`: tests were among the checks, whether or not it came to them. `failed_at` is the rung that failed.
        """
        ...


class CallHistory(Protocol):
    """Finds model calls by their request id, so that a finished one is never paid for twice."""

    async def past_call(self, request_id: str) -> PastCall | None:
        """The recorded call, or None when it was never made (or was lost with the process)."""
        ...
