"""The system call filter of tier D, from `confined.toml` to instructions of the kernel's classic BPF.

Pure. The number of the tool's own process is not known here; `profiles/confine.py` puts it in. Elsewhere nsjail
translates `deny.kafel`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Instruction = tuple[int, int, int, int | str]
"""Code, how many to skip if the test holds and if not, and the constant; "own" is the process's number."""

MACHINES = ("x86_64", "aarch64")
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _RETURN = 0x20, 0x06
_IF_EQUAL, _IF_GREATER, _IF_BIT = 0x15, 0x25, 0x45
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data; of an argument the low half
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_Numbers = tuple[int, int]


class ByArgument(BaseModel):
    """A call that an argument decides about; exactly one of `needs`, `only` and `never` says how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: _Numbers
    argument: int = Field(ge=0, le=5)
    needs: int | None = None
    only: int | Literal["own"] | None = None
    never: tuple[int, ...] = ()


class Calls(BaseModel):
    """The calls of confined.toml; see there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    newest: int
    absent: Mapping[str, _Numbers]
    denied: Mapping[str, _Numbers]
    by_argument: Mapping[str, ByArgument]


def assemble(calls: Calls, machine: str) -> list[Instruction]:
    """The filter for one of `MACHINES`."""
    place = MACHINES.index(machine)
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_GREATER, 0, 1, calls.newest),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for numbers, error in ((calls.absent, errno.ENOSYS), (calls.denied, errno.EPERM)):
        for number in filter(None, (each[place] for each in numbers.values())):
            program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]
    for call in calls.by_argument.values():
        test = _test(call)
        program += [(_IF_EQUAL, 0, len(test), call.number[place]), *test]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _test(call: ByArgument) -> list[Instruction]:
    """Reached by this call alone; always returns."""
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * call.argument)
    deny, allow = (_RETURN, 0, 0, _ERRNO | errno.EPERM), (_RETURN, 0, 0, _ALLOW)
    if call.needs is not None:
        return [load, (_IF_BIT, 0, 1, call.needs), allow, deny]
    if call.only is not None:
        return [load, (_IF_EQUAL, 0, 1, call.only), allow, deny]
    tests: list[Instruction] = []
    for value in call.never:
        tests += [(_IF_EQUAL, 0, 1, value), deny]
    return [load, *tests, allow]
