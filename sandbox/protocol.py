"""The sandbox contract: a command in, a result out.

A failing program is a `Result`; a failing machine is a `SandboxError`. Exit codes alone never decide
a verdict: the supervisor's own facts (its timer, the memory counters, the policy log) come first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from sandbox.doctor import Report
    from sandbox.record import Record

Outcome = Literal[
    "exited",  # ended by itself; see exit_code
    "signalled",  # died of a signal nobody of ours sent; see signal
    "timeout",  # wall clock
    "cpu_limit",
    "out_of_memory",
    "output_limit",
    "disk_limit",
    "policy_violation",  # killed by the system call policy
    "cancelled",  # by `close`; a cancelled `run` raises instead
]


class SandboxError(Exception):
    """The machine could not run the command; nothing is known about the program."""

    retryable = False


class SandboxUnavailable(SandboxError):
    """This host lacks something the sandbox needs; the message says what and how to get it."""


class InvalidCommand(SandboxError):
    """The command cannot be run as it is: an unsafe file name, an unknown profile, a limit above the operator's."""


class SandboxUnreachable(SandboxError):
    """The sandbox's server was lost before the program started; trying again can help."""

    retryable = True


class SandboxOverloaded(SandboxError):
    """No slot came free in time; trying again can help."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use. `output_bytes` holds for stdout and stderr each, `disk_mib` for /work and /tmp each."""

    wall_seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_mib: int = 512
    processes: int = 64
    open_files: int = 256
    output_bytes: int = 1_048_576
    disk_mib: int = 64
    disk_files: int = 8192


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and with which files.

    The workspace (the working directory inside) starts with the regular files of `tree`, if given,
    then `files` (relative POSIX path -> bytes) on top; those named in `executables` may be executed. After the run,
    regular files that match a `collect` glob come back in `Result.files`. `limits` may only lower the profile's
    limits. `tenant` is who takes turns with others when commands wait; nothing of the run depends on it.
    """

    argv: tuple[str, ...]
    profile: str = "python"
    tree: Path | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: tuple[str, ...] = ()
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits | None = None
    executables: frozenset[str] = frozenset()
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The program runs, after so many seconds of waiting for a slot."""

    queue_seconds: float


OutputStream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that the program has just written and that will be in the result; those above the limit are in neither."""

    stream: OutputStream
    content: bytes


Progress = Started | Piece
OnProgress = Callable[[Progress], None]
"""Called in the event loop while a command runs; it must return at once and raise nothing."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that matched a collect glob and did not come out, or was not handed on in a workspace; and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file of a workspace by content: its path in it, its size and its SHA-256 (hex)."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Result:
    """What happened. `stdout` and `stderr` are cut at the limit; `*_bytes` count all that was written.

    `facts` are the observations that led to the outcome. `environment_digest` identifies profile, policy, nsjail and
    interpreter. `record` is the evidence: all of this without contents, with what else is known about the job; None
    only in a result that no sandbox made.
    """

    outcome: Outcome
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    wall_seconds: float
    cpu_seconds: float
    memory_peak_mib: float | None
    environment_digest: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    rejected: tuple[Rejection, ...] = ()
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    record: Record | None = None

    @property
    def ok(self) -> bool:
        """The program ended by itself with exit code 0."""
        return self.outcome == "exited" and self.exit_code == 0


class CommandRunner(Protocol):
    """Runs commands in isolation. Cancelling the call kills the whole process tree."""

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """Run one command. Raises `SandboxError` when the machine, not the program, failed.

        In tier D every profile but the trusted linters' raises `SandboxUnavailable`.
        """
        ...


class Sandbox(CommandRunner, Protocol):
    """A place where commands run, each in a fresh workspace unless it is one of a `workspace`."""

    def workspace(self) -> AbstractAsyncContextManager[CommandRunner]:
        """Several commands in one workspace: each begins with the files that the last one left, however it ended.

        What passes are regular files with one name, whether they may be executed, and when they were changed; folders;
        nothing else. What does not pass is in the next result's `rejected`. Files of a command replace those that
        are there. Everything is gone at the end of the context. Entering raises `SandboxOverloaded` when there are too
        many workspaces, and `SandboxUnavailable`.
        """
        ...

    def environment_digest(self, profile: str) -> str:
        """SHA-256 (hex) of what a run in `profile` depends on: profile, policy, nsjail, interpreter, tools.

        Raises `SandboxUnavailable` before the host was proven by a first `check` or `run`.
        """
        ...

    async def check(self) -> None:
        """Prove with a real run that this host can isolate. Raises `SandboxUnavailable` with what is missing."""
        ...

    async def diagnose(self) -> Report:
        """What the host gives, and what would raise it. Raises `SandboxUnavailable` when it cannot isolate."""
        ...

    async def close(self) -> None:
        """Kill what runs and free what is held; safe to call twice."""
        ...
