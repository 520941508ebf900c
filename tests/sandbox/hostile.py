"""Hostile programs and duels between two jobs, with the verdict each must get, as data.

`test_hostile.py` runs them in tiers A and B, and in tier C.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sandbox.protocol import Limits, Outcome, Sandbox
from tests.sandbox.sandboxes import run_python


@dataclass(frozen=True, slots=True)
class Program:
    """A program text and what must come of it; `stdout` None leaves the output open."""

    text: str
    outcome: Outcome = "exited"
    exit_code: int | None = 0
    stdout: bytes | None = None
    signal: int | None = None
    limits: Limits | None = None
    profile: str = "python"
    collect: tuple[str, ...] = ()


SPIN = "while True: pass"
BACKTRACK = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"
ATTEMPT = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for call in {calls}:
    print(errno.errorcode[ctypes.get_errno()] if libc.syscall(*call) < 0 else "done")
"""
PROGRAMS = {
    "spin": Program(SPIN, "timeout", None, signal=9, limits=Limits(wall_seconds=0.3)),
    "sleep": Program("import time; time.sleep(100)", "timeout", None, signal=9, limits=Limits(wall_seconds=0.3)),
    "backtrack": Program(BACKTRACK, "timeout", None, signal=9, limits=Limits(wall_seconds=0.3), profile="lint"),
    "fork": Program(
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
        *("timeout", None),
        signal=9,
        limits=Limits(wall_seconds=0.3, processes=24),
    ),
    "memory": Program(
        "import time; block = bytearray(1 << 30); time.sleep(60)",
        *("out_of_memory", None),
        signal=9,
        limits=Limits(memory_mib=96),
    ),
    "disk": Program("open('x', 'wb').write(bytes(20 << 20))", "disk_limit", 1, stdout=b"", limits=Limits(disk_mib=8)),
    "a gibibyte of output": Program(
        "import os\nfor _ in range(1 << 14): os.write(1, bytes(1 << 16))",
        *("output_limit", None),
        signal=9,
        limits=Limits(output_bytes=100_000),
    ),
    "nsjail's own exit code": Program("import os; os._exit(255)", exit_code=255),
    "an image that crashes": Program(
        "import ctypes; block = bytearray(1 << 26); ctypes.string_at(0)",
        *("signalled", None),
        signal=11,
        stdout=b"",
        collect=("**",),
    ),
    "su": Program(
        "import os, subprocess\n"
        "try: code = subprocess.run(['su', '-c', 'id'], capture_output=True).returncode\n"
        "except OSError: code = 1\n"
        "print(code != 0, 0 in os.getresuid())",
        stdout=b"True False\n",
    ),
    "calls of root": Program(
        ATTEMPT.format(calls="((165, b'x', b'/tmp', b'tmpfs', 0, None), (272, 0x10000000), (161, b'/'), (250, 0, -3))"),
        stdout=b"EPERM\n" * 4,
    ),
    "a read-only input": Program(
        "import os\nfor place in (os.__file__, '/usr/bin/env'):\n"
        " try: open(place, 'r+b')\n except OSError as error: print(error.errno in (13, 30))",
        stdout=b"True\nTrue\n",
    ),
}
# A leaves or attempts something, B looks for it or is its aim; both run at once, and again with the seats changed.
# What either prints must be what stands here. A job waits, so that both are there together.
TOGETHER = "import time; time.sleep(0.25)\n"
DUELS: dict[str, tuple[str, bytes]] = {
    "keyring": (
        ATTEMPT.format(calls="((248, b'user', b'k', b's', 1, -4), (249, b'user', b'k', 0))"),
        b"EPERM\n" * 2,
    ),
    "files": (
        "import os, sys, time\nmine = sys.argv[1]\n"
        "for place in ('/dev/shm', '/tmp', '/work'): open(f'{place}/{mine}', 'w').close()\n"
        f"{TOGETHER}print([os.listdir(place) for place in ('/dev/shm', '/tmp', '/work')] == [[mine]] * 3)",
        b"True\n",
    ),
    "SysV shared memory": (
        "import ctypes, sys\nlibc = ctypes.CDLL(None)\nmine, other = (4711, 4712)[:: 1 if sys.argv[1] == 'a' else -1]\n"
        f"libc.shmget(mine, 4096, 0o1666)\n{TOGETHER}print(libc.shmget(other, 4096, 0))",
        b"-1\n",
    ),
    "signals and guessed numbers": (
        "import os, time\ntime.sleep(0.1)\nhit = 0\nfor pid in range(3, 33_000):\n"
        " try: os.kill(pid, 9); hit += 1\n except ProcessLookupError: pass\n"
        f"{TOGETHER}print(hit, sorted(name for name in os.listdir('/proc') if name.isdigit()))",
        b"0 ['1', '2']\n",
    ),
    "ptrace": (ATTEMPT.format(calls="[(101, 16, pid, 0, 0) for pid in (1, 2, 3)]") + TOGETHER, b"EPERM\n" * 3),
    "abstract sockets": (
        "import socket, sys\nname, other = ('\\0a', '\\0b')[:: 1 if sys.argv[1] == 'a' else -1]\n"
        f"s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen()\n{TOGETHER}"
        "try: socket.socket(socket.AF_UNIX).connect(other); print('reached')\nexcept OSError: print('alone')",
        b"alone\n",
    ),
    "file locks": (
        "import fcntl, os, sys\nheld = []\n"
        "for place in ('/work/x', '/tmp/x', '/dev/shm/x'):\n"
        " held.append(open(place, 'w')); fcntl.flock(held[-1], 6); fcntl.lockf(held[-1], 6)\n"
        "shared = open(os.__file__)\nfor kind in (0, 1):\n"
        " try: fcntl.fcntl(shared, fcntl.F_SETLEASE, kind)\n except PermissionError: print('no lease')\n"
        f"{TOGETHER}print(len(held))",
        b"no lease\nno lease\n3\n",
    ),
    "personality": (
        "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.personality(0xffffffff) & 0x400000)\n"
        f"libc.personality(0x400000)\n{TOGETHER}",
        b"0\n",
    ),
}


async def demand_verdict(sandbox: Sandbox, name: str) -> None:
    """Run a program of the list and hold its verdict against what must come of it."""
    program = PROGRAMS[name]
    result = await run_python(
        sandbox, program.text, limits=program.limits, profile=program.profile, collect=program.collect
    )
    found = (result.outcome, result.exit_code, result.signal)
    assert found == (program.outcome, program.exit_code, program.signal), (name, result)
    assert program.stdout in (None, result.stdout), (name, result)
    assert result.files == {}


async def demand_stalemate(sandbox: Sandbox, name: str) -> None:
    """Two jobs attack each other at the same time and neither meets the other."""
    text, stdout = DUELS[name]
    commands = [run_python(sandbox, f"import sys; sys.argv = ['-c', {seat!r}]\n{text}") for seat in "ab"]
    for result in await asyncio.gather(*commands):
        assert (result.ok, result.stdout) == (True, stdout), (name, result)


async def demand_all(sandbox: Sandbox) -> None:
    """Everything of this file, one after the other in the given sandbox."""
    for name in PROGRAMS:
        await demand_verdict(sandbox, name)
    await asyncio.gather(*(demand_stalemate(sandbox, name) for name in DUELS))
