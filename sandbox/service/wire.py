"""What goes between a sandbox's server and its clients: one command up, lines of events down.

A command is one JSON object, its bytes in base64. The answer is one event a line: that the program started, its output
as it comes if that was asked for, and last a result or an error; an event with nothing in it says that the server
lives. A workspace of several commands is an answer that does not end: its first event names it, and it lasts until the
client leaves. Used by `server.py` and `client.py`, which are of one release.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sandbox.protocol import (
    Command,
    InvalidCommand,
    Piece,
    Progress,
    Result,
    SandboxError,
    SandboxOverloaded,
    SandboxUnavailable,
    Started,
)
from sandbox.record import Record

SIGN_OF_LIFE_SECONDS = 5.0
"""A server that has nothing to say says so this often."""
MOST_REQUEST_BYTES = 256 << 20
LINES = "application/x-ndjson"

_ERRORS = {kind.__name__: kind for kind in (SandboxError, SandboxUnavailable, InvalidCommand, SandboxOverloaded)}
_LINES = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Asked(BaseModel):
    """One command; `watched` if its output is wanted while it runs, `workspace` if it is one of several in one."""

    model_config = _LINES

    command: Command
    watched: bool = False
    workspace: str = ""

    @model_validator(mode="after")
    def _brings_its_files(self) -> Asked:
        if self.command.tree is not None:
            raise ValueError("a tree is a folder of the client's; its files come in `files`")
        return self


class Failure(BaseModel):
    """A `SandboxError` by the name of its class."""

    model_config = _LINES

    kind: str
    message: str

    def as_error(self) -> SandboxError:
        """The error as the server raised it."""
        return _ERRORS.get(self.kind, SandboxError)(self.message)


class Event(BaseModel):
    """At most one of these; `result` and `failure` are the last."""

    model_config = _LINES

    workspace: str | None = None
    started: Started | None = None
    piece: Piece | None = None
    result: Result | None = None
    failure: Failure | None = None

    def as_line(self) -> bytes:
        """One line, as it is sent."""
        return self.model_dump_json(exclude_none=not self.result).encode() + b"\n"


Event.model_rebuild(_types_namespace={"Record": Record})


def progress_event(progress: Progress) -> Event:
    """The event of a step."""
    return Event(started=progress) if isinstance(progress, Started) else Event(piece=progress)


def failure_event(error: SandboxError) -> Event:
    """The event of an error."""
    known = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS)
    return Event(failure=Failure(kind=known, message=str(error)))


def why_invalid(error: ValidationError) -> str:
    """What is wrong with a message, without its values."""
    return "; ".join(f"{'.'.join(str(key) for key in each['loc'])}: {each['msg']}" for each in error.errors())
