"""Runs a command with what a pod's specification gives it, as a container runtime would: `box.py SPEC COMMAND...`.

SPEC is the JSON of a pod with one container. Honoured are: a user namespace of its own with the 65,536 ids that
Kubernetes maps, the user, the capabilities, no new privileges, a read-only root, whether /proc is masked, and the
chart's own system call filter. Security modules and the network are the node's and not here. Needs root; tests run it.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox import kernel

NEW_USER, NEW_IPC, NEW_UTS = 0x10000000, 0x08000000, 0x04000000
MS_PRIVATE = 1 << 18
MOUNT_SETATTR, AT_FDCWD, MOUNT_ATTR_RDONLY = 442, -100, 1
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, AUDIT_ARCH_X86_64 = 22, 2, 0xC000003E
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
CALL_NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")  # comes with the compiler
PROFILES = Path(__file__).parents[2] / "helm" / "files"
CAPABILITIES = {"DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_ADMIN": 21}
LAST_CAPABILITY = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
STAYS_WRITABLE = ("/proc", "/dev")


def libc(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}{arguments}: {os.strerror(ctypes.get_errno())}")


def enter_namespaces() -> None:
    """A child that stays outside maps the ids, since only the outer root may map so many."""
    parent = os.getpid()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(tell)
        os.read(ready, 1)
        for kind in ("uid", "gid"):
            Path(f"/proc/{parent}/{kind}_map").write_text("0 0 65536\n")
        os._exit(0)
    kernel.unshare(NEW_USER | kernel.CLONE_NEWNS | NEW_IPC | NEW_UTS)
    os.close(tell)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the user ids could not be mapped"


def make_reachable(folders: Sequence[Path]) -> None:
    """Show folders at their own places although they lie in homes that others may not enter: they are our image."""
    handles = [(folder, os.open(folder, os.O_PATH)) for folder in folders]
    covers = {cover for folder in folders if (cover := _closed_above(folder)) is not None}
    for cover in covers:
        kernel.mount("none", cover, "tmpfs", 0, "mode=755")
    for folder, handle in handles:
        if covers & {*folder.parents}:
            folder.mkdir(parents=True, exist_ok=True)
            kernel.mount(f"/proc/self/fd/{handle}", folder, "", kernel.MS_BIND | kernel.MS_REC)
        os.close(handle)


def _closed_above(folder: Path) -> Path | None:
    return next((above for above in reversed(folder.parents) if not above.stat().st_mode & 0o001), None)


def make_read_only(writable: Sequence[str]) -> None:
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in places:
        if not any(Path(place).is_relative_to(kept) for kept in writable):
            libc("syscall", MOUNT_SETATTR, AT_FDCWD, place.encode(), 0, attributes, ctypes.sizeof(attributes))


def become(user: int, capabilities: Sequence[str], *, may_gain: bool) -> None:
    kept = {CAPABILITIES[name] for name in capabilities}
    for number in range(LAST_CAPABILITY + 1):
        if number not in kept:
            libc("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    if not may_gain:
        libc("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def filter_calls(profile: Path) -> None:
    """As a runtime would: of a profile's forms only plain names that are refused, which is all that ours has."""
    declared = json.loads(profile.read_text())
    (rule,) = declared["syscalls"]
    assert (declared["defaultAction"], rule["action"]) == ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO")
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", CALL_NUMBERS.read_text()))
    load, equal, give = 0x20, 0x15, 0x06  # of the data a word; jump if equal; return
    lines = [(load, 0, 0, 4), (equal, 1, 0, AUDIT_ARCH_X86_64), (give, 0, 0, KILL_PROCESS), (load, 0, 0, 0)]
    for name in rule["names"]:
        lines += [(equal, 0, 1, int(numbers[name])), (give, 0, 0, ERRNO | rule["errnoRet"])]
    lines.append((give, 0, 0, ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    wrapped = struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(program))
    libc("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, wrapped, 0, 0)


def main(spec: dict[str, Any], command: list[str]) -> None:
    """Become what the specification says, and then the command."""
    (container,) = spec["containers"]
    context = container["securityContext"]
    assert (spec["hostUsers"], context["readOnlyRootFilesystem"]) == (False, True)
    assert context["capabilities"]["drop"] == ["ALL"]
    capabilities = context["capabilities"].get("add", [])
    enter_namespaces()
    kernel.mount("none", Path("/"), "", kernel.MS_REC | MS_PRIVATE)
    make_reachable([Path(folder).resolve() for folder in os.environ.pop("BOX_SHOWS").split(":")])
    if context["procMount"] == "Default":
        kernel.mount("/proc/sys", Path("/proc/sys"), "", kernel.MS_BIND)  # one of the places that runtimes cover
    groups = ("/sys/fs/cgroup",) if capabilities else ()  # what tier A asks of the node's runtime
    make_read_only((*STAYS_WRITABLE, *groups))
    user = spec["securityContext"]["runAsUser"]
    become(user, capabilities, may_gain=context["allowPrivilegeEscalation"])
    if spec["securityContext"]["seccompProfile"]["type"] == "Localhost":
        filter_calls(PROFILES / spec["securityContext"]["seccompProfile"]["localhostProfile"])
    os.execv(command[0], command)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
