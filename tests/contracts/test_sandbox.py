"""What every `Sandbox` must do, whatever is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.protocol import Command, InvalidCommand, Limits, Sandbox, SandboxError
from tests.sandbox.sandboxes import make_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPLEMENTATIONS: dict[str, Callable[[], Sandbox]] = {
    "nsjail": lambda: make_sandbox("A"),
    "nsjail without control groups": lambda: make_sandbox("B"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=IMPLEMENTATIONS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    made = IMPLEMENTATIONS[request.param]()
    await made.check()
    yield made
    await made.close()


def python(program: str) -> tuple[str, ...]:
    return ("python", "-c", program)


async def test_a_program_that_succeeds(sandbox: Sandbox) -> None:
    result = await sandbox.run(Command(python("import sys; print('out'); print('err', file=sys.stderr)")))
    assert result.ok
    assert (result.outcome, result.exit_code, result.signal) == ("exited", 0, None)
    assert (result.stdout, result.stderr, result.stdout_bytes, result.stderr_bytes) == (b"out\n", b"err\n", 4, 4)
    assert 0 < result.wall_seconds < 30
    assert 0 <= result.cpu_seconds < 30
    assert (result.files, result.rejected) == ({}, ())
    assert result.facts


async def test_a_program_that_fails_is_a_result(sandbox: Sandbox) -> None:
    result = await sandbox.run(Command(python("raise SystemExit(255)")))
    assert (result.ok, result.outcome, result.exit_code, result.signal) == (False, "exited", 255, None)


async def test_a_program_that_dies_of_a_signal(sandbox: Sandbox) -> None:
    result = await sandbox.run(Command(python("import os; os.abort()")))
    assert (result.ok, result.outcome, result.exit_code, result.signal) == (False, "signalled", None, 6)


@pytest.mark.parametrize(
    ("program", "limits", "outcome"),
    [
        ("while True: pass", Limits(wall_seconds=0.5), "timeout"),
        ("while True: pass", Limits(cpu_seconds=0.3), "cpu_limit"),
        ("x = bytearray(1 << 30); import time; time.sleep(60)", Limits(memory_mib=96), "out_of_memory"),
        ("print('x' * 5000)", Limits(output_bytes=1000), "output_limit"),
        ("open('x', 'wb').write(bytes(9 << 20))", Limits(disk_mib=4), "disk_limit"),
    ],
)
async def test_every_limit_has_its_outcome(sandbox: Sandbox, program: str, limits: Limits, outcome: str) -> None:
    result = await sandbox.run(Command(python(program), limits=limits))
    assert (result.ok, result.outcome) == (False, outcome)
    assert len(result.stdout) <= limits.output_bytes


async def test_tree_files_input_environment_and_what_comes_back(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "kept.txt").write_bytes(b"kept")
    (tmp_path / "main.py").write_bytes(b"raise SystemExit(1)")
    program = (
        b"import os, sys\n"
        b"open('package/made.txt', 'w').write(sys.stdin.read() + os.environ['WORD'])\n"
        b"open('other', 'w').close()\nos.symlink('other', 'package/link.txt')\n"
    )
    command = Command(
        ("python", "main.py"),
        tree=tmp_path,
        files={"main.py": program},
        collect=("package/*.txt",),
        stdin=b"in and ",
        environment={"WORD": "out"},
    )
    result = await sandbox.run(command)
    assert result.ok, result.stderr
    assert result.files == {"package/kept.txt": b"kept", "package/made.txt": b"in and out"}
    assert [rejection.path for rejection in result.rejected] == ["package/link.txt"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept.txt", "main.py", "package"]


async def test_runs_share_nothing(sandbox: Sandbox) -> None:
    program = "import os; print(os.listdir(), os.listdir('/tmp')); open('x', 'w'); open('/tmp/x', 'w')"
    first, second = [await sandbox.run(Command(python(program))) for _ in range(2)]
    assert first.stdout == second.stdout == b"[] []\n"


async def test_runs_at_the_same_time(sandbox: Sandbox) -> None:
    results = await asyncio.gather(*(sandbox.run(Command(python(f"print({n})"))) for n in range(6)))
    assert [result.stdout for result in results] == [f"{n}\n".encode() for n in range(6)]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(()), "argv needs a program"),
        (Command(("python", "")), "argv needs a program"),
        (Command(("python", "a\0b")), "argv needs a program"),
        (Command(("python", "x" * 200_000)), "longer than"),
        (Command(("python",), profile="perl"), "no sandbox profile 'perl'; known are python, pytest"),
        (Command(("python",), files={"../x": b""}), "file name"),
        (Command(("python",), collect=("/etc/*",)), "collect pattern"),
        (Command(("python",), environment={"PYTHONHASHSEED": "1"}), "fixed by profile"),
        (Command(("python",), environment={"LD_PRELOAD": "x.so"}), "fixed by profile"),
        (Command(("python",), environment={"a=b": "x"}), "no valid name"),
        (Command(("python",), limits=Limits(memory_mib=100_000)), "memory_mib=100000 .* at most 512"),
        (Command(("python",), limits=Limits(wall_seconds=0)), "wall_seconds=0 .* above 0"),
        (Command(("python",), limits=Limits(memory_mib=1)), "memory_mib=1 .* above 15"),
        (Command(("python",), tree=Path("/nonexistent")), "not a folder"),
    ],
)
async def test_commands_that_cannot_be(sandbox: Sandbox, command: Command, words: str) -> None:
    with pytest.raises(InvalidCommand, match=words):
        await sandbox.run(command)


async def test_the_digest_is_known_and_stable(sandbox: Sandbox) -> None:
    digest = sandbox.environment_digest("python")
    assert len(bytes.fromhex(digest)) == 32
    assert (await sandbox.run(Command(python("pass")))).environment_digest == digest
    with pytest.raises(InvalidCommand, match="known are"):
        sandbox.environment_digest("nothing")


async def test_a_cancelled_run_raises_and_the_next_one_works(sandbox: Sandbox) -> None:
    task = asyncio.create_task(sandbox.run(Command(python("import time; time.sleep(600)"))))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.3)
    assert (await sandbox.run(Command(python("pass")))).ok


@pytest.mark.parametrize("make", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
async def test_closing_twice(make: Callable[[], Sandbox]) -> None:
    sandbox = make()
    await sandbox.close()
    await sandbox.close()
    with pytest.raises(SandboxError):
        await sandbox.run(Command(python("pass")))
