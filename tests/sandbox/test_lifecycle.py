"""What outlives a run and what must not: slots, cancellation, closing, a killed supervisor, proof and digest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.jails.jail import Jail
from sandbox.launcher import Launcher
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, SandboxError, SandboxOverloaded, SandboxUnavailable
from sandbox.spec import SandboxSpec, Tier
from sandbox.streams import Feed
from tests.sandbox.sandboxes import groups_of, make_sandbox, run_python

session_loop = pytest.mark.asyncio(loop_scope="session")
ROOT = Path(__file__).parents[2]
FOREVER = "import time; time.sleep(600)"


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie, of which an ordinary user may ask no more than this."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(condition: Callable[[], object]) -> None:
    """Wait for something in the process table; it announces itself to nobody."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def programs() -> list[int]:
    """The programs that have started in jails below this process."""
    found = []
    for pid in processes.tree(os.getpid()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"python\0-c\0"):
                found.append(pid)
    return found


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_eight_at_once_do_not_mix(tier: Tier) -> None:
    sandbox = make_sandbox(tier, SandboxSpec(slots=8))
    program = """
import os, sys, time
assert os.listdir() == ["number"]
number = open("number").read()
assert number == sys.argv[1] == sys.stdin.read() == os.environ["NUMBER"]
for place in ("/tmp", "/dev/shm"):
    assert os.listdir(place) == []
    open(f"{place}/{number}", "w").close()
open("answer", "w").write(number * 1000)
time.sleep(0.2)
print(number)
"""

    async def one(number: str) -> None:
        result = await sandbox.run(
            Command(
                ("python", "-c", program, number),
                files={"number": number.encode()},
                stdin=number.encode(),
                environment={"NUMBER": number},
                collect=("answer",),
            )
        )
        assert (result.ok, result.stdout) == (True, f"{number}\n".encode()), result.stderr
        assert result.files == {"answer": number.encode() * 1000}

    await asyncio.gather(*(one(str(number)) for number in range(8)))
    await sandbox.close()


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_cancelling_kills_the_tree(sandbox: NsjailSandbox) -> None:
    program = "import os, time\nfor _ in range(3): os.fork()\ntime.sleep(600)"
    others = set(processes.children(os.getpid()))
    task = asyncio.create_task(run_python(sandbox, program))
    await until(lambda: len(programs()) == 8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(processes.children(os.getpid())) <= others


@session_loop
@pytest.mark.usefixtures("aftermath")
@pytest.mark.parametrize("pauses", [0, 3, 20])
async def test_cancelling_at_any_moment(sandbox: NsjailSandbox, pauses: int) -> None:
    task = asyncio.create_task(run_python(sandbox, FOREVER))
    for _ in range(pauses):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


LEAVES_A_CHILD = ("/bin/sh", "-c", "exec 9<&0; (read -r _ <&9; exit) & echo $! >&2; exit 1")


async def test_who_is_left_at_the_gate_by_an_nsjail_that_was_killed_is_ended() -> None:
    """A stand-in for one that died between making its child and binding the child's life to its own."""
    launcher = Launcher({}, private_view=False)
    jail = Jail(LEAVES_A_CHILD, output_bytes=100)
    try:
        async with asyncio.timeout(20):
            await jail.start(launcher, "", ("true",))
            with pytest.raises(SandboxUnavailable, match="could not set up a jail"):
                await jail.wait_ready()
            left = int(jail.report.head)
            await until(lambda: not lives(left))
    finally:
        await jail.close()
        launcher.close()


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_closing_ends_what_runs(tier: Tier) -> None:
    sandbox = make_sandbox(tier)
    await sandbox.check()
    task = asyncio.create_task(run_python(sandbox, FOREVER))
    await until(programs)
    await sandbox.close()
    assert (await task).outcome == "cancelled"
    await sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        await run_python(sandbox, "pass")


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_waiting_for_a_slot_has_an_end(tier: Tier) -> None:
    sandbox = make_sandbox(tier, SandboxSpec(slots=1, wait_timeout_seconds=0.2))
    await sandbox.check()
    task = asyncio.create_task(run_python(sandbox, FOREVER))
    await until(programs)
    with pytest.raises(SandboxOverloaded, match="slots were busy") as overloaded:
        await run_python(sandbox, "pass")
    assert overloaded.value.retryable
    task.cancel()
    await asyncio.wait((task,))
    assert (await run_python(sandbox, "pass")).ok
    await sandbox.close()


SUPERVISOR = """
import asyncio, sys
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import make_sandbox, run_python

async def main():
    sandbox = make_sandbox(sys.argv[1], SandboxSpec(warm={"python": 1}))
    await sandbox.check()
    print("ready", flush=True)
    wild = "import os\\nwhile True:\\n try: os.fork()\\n except OSError: pass"
    await asyncio.gather(*(run_python(sandbox, job) for job in ("import time; time.sleep(600)", "input()", wild)))

asyncio.run(main())
"""


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_a_killed_supervisor_leaves_nothing(tier: Tier) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, tier, cwd=ROOT, stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    await supervisor.stdout.readline()
    await until(lambda: len(programs()) >= 10)  # the one that forks has begun to
    jailed = []
    for pid in programs():
        with contextlib.suppress(ProcessLookupError):  # one of those that fork met a limit meanwhile
            jailed.append(os.pidfd_open(pid))
    supervisor.kill()
    await supervisor.wait()
    assert len(jailed) > 1
    for pidfd in jailed:
        assert select.select([pidfd], [], [], 20)[0], "a program outlived its supervisor"
        os.close(pidfd)
    if tier == "A":
        stale = groups_of(supervisor.pid)
        assert stale
        sandbox = make_sandbox("A")
        await sandbox.check()
        await sandbox.close()
        assert not any(folder.exists() for folder in stale)


@pytest.mark.parametrize("content", [b"", b"x", bytes(1 << 20)])
@pytest.mark.parametrize("reader_goes_first", [False, True])
async def test_input_that_is_closed_in_the_moment_it_ends(content: bytes, reader_goes_first: bool) -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    reading, writing = os.pipe()
    feed = Feed()
    await feed.attach(writing)
    if reader_goes_first:
        os.close(reading)
        await asyncio.sleep(0)
    feed.send(content)
    for _ in "ab":
        feed.close()
    while Path(f"/proc/self/fd/{writing}").exists():
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert said == []
    if not reader_goes_first:
        os.close(reading)


@session_loop
async def test_programs_start_with_a_keyring_of_their_own() -> None:
    ask = "import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))"  # the serial number of the session keyring
    launcher = Launcher({}, private_view=False)
    reading, writing = os.pipe()
    pid = await launcher.spawn((sys.executable, "-c", ask), (reading, writing))
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        own = subprocess.run((sys.executable, "-c", ask), check=True, capture_output=True, text=True)
        assert answer.read() != own.stdout
    launcher.close()


@session_loop
async def test_a_pytest_run(sandbox: NsjailSandbox) -> None:
    tests = b"""
from package import double

def test_good(tmp_path):
    (tmp_path / "x").touch()
    assert double(2) == 4

def test_bad():
    assert double(2) == 5
"""
    files = {"package/__init__.py": b"def double(x): return 2 * x\n", "tests/test_package.py": tests}
    argv = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=report.xml", "tests")
    result = await sandbox.run(Command(argv, profile="pytest", files=files, collect=("report.xml",)))
    assert (result.outcome, result.exit_code) == ("exited", 1), result.stderr
    assert b"1 failed, 1 passed" in result.stdout
    assert b'tests="2"' in result.files["report.xml"]
    again = await sandbox.run(Command((*argv, "-k", "good"), profile="pytest", files=files))
    assert again.ok
