"""Refuses, before anything starts, a command that cannot be run whatever the host. Called by every local sandbox."""

from __future__ import annotations

import re

from sandbox.files.collect import compile_globs
from sandbox.files.workspace import check_names
from sandbox.profile import Profile
from sandbox.protocol import Command, InvalidCommand

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_COMMAND_LINE_BYTES = 1 << 17


def demand_possible(command: Command, profile: Profile) -> None:
    """Raise `InvalidCommand` for words, variables, globs and file names that cannot be."""
    if not command.argv or not all(command.argv) or any("\0" in word for word in command.argv):
        raise InvalidCommand("argv needs a program and no empty or NUL-containing words.")
    if sum(len(word.encode("utf-8", "surrogateescape")) for word in command.argv) > _MAX_COMMAND_LINE_BYTES:
        raise InvalidCommand(
            f"argv is longer than {_MAX_COMMAND_LINE_BYTES} bytes; pass the rest as a file or on stdin."
        )
    fixed = profile.environment()
    for name, value in command.environment.items():
        if not _VARIABLE.match(name) or "\0" in value:
            raise InvalidCommand(f"The environment variable {name!r} has no valid name or a NUL in its value.")
        if name in fixed or name.startswith("LD_"):
            raise InvalidCommand(f"The environment variable {name!r} is fixed by profile {profile.name!r}.")
    compile_globs(command.collect)
    check_names(command.files)
    if strangers := sorted(command.executables - command.files.keys()):
        raise InvalidCommand(f"{strangers[0]!r} is to be executable and is not among the command's files.")
