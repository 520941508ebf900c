"""Hostile programs that reach for the kernel, other processes and other users."""

from __future__ import annotations

import errno
import json

import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.spec import Tier
from tests.sandbox.sandboxes import run_python

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Each probe is a system call by its number on x86_64, with its arguments, and the error it must meet.
CALLS: dict[str, tuple[str, int]] = {
    "mount": ("165, b'none', b'/tmp', b'tmpfs', 0, None", errno.EPERM),
    "remount /usr writable": ("165, b'none', b'/usr', None, 32 | 4096, None", errno.EPERM),
    "umount2": ("166, b'/proc', 2", errno.EPERM),
    "pivot_root": ("155, b'/work', b'/work'", errno.EPERM),
    "chroot": ("161, b'/work'", errno.EPERM),
    "fsopen": ("430, b'tmpfs', 0", errno.EPERM),
    "open_tree": ("428, -100, b'/usr', 1", errno.EPERM),
    "mount_setattr": ("442, -100, b'/usr', 0, 0, 0", errno.EPERM),
    "name_to_handle_at": ("303, -100, b'/usr', 0, 0, 0", errno.EPERM),
    "open_by_handle_at": ("304, -100, 0, 0", errno.EPERM),
    "unshare a user namespace": ("272, 0x10000000", errno.EPERM),
    "unshare a mount namespace": ("272, 0x20000", errno.EPERM),
    "setns": ("308, 0, 0", errno.EPERM),
    "clone a user namespace": ("56, 0x10000000 | 17, 0, 0, 0, 0", errno.EPERM),
    "clone3": ("435, 0, 0", errno.ENOSYS),
    "ptrace attach to init": ("101, 16, 1, 0, 0", errno.EPERM),
    "ptrace traceme": ("101, 0, 0, 0, 0", errno.EPERM),
    "process_vm_readv": ("310, 1, 0, 0, 0, 0, 0", errno.EPERM),
    "pidfd_getfd": ("438, 0, 0, 0", errno.EPERM),
    "add_key": ("248, b'user', b'x', b'y', 1, -2", errno.EPERM),
    "request_key": ("249, b'user', b'x', 0, 0", errno.EPERM),
    "keyctl": ("250, 0, -3, 0", errno.EPERM),
    "bpf": ("321, 0, 0, 0", errno.EPERM),
    "perf_event_open": ("298, 0, 0, -1, -1, 0", errno.EPERM),
    "userfaultfd": ("323, 0", errno.EPERM),
    "io_uring_setup": ("425, 1, 0", errno.EPERM),
    "init_module": ("175, 0, 0, b''", errno.EPERM),
    "finit_module": ("313, 0, b'', 0", errno.EPERM),
    "kexec_load": ("246, 0, 0, 0, 0", errno.EPERM),
    "reboot": ("169, 0xfee1dead, 672274793, 0, 0", errno.EPERM),
    "swapon": ("167, b'/work/x', 0", errno.EPERM),
    "acct": ("163, b'/work/x'", errno.EPERM),
    "quotactl": ("179, 0, b'/work', 0, 0", errno.EPERM),
    "syslog": ("103, 3, 0, 0", errno.EPERM),
    "iopl": ("172, 3", errno.EPERM),
    "ioperm": ("173, 0, 1, 1", errno.EPERM),
    "modify_ldt": ("154, 0, 0, 0", errno.EPERM),
    "clock_settime": ("227, 0, 0", errno.EPERM),
    "settimeofday": ("164, 0, 0", errno.EPERM),
    "sethostname": ("170, b'x', 1", errno.EPERM),
    "a character device": ("133, b'/work/d', 0o020666, 0x103", errno.EPERM),
    "a block device": ("259, -100, b'/work/d', 0o060666, 0x103", errno.EPERM),
    "a vsock socket": ("41, 40, 1, 0", errno.EAFNOSUPPORT),
    "a netlink socket": ("41, 16, 3, 0", errno.EAFNOSUPPORT),
    "a packet socket": ("41, 17, 3, 0", errno.EAFNOSUPPORT),
    "a raw socket": ("41, 2, 3, 1", errno.EPERM),
    "typing into a terminal": ("16, 0, 0x5412, b'x'", errno.EPERM),
    "a lease": ("72, 0, 1024, 2", errno.EPERM),
    "notices of a folder": ("72, 0, 1026, 1", errno.EPERM),
    "a lease, by a longer number": ("72, 0, (1 << 32) + 1024, 2", errno.EPERM),
    "typing into a terminal, by a longer number": ("16, 0, (1 << 32) + 0x5412, b'x'", errno.EPERM),
    "a netlink socket, by a longer number": ("41, (1 << 32) + 16, 3, 0", errno.EAFNOSUPPORT),
    "a character device, by a longer number": ("133, b'/work/d', (1 << 32) + 0o020666, 0x103", errno.EPERM),
    "a claim by a longer number": ("62, 2, (1 << 32) + 31", errno.EPERM),
    "a claim by what a file sends": ("72, 0, (1 << 32) + 10, (1 << 32) + 31", errno.EPERM),
    "a claim by a parent's death": ("157, (1 << 32) + 1, 31", errno.EPERM),
    "a claim to be killed by the policy": ("62, 2, 31", errno.EPERM),
    "an x32 call": ("0x40000000 + 39", errno.ENOSYS),
    "a higher priority": ("141, 0, 0, -20", errno.EACCES),
    "real time": ("144, 0, 1, b'\\1\\0\\0\\0'", errno.EPERM),
    "becoming root": ("105, 0", errno.EINVAL),
    "a message queue": ("240, b'q', 0o102, 0o600, 0", errno.EMFILE),
}
PROBES = f"""
import ctypes, json
syscall = ctypes.CDLL(None, use_errno=True).syscall
answers = {{}}
for name, arguments in {json.dumps({name: call for name, (call, _) in CALLS.items()})}.items():
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in eval(f"({{arguments}},)")]
    answers[name] = 0 if syscall(*words) >= 0 else ctypes.get_errno()
print(json.dumps(answers))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answers(sandbox: NsjailSandbox) -> dict[str, int]:
    result = await run_python(sandbox, PROBES)
    assert result.ok, result
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_that_no_job_may_make(answers: dict[str, int], call: str) -> None:
    assert errno.errorcode.get(answers[call]) == errno.errorcode[CALLS[call][1]]


async def test_no_capability_and_no_way_to_get_one(sandbox: NsjailSandbox, aftermath: None) -> None:
    program = (
        "print(*(line for line in open('/proc/self/status') if line.startswith(('Cap', 'NoNew', 'Seccomp:'))), sep='')"
    )
    status = dict(
        line.split(":\t") for line in (await run_python(sandbox, program)).stdout.decode().split("\n") if line
    )
    assert {int(value, 16) for name, value in status.items() if name.startswith("Cap")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_every_mount_is_harmless(sandbox: NsjailSandbox, aftermath: None) -> None:
    result = await run_python(sandbox, "print(open('/proc/self/mountinfo').read())")
    lines = [line.split() for line in result.stdout.decode().splitlines() if line]
    mounts = {fields[4]: set(fields[5].split(",")) for fields in lines}
    devices = {f"/dev/{name}" for name in ("null", "zero", "random", "urandom")}
    assert {place for place, options in mounts.items() if "rw" in options} - devices == {"/work", "/tmp", "/dev/shm"}
    assert [place for place, options in mounts.items() if "nosuid" not in options and place != "/"] == []
    assert {place for place, options in mounts.items() if "nodev" not in options} - devices == {"/"}
    assert [place for place in mounts if place.startswith(("/work/", "/tmp/", "/dev/shm/"))] == []


@pytest.mark.parametrize("signal", [9, 15, 1])
async def test_killing_everyone_only_hits_the_jail(sandbox: NsjailSandbox, aftermath: None, signal: int) -> None:
    program = f"""
import contextlib, os, time
for target in (1, -1):
    with contextlib.suppress(ProcessLookupError): os.kill(target, {signal})
time.sleep(0.1)
"""
    result = await run_python(sandbox, program)
    assert result.ok or (result.outcome, result.signal) == ("signalled", signal)


async def test_nothing_in_proc_is_writable(sandbox: NsjailSandbox, aftermath: None) -> None:
    program = """
for file in ("self/oom_score_adj", "self/uid_map", "1/mem", "self/setgroups"):
    try: open(f"/proc/{file}", "r+b")
    except OSError as error: print(error.errno)
"""
    assert (await run_python(sandbox, program)).stdout == f"{errno.EROFS}\n".encode() * 4


async def test_a_foreign_system_call_kills(sandbox: NsjailSandbox, aftermath: None) -> None:
    program = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))  # 32-bit getpid
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""
    result = await run_python(sandbox, program)
    assert (result.outcome, result.signal) == ("policy_violation", 31)


async def test_a_program_from_memory(sandbox: NsjailSandbox, tier: Tier, aftermath: None) -> None:
    program = """
import os
file = os.memfd_create("program", 0)
os.write(file, open("/bin/true", "rb").read())
os.execve(f"/proc/self/fd/{file}", ["true"], {})
"""
    result = await run_python(sandbox, program)
    # Where memory is counted it may exist; that it may also be executed is no boundary here.
    assert result.ok if tier == "A" else b"Function not implemented" in result.stderr


async def test_a_crash_leaves_no_core(sandbox: NsjailSandbox, aftermath: None) -> None:
    result = await run_python(sandbox, "import ctypes; ctypes.string_at(0)", collect=("**",))
    assert (result.outcome, result.signal, result.files) == ("signalled", 11, {})


async def test_limits_cannot_be_raised(sandbox: NsjailSandbox, aftermath: None) -> None:
    program = """
import resource
for kind in ("NOFILE", "NPROC", "AS", "CPU", "CORE"):
    try: resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (1 << 40, 1 << 40))
    except ValueError: print("denied")
"""
    assert (await run_python(sandbox, program)).stdout == b"denied\n" * 5
