"""What a tool in tier D can reach if it is not what it was trusted to be: an interpreter behind the same walls."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.linters.confined_process import ConfinedProcess
from sandbox.linters.confinement import Trust, landlock_abi, rules
from sandbox.protocol import Limits, Outcome, SandboxUnavailable
from tests.sandbox.confined import hostile_run, hostile_trust, is_root, needs_landlock, run_hostile, temporary_folder

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    needs_landlock,
]
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers in the probes are those of x86_64")

TRY = """
import errno, os, socket
def attempt(what):
    try: what()
    except OSError as error: return errno.errorcode[error.errno]
    return "done"
"""


@pytest.fixture(scope="module", params=[False, True], ids=["same user", "own user"])
def trust(request: pytest.FixtureRequest) -> Iterator[Trust]:
    if request.param and not is_root():
        pytest.skip("only root can give a tool a user id of its own")
    with temporary_folder() as temporary, hostile_trust(temporary, own_user=request.param) as made:
        yield made


async def said(trust: Trust, program: str, limits: Limits | None = None, **more: object) -> dict[str, str]:
    result = await run_hostile(trust, f"{TRY}\nimport json\n{program}\nprint(json.dumps(seen))", limits, **more)
    assert result.ok, result.stderr
    found: dict[str, str] = json.loads(result.stdout)
    assert found
    return found


async def test_files_of_the_host_cannot_be_read(trust: Trust) -> None:
    program = f"""
files = ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/proc/self/environ", "/proc/{os.getpid()}/environ"]
files.append({__file__!r})
folders = ["/", "/etc", "/proc", "/root", "/home", "/tmp", "/var", "/usr/bin", "/dev", "/sys", ".."]
seen = {{file: attempt(lambda: open(file).read()) for file in files if os.path.lexists(file)}}
seen |= {{folder: attempt(lambda: os.listdir(folder)) for folder in folders if os.path.lexists(folder)}}
"""
    found = await said(trust, program)
    assert len(found) > 10
    assert set(found.values()) == {"EACCES"}


async def test_nothing_is_written_outside(trust: Trust, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("alive")
    canary.chmod(0o666)
    program = f"""
open("mine", "w").write("x")
places = ["..", "/tmp", "/usr/lib", "/dev/shm", "/var/tmp", {str(tmp_path)!r}]
seen = {{place: attempt(lambda: open(f"{{place}}/made", "w")) for place in places}}
canary = {str(canary)!r}
seen |= {{
    "open": attempt(lambda: open(canary, "r+")),
    "truncate": attempt(lambda: os.truncate(canary, 0)),
    "unlink": attempt(lambda: os.unlink(canary)),
    "move in": attempt(lambda: os.rename(canary, "stolen")),
    "move out": attempt(lambda: os.rename("mine", canary)),
    "link in": attempt(lambda: os.link(canary, "stolen")),
    "mode": attempt(lambda: os.chmod(canary, 0)),
    "owner": attempt(lambda: os.chown(canary, 0, 0)),
    "times": attempt(lambda: os.utime(canary)),
    "attributes": attempt(lambda: os.setxattr(canary, "user.x", b"x")),
}}
"""
    found = await said(trust, program)
    assert set(found.values()) <= {"EACCES", "EPERM", "EXDEV"}
    assert (canary.read_text(), canary.stat().st_mode & 0o777) == ("alive", 0o666)


async def test_the_workspace_takes_files_and_folders_alone(trust: Trust) -> None:
    program = """
open("tool", "w").write("#!/bin/sh")
os.mkdir("folder"); os.rename("tool", "folder/tool"); os.unlink("folder/tool"); os.rmdir("folder")
seen = {
    "link": attempt(lambda: os.symlink("/etc/passwd", "link")),
    "pipe": attempt(lambda: os.mkfifo("pipe")),
    "device": attempt(lambda: os.mknod("device", 0o020666, 0x103)),
    "program": attempt(lambda: os.execv("given", ["given"])),
}
"""
    found = await said(trust, program, files={"given": b"#!/bin/sh\n"}, executables=frozenset({"given"}))
    assert set(found.values()) <= {"EACCES", "EPERM"}


async def test_other_programs_cannot_be_executed(trust: Trust) -> None:
    found = (path for path in Path("/usr/lib").rglob("*.so*") if path.is_file() and os.access(path, os.X_OK))
    libraries = [str(path) for path in found if not path.name.startswith("ld")][:1]
    program = f'seen = {{p: attempt(lambda: os.execv(p, [p])) for p in ("/bin/sh", *{libraries!r})}}'
    assert set((await said(trust, program)).values()) == {"EACCES"}


async def test_what_exists_can_be_seen(trust: Trust) -> None:
    """Landlock leaves names, sizes and times of hidden files to see, which the documentation says."""
    assert await said(trust, 'seen = {"size": str(os.stat("/etc/passwd").st_size)}') == {
        "size": str(Path("/etc/passwd").stat().st_size)
    }


async def test_there_is_no_socket_of_any_kind(trust: Trust) -> None:
    program = """
families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_VSOCK)
kinds = [(family, kind) for family in families for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
seen = {str(kind): attempt(lambda: socket.socket(*kind)) for kind in kinds}
seen["pair"] = attempt(socket.socketpair)
"""
    assert set((await said(trust, program)).values()) == {"EPERM"}


async def test_other_processes_are_out_of_reach(trust: Trust) -> None:
    program = f"""
import resource, signal, threading
supervisor = {os.getpid()}
seen = {{
    "signal": attempt(lambda: os.kill(supervisor, 0)),
    "thread": attempt(lambda: signal.pthread_kill(threading.main_thread().ident, 0)),
    "group": attempt(lambda: os.killpg(0, 0)),
    "limits": attempt(lambda: resource.prlimit(supervisor, resource.RLIMIT_NOFILE)),
    "priority": attempt(lambda: os.setpriority(os.PRIO_PROCESS, supervisor, 19)),
    "processors": attempt(lambda: os.sched_setaffinity(supervisor, [0])),
    "handle": attempt(lambda: os.pidfd_open(supervisor)),
    "fork": attempt(os.fork),
    "session": attempt(os.setsid),
}}
"""
    found = await said(trust, program)
    assert found.pop("thread") == "done"  # its own, which is how a program aborts
    assert set(found.values()) == {"EPERM"}


async def test_threads_work_and_processes_do_not(trust: Trust) -> None:
    program = """
import subprocess, threading
thread = threading.Thread(target=lambda: print("a thread", flush=True)); thread.start(); thread.join()
try: subprocess.run([os.path.realpath("/proc/self/exe")])
except OSError: print("no process")
"""
    result = await run_hostile(trust, f"import os\n{program}")
    assert (result.stdout, result.stderr) == (b"a thread\nno process\n", b"")


@pytest.mark.parametrize("abi", [4, 5, 6])
async def test_older_landlock_holds_the_same(trust: Trust, abi: int) -> None:
    """What it does not know, the filter denies."""
    if abi > landlock_abi():
        pytest.skip(f"this kernel offers ABI {landlock_abi()}")
    program = f"""
seen = {{
    "read": attempt(lambda: open("/etc/passwd").read()),
    "write": attempt(lambda: open("/tmp/made", "w")),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", 9))),
    "signal": attempt(lambda: os.kill({os.getpid()}, 0)),
    "work": attempt(lambda: open("made", "w")),
}}
"""
    expected = {"read": "EACCES", "write": "EACCES", "connect": "EPERM", "signal": "EPERM", "work": "done"}
    assert await said(replace(trust, landlock_abi=abi), program) == expected


@on_x86_64
async def test_every_call_that_is_denied(trust: Trust) -> None:
    program = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def error(*words):
    ctypes.set_errno(0)
    libc.syscall(*[ctypes.c_long(word) for word in words])
    return ctypes.get_errno()
print(json.dumps([error(*words) for words in json.load(sys.stdin)]))
"""
    found = rules()
    expected: dict[tuple[int, ...], int]
    expected = {(number, 0, 0, 0, 0, 0, 0): errno.ENOSYS for number, _ in found.absent.values()}
    expected |= {(number, 0, 0, 0, 0, 0, 0): errno.EPERM for number, _ in found.denied.values() if number}
    supervisor = os.getpid()
    expected |= {
        (56, 17, 0, 0, 0, 0): errno.EPERM,  # a process
        (56, 0x10000000 | 17, 0, 0, 0, 0): errno.EPERM,  # with a user namespace
        (234, supervisor, supervisor, 0): errno.EPERM,
        (302, supervisor, 7, 0, 0): errno.EPERM,
        (157, 1, 0, 0, 0, 0): errno.EPERM,  # to outlive the supervisor
        (72, 0, 8, supervisor): errno.EPERM,  # signals by a descriptor
        (16, 0, 0x5412, 0): errno.EPERM,
        (found.newest + 1, 0): errno.ENOSYS,
        (0x40000000 | 39, 0): errno.ENOSYS,  # the other way to number calls
        (39, 0): 0,
    }
    result = await run_hostile(trust, program, stdin=json.dumps([*expected]).encode())
    assert result.ok, (result.outcome, result.signal, result.stderr)
    assert dict(zip(expected, json.loads(result.stdout), strict=True)) == expected


@pytest.mark.parametrize(
    ("program", "limits", "outcome"),
    [
        ("while True: pass", Limits(wall_seconds=1), "timeout"),
        ("while True: pass", Limits(cpu_seconds=0.5), "cpu_limit"),
        ("x = bytearray(1 << 28); import time; time.sleep(600)", Limits(memory_mib=96), "out_of_memory"),
        ("while True: print('x' * 4096)", Limits(output_bytes=65_536), "output_limit"),
        ("open('x', 'wb').write(bytes(9 << 20))", Limits(disk_mib=4), "disk_limit"),
        (
            "for n in range(99): open(str(n), 'wb').write(bytes(1 << 20))\nimport time; time.sleep(600)",
            Limits(disk_mib=16),
            "disk_limit",
        ),
        ("for n in range(99): open(str(n), 'w')\nimport time; time.sleep(600)", Limits(disk_files=32), "disk_limit"),
        ("import os; os.abort()", None, "signalled"),
        ("raise SystemExit(137)", None, "exited"),
    ],
)
async def test_every_limit_has_its_outcome(trust: Trust, program: str, limits: Limits | None, outcome: Outcome) -> None:
    result = await run_hostile(trust, program, limits)
    assert result.outcome == outcome, (result.facts, result.stderr)
    assert len(result.stdout) <= 65_536
    assert result.record is not None
    assert (result.record.outcome, result.record.tier) == (outcome, "D")


async def test_open_files_and_threads_are_limited(trust: Trust) -> None:
    program = """
import threading, time
seen = {"files": attempt(lambda: [open("/dev/null") for _ in range(99)])}
"""
    assert await said(trust, program, limits=Limits(open_files=20)) == {"files": "EMFILE"}
    if trust.first_uid is not None:
        threads = "for n in range(99): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
        result = await run_hostile(trust, f"import threading, time\n{threads}", Limits(processes=8))
        assert b"can't start new thread" in result.stderr


async def test_a_stop_kills_it(trust: Trust) -> None:
    heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    program = "import time; print('alive', flush=True); time.sleep(600)"
    run = hostile_run(trust, program, hear=lambda _: None if heard.done() else heard.set_result(None))
    running = asyncio.create_task(run.execute())
    await heard
    run.stop("cancelled")
    assert (await running).outcome == "cancelled"
    assert not [*trust.folders.path.iterdir()]


async def test_a_tool_that_is_not_held_is_not_started(trust: Trust, tmp_path: Path) -> None:
    """The proof before each run looks for itself: here the filter lets everything pass."""
    order = json.loads(hostile_run(trust, "print('started')")._text)
    order["filter"] = [(0x06, 0, 0, 0x7FFF0000)]
    folder = trust.folders.make(trust.owner(0) or (os.geteuid(), os.getegid()))
    process = ConfinedProcess(4096)
    try:
        await process.start(trust, json.dumps(order), trust.programs["hostile"], folder.descriptor)
        with pytest.raises(SandboxUnavailable, match="a socket can be had"):
            await process.wait_began()
        assert not process.stdout.total
    finally:
        await process.close()
        folder.remove()
