"""Warm jails: the same results as cold ones, one command each, and nothing left of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits, Result
from sandbox.spec import SandboxSpec, Tier
from tests.sandbox.sandboxes import groups_of, make_sandbox

session_loop = pytest.mark.asyncio(loop_scope="session")
SELF = """
import os, sys
m = sys.modules['__main__']
print(sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, os.getcwd(), sorted(os.environ.items()))
told = {k: str(v).split(' object at ')[0] for k, v in vars(m).items() if k not in ('__builtins__', '__loader__', 'm')}
print(told, type(m.__loader__))
print(os.getpid(), os.listdir('/proc/self/fd')[:3], repr(sys.stdin.read()), sys.stdout.line_buffering)
"""
PROGRAMS = {
    "hello": "print('hello')",
    "self": SELF,
    "exit": "import sys; sys.exit(7)",
    "exit text": "raise SystemExit('gone')",
    "error": "def f():\n    1 / 0\nf()",
    "syntax": "print('x'\nfor",
    "interrupt": "raise KeyboardInterrupt",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "atexit": "import atexit; atexit.register(print, 'bye'); 1 / 0",
    "thread": "import threading; threading.Timer(0.01, print, ('late',)).start(); 1 / 0",
    "main": "import __main__\nx = 1\nprint(__main__.x, __name__)",
    "std error": "import sys; sys.stderr.write('half'); print('out'); sys.stderr.flush()",
    "hard exit": "import os; os._exit(255)",
    "fds": "import os; print([fd for fd in range(3, 30) if os.path.exists(f'/proc/self/fd/{fd}')])",
}


async def wait_ready(sandbox: NsjailSandbox, count: int = 1) -> None:
    pool = sandbox._pool
    assert pool is not None
    async with asyncio.timeout(20):
        while sum(map(len, pool._ready.values())) < count:
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warm(tier: Tier) -> AsyncIterator[NsjailSandbox]:
    made = make_sandbox(tier, SandboxSpec(warm={"python": 1, "pytest": 1}))
    await made.check()
    yield made
    await made.close()
    assert groups_of(os.getpid()) == []


def told(result: Result) -> tuple[object, ...]:
    return result.outcome, result.exit_code, result.signal, result.stdout, result.stderr, dict(result.files)


async def both(cold: NsjailSandbox, warm: NsjailSandbox, command: Command) -> None:
    await wait_ready(warm, 2)
    expected, result = await cold.run(command), await warm.run(command)
    assert (expected.facts["warm"], result.facts["warm"]) == (False, True)
    assert told(result) == told(expected)
    assert result.environment_digest == expected.environment_digest


@session_loop
@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_behaves_as_in_a_cold_jail(sandbox: NsjailSandbox, warm: NsjailSandbox, name: str) -> None:
    program = PROGRAMS[name]
    files = {"main.py": program.encode(), "sub/main.py": program.encode()}
    ways = (("-c", program, "a"), ("main.py", "b"), ("-B", "sub/main.py"), ("-m", "main", "c"))
    for argv in ways if name in ("self", "error", "main") else ways[:1]:
        variables = {"A": "1=2\n3", "B": ""} if argv[0] == "-c" else {}
        await both(sandbox, warm, Command(("python", *argv), files=files, stdin=b"in", environment=variables))


@session_loop
async def test_tests_and_files_behave_as_in_a_cold_jail(sandbox: NsjailSandbox, warm: NsjailSandbox) -> None:
    files = {"test_a.py": b"import b\ndef test_a():\n    open('out', 'w').write('x')\n    assert b.x == 1\n"}
    files["b.py"] = b"x = 1\n"
    argv = ("python", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=/dev/null", "test_a.py")
    await wait_ready(warm, 2)
    variables = {"COLUMNS": "300", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # as for the tests of tasks
    command = Command(argv, "pytest", files=files, collect=("out",), environment=variables)
    expected, result = await sandbox.run(command), await warm.run(command)
    assert (result.facts["warm"], result.facts["imported_before"]) == (True, "pytest")
    assert (result.exit_code, result.files) == (expected.exit_code, expected.files) == (0, {"out": b"x"})
    await both(sandbox, warm, Command(("python", "-m", "no_such_module")))


@session_loop
async def test_limits_count_from_the_hand_over(warm: NsjailSandbox) -> None:
    await wait_ready(warm, 2)
    slow = Command(("python", "-c", "import time; time.sleep(60)"), limits=Limits(wall_seconds=0.3))
    result = await warm.run(slow)
    assert (result.facts["warm"], result.outcome) == (True, "timeout")
    await wait_ready(warm, 2)
    greedy = await warm.run(Command(("python", "-c", "x = bytearray(600 << 20)")))
    assert (greedy.facts["warm"], greedy.outcome) == (True, "out_of_memory")
    await wait_ready(warm, 2)
    loud = await warm.run(Command(("python", "-c", "while True: print('x' * 9999)")))
    assert (loud.facts["warm"], loud.outcome) == (True, "output_limit")


@session_loop
@pytest.mark.parametrize(
    "command",
    [
        Command(("python", "-c", "pass"), limits=Limits(memory_mib=64)),
        Command(("python", "-c", "pass"), environment={"PYTHONOPTIMIZE": "1"}),
        Command(("python", "-I", "-c", "pass")),
        Command(("sh", "-c", "true")),
    ],
)
async def test_what_does_not_fit_runs_cold(warm: NsjailSandbox, command: Command) -> None:
    await wait_ready(warm, 2)
    result = await warm.run(command)
    assert (result.facts["warm"], result.ok) == (False, True)


@session_loop
async def test_a_jail_serves_once_and_a_dead_one_is_replaced(warm: NsjailSandbox) -> None:
    await wait_ready(warm, 2)
    write = Command(("python", "-c", "import os; print(os.listdir()); open('/tmp/x', 'w'); open('x', 'w')"))
    for _ in range(3):
        await wait_ready(warm, 2)
        assert (await warm.run(write)).stdout == b"[]\n"
    await wait_ready(warm, 2)
    assert warm._pool is not None
    jail = warm._pool._ready["python"][0].standing.jail
    jail.kill()
    while Path(f"/proc/{jail.init_pid}/root").exists():  # dead, and the sandbox has not heard of it
        pass
    assert (await warm.run(write)).stdout == b"[]\n"
