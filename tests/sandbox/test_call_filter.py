"""The filter of tier D, instruction by instruction on both architectures, and the numbers against the kernel's own."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from sandbox.linters.call_filter import MACHINES, Instruction, assemble
from sandbox.linters.confinement import rules

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = "allow", "kill"
OWN, OTHER = 4711, 1
HEADERS = {
    "x86_64": [*Path("/usr/include").glob("*/asm/unistd_64.h")],
    "aarch64": [*Path("/usr/include").glob("asm-generic/unistd.h")],
}


def decide(program: list[Instruction], machine: str, number: int, *arguments: int) -> str:
    """What the kernel would do; errors by their names."""
    words = {0: number, 4: ARCHITECTURES[machine], **{16 + 8 * n: value for n, value in enumerate(arguments)}}
    loaded, place = 0, 0
    while True:
        code, yes, no, constant = program[place]
        k = OWN if constant == "own" else int(constant)
        place += 1
        if code == 0x20:
            loaded = words.get(k, 0)
        elif code == 0x06:
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(k) or errno.errorcode[k & 0xFFFF]
        else:
            place += yes if {0x15: loaded == k, 0x25: loaded > k, 0x45: bool(loaded & k)}[code] else no


@pytest.mark.parametrize("machine", MACHINES)
def test_each_call_meets_its_rule(machine: str) -> None:
    found, place = rules(), MACHINES.index(machine)
    program = assemble(found, machine)
    absent, denied = ({each[place] for each in calls.values()} - {0} for calls in (found.absent, found.denied))
    special = {call.number[place] for call in found.by_argument.values()}
    for number in range(found.newest + 1):
        expected = "ENOSYS" if number in absent else "EPERM" if number in denied else ALLOW
        if number not in special and (number or machine == "x86_64"):
            assert decide(program, machine, number) == expected, number
    assert decide(program, machine, found.newest + 1) == "ENOSYS"
    assert decide(program, machine, 0x40000000) == "ENOSYS"
    other = next(name for name in MACHINES if name != machine)
    assert decide(program, other, 0) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("clone", (0x3D0F00,), ALLOW),  # a thread, by glibc
        ("clone", (0x01200011,), "EPERM"),  # a process
        ("clone", (0x10000011,), "EPERM"),  # a process in a user namespace
        ("tgkill", (OWN, OWN, 6), ALLOW),
        ("tgkill", (OTHER, OTHER, 9), "EPERM"),
        ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (OTHER, 7), "EPERM"),
        ("prctl", (15,), ALLOW),
        ("prctl", (1, 0), "EPERM"),
        ("fcntl", (0, 3), ALLOW),
        ("fcntl", (0, 8), "EPERM"),
        ("fcntl", (0, 10), "EPERM"),
        ("fcntl", (0, 15), "EPERM"),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), "EPERM"),
        ("ioctl", (0, 0x541C), "EPERM"),
    ],
)
def test_where_an_argument_decides(machine: str, call: str, arguments: tuple[int, ...], expected: str) -> None:
    number = rules().by_argument[call].number[MACHINES.index(machine)]
    assert decide(assemble(rules(), machine), machine, number, *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine]:
        pytest.skip("the kernel's headers are not here")
    header = HEADERS[machine][0].read_text()
    known = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header)}
    found, place = rules(), MACHINES.index(machine)
    ours = {**found.absent, **found.denied, **{name: call.number for name, call in found.by_argument.items()}}
    newer = {name for name in ours if name not in known}
    assert newer <= {name for name, numbers in ours.items() if not numbers[place] or numbers[place] >= 450}
    assert {name: numbers[place] for name, numbers in ours.items() if name in known and numbers[place]} == {
        name: known[name] for name, numbers in ours.items() if name in known and numbers[place]
    }
    assert len(ours) - len(newer) > 80
