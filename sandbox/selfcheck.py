"""A short set of hostile programs, to be run on the host that is to hold them.

Each either ends as it must or is a breach; tests/sandbox has many more. Called by the command line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sandbox.protocol import Command, Limits, Outcome, Result, Sandbox, SandboxUnavailable

_HELD = b"held\n"


@dataclass(frozen=True, slots=True)
class Check:
    """A program, what it tries, and how it must end; one that ends by itself must say that it was held."""

    tries: str
    program: str
    outcome: Outcome = "exited"
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check: `held`, or in `said` how it ended instead."""

    tries: str
    held: bool
    said: str


CHECKS = (
    Check(
        "reach the network",
        """
import socket
for family, kind, address in (
    (socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)),
    (socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53)),
    (socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)),
    (socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80)),
):
    with socket.socket(family, kind) as door:
        try: door.connect(address)
        except OSError: continue
        raise SystemExit(f"{address} was reached")
print("held")
""",
    ),
    Check(
        "see files of the host",
        """
import os
# Not /root and /home themselves: an interpreter that lies in one is shown at its own place.
places = "/etc/shadow /etc/ssh /etc/machine-id /root/.ssh /root/.bashrc /root/.profile /var/log /sys /run /boot"
places += " /dev/vda /dev/sda /dev/kmsg /proc/sys /proc/kcore /proc/meminfo"
seen = [place for place in places.split() if os.path.exists(place)]
print("held" if not seen else seen)
""",
    ),
    Check(
        "write outside the workspace",
        """
for place in ("/", "/usr", "/usr/bin", "/etc", "/dev", "/jail", "/site", "/proc/self"):
    try: open(f"{place}/x", "w")
    except OSError: continue
    raise SystemExit(f"{place} was written to")
print("held")
""",
    ),
    Check(
        "become root",
        """
import os
for way in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/work")):
    try: way()
    except OSError: continue
    raise SystemExit("a right was gained")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
rights = [name for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb") if int(status[name], 16)]
print("held" if not rights else rights)
""",
    ),
    Check(
        "make system calls for an escape",
        """
import ctypes
libc = ctypes.CDLL(None)
calls = {"mount": (165, b"none", b"/work", b"tmpfs", 0, 0), "unshare": (272, 0x10000000), "setns": (308, 0, 0),
    "ptrace": (101, 16, 1, 0, 0), "bpf": (321, 0, 0, 0), "keyctl": (250, 0, -3, 0), "io_uring_setup": (425, 1, 0),
    "userfaultfd": (323, 0), "perf_event_open": (298, 0, 0, -1, -1, 0), "clone3": (435, 0, 0)}
made = [name for name, words in calls.items() if libc.syscall(*words) != -1]
print("held" if not made else made)
""",
    ),
    Check(
        "find other processes",
        """
import os
others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1, os.getpid()}
print("held" if not others else others)
""",
    ),
    Check(
        "start processes without end",
        """
import os, time
for number in range(1000):
    try:
        if os.fork() == 0: time.sleep(60)
    except OSError:
        print("held", flush=True)
        break
else: print(number)
""",
        limits=Limits(processes=16),
    ),
    Check(
        "use memory without end", "data = bytearray(1 << 30)\nprint(len(data))", "out_of_memory", Limits(memory_mib=96)
    ),
    Check("fill the disk", "open('x', 'wb').write(bytes(9 << 20))", "disk_limit", Limits(disk_mib=4)),
    Check("write output without end", "while True: print('x' * 4096)", "output_limit", Limits(output_bytes=65_536)),
    Check("compute without end", "while True: pass", "cpu_limit", Limits(cpu_seconds=0.3)),
    Check("wait without end", "import time; time.sleep(600)", "timeout", Limits(wall_seconds=0.5)),
    Check("spoil it for the next job", "import os; print('held' if not os.listdir() + os.listdir('/tmp') else 'left')"),
)


async def self_check(sandbox: Sandbox) -> AsyncIterator[Finding]:
    """Run the checks one after the other. Raises `SandboxError` when the host, not a program, failed."""
    if (await sandbox.diagnose()).tier == "D":
        raise SandboxUnavailable(
            "In tier D no hostile program is run: there is no jail to hold it, only trusted linters run, and each run "
            "proves first that its rights are gone. `bailey sandbox doctor` says what a stricter tier takes."
        )
    for check in CHECKS:
        result = await sandbox.run(Command(("python", "-c", check.program), limits=check.limits))
        yield _finding(check, result)


def _finding(check: Check, result: Result) -> Finding:
    held = result.outcome == check.outcome and (check.outcome != "exited" or result.stdout == _HELD)
    if held:
        return Finding(check.tries, held=True, said=result.outcome)
    output = (result.stdout + result.stderr).decode(errors="replace").strip()[-200:]
    return Finding(check.tries, held=False, said=f"{result.outcome} instead of {check.outcome}: {output}")
