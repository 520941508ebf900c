"""Hostile programs that lie about how they ended, and what a verdict is made of."""

from __future__ import annotations

import hashlib

import pytest

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, InvalidCommand, Limits, Outcome
from sandbox.verdict import Ending, Observation, judge, read_ending
from tests.sandbox.sandboxes import run_python

session_loop = pytest.mark.asyncio(loop_scope="session")
hostile = pytest.mark.usefixtures("aftermath")


@session_loop
@hostile
@pytest.mark.parametrize("code", [1, 137, 159, 255])
async def test_every_exit_code_is_only_an_exit_code(sandbox: NsjailSandbox, code: int) -> None:
    result = await run_python(sandbox, f"import os; os._exit({code})")
    assert (result.outcome, result.exit_code, result.signal) == ("exited", code, None)


@session_loop
@hostile
@pytest.mark.parametrize("number", [2, 6, 9, 34])
async def test_every_signal_is_a_signal(sandbox: NsjailSandbox, number: int) -> None:
    program = f"""
import contextlib, os, signal
with contextlib.suppress(OSError): signal.signal({number}, signal.SIG_DFL)
os.kill(os.getpid(), {number})
"""
    result = await run_python(sandbox, program)
    assert (result.outcome, result.exit_code, result.signal) == ("signalled", None, number)


@session_loop
@hostile
async def test_forged_reports(sandbox: NsjailSandbox) -> None:
    program = """
import contextlib, os, time
LINES = b'''
[I][2026-01-01T00:00:00+0000] pid=2 ([STANDALONE MODE]) terminated with signal: SIGSYS (31), (PIDs left: 0)
[dumb-init] A child with PID 2 was terminated by signal 31.
[W][2026-01-01T00:00:00+0000] nsjail could not set up anything
[I] pid=2 run time >= time limit (1 >= 1). Killing it
absent
'''
os.write(2, LINES)
with contextlib.suppress(PermissionError):  # the pipes belong to root where root supervises
    for _ in range(2):
        open("/proc/1/fd/2", "wb", 0).write(LINES)
        time.sleep(0.05)
os._exit(3)
"""
    result = await run_python(sandbox, program)
    assert (result.outcome, result.exit_code, result.signal) == ("exited", 3, None)


@session_loop
@hostile
async def test_a_flood_into_the_report(sandbox: NsjailSandbox) -> None:
    program = """
import contextlib, os
with contextlib.suppress(PermissionError), open("/proc/1/fd/2", "wb", 0) as report:
    for _ in range(500): report.write(b"x" * 65536)
os._exit(200)
"""
    result = await run_python(sandbox, program)
    assert (result.outcome, result.exit_code) == ("exited", 200)


ENDS_EARLY = b"import os\nos._exit(0)\n"
FORGES = b"""
import os
open("report.xml", "w").write('<testsuites><testsuite tests="1" failures="0"/></testsuites>')
print("1 passed")
os._exit(0)
"""


@session_loop
@hostile
@pytest.mark.parametrize(("conftest", "reported"), [(ENDS_EARLY, False), (FORGES, True)], ids=["ends early", "forges"])
async def test_a_conftest_that_lies(sandbox: NsjailSandbox, conftest: bytes, reported: bool) -> None:
    """It can say anything in the name of its tests, so that who trusts them must choose it; the record tells which."""
    files = {"conftest.py": conftest, "test_x.py": b"def test_x():\n    assert False\n"}
    argv = ("python", "-B", "-m", "pytest", "-q", "--junit-xml=report.xml", "test_x.py")
    result = await sandbox.run(Command(argv, profile="pytest", files=files, collect=("report.xml",)))
    assert (result.ok, "report.xml" in result.files) == (True, reported)
    assert result.record is not None
    inputs = {each.path: each.sha256 for each in result.record.inputs}
    assert inputs == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


@session_loop
@hostile
async def test_only_declared_variables_are_there(sandbox: NsjailSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    result = await run_python(
        sandbox, "import os; print(sorted(os.environ))", environment={"MINE": 'a "quoted\\" wörd\n'}
    )
    names = "HOME LANG MINE MKL_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH PWD PYTHONDONTWRITEBYTECODE"
    more = "PYTHONHASHSEED PYTHONNOUSERSITE PYTHONPATH SOURCE_DATE_EPOCH TZ"
    assert result.stdout.decode() == f"{sorted((names + ' ' + more).split())}\n"
    echo = await run_python(
        sandbox, "import os; print(os.environ['MINE'])", environment={"MINE": 'a "quoted\\" wörd\n'}
    )
    assert echo.stdout.decode() == 'a "quoted\\" wörd\n\n'


@session_loop
@hostile
async def test_no_descriptor_but_the_three(sandbox: NsjailSandbox) -> None:
    program = "import os; print([fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')])"
    assert (await run_python(sandbox, program)).stdout == b"['0', '1', '2']\n"


@session_loop
@hostile
async def test_input_arrives_whole_and_first_line_first(sandbox: NsjailSandbox) -> None:
    content = b"\nfirst\n" + bytes(range(256)) * 4000
    program = "import sys; data = sys.stdin.buffer.read(); print(len(data), data[:7])"
    result = await run_python(sandbox, program, stdin=content)
    assert result.stdout == f"{len(content)} {content[:7]!r}\n".encode()


@session_loop
@hostile
async def test_a_program_that_does_not_exist(sandbox: NsjailSandbox) -> None:
    with pytest.raises(InvalidCommand, match="no program 'nothing-like-this' in the sandbox profile 'python'"):
        await sandbox.run(Command(("nothing-like-this",)))


@session_loop
@hostile
async def test_a_file_that_is_no_program(sandbox: NsjailSandbox) -> None:
    result = await sandbox.run(Command(("./data",), files={"data": b"\x7fELF nonsense"}))
    assert not result.ok


LOG = b"[I][2026-01-01T00:00:00+0000] Executing '/jail/init' for '[STANDALONE MODE]'\n"


@pytest.mark.parametrize(
    ("log", "report", "ending"),
    [
        (b"pid=7 ([STANDALONE MODE]) exited with status: 0, (PIDs left: 0)\n", b"", Ending(0, None, False)),
        (b"pid=7 ([STANDALONE MODE]) exited with status: 137, (PIDs left: 0)\n", b"", Ending(137, None, False)),
        (
            b"pid=7 ([STANDALONE MODE]) exited with status: 137, (PIDs left: 0)\n",
            b"[dumb-init] A child with PID 2 was terminated by signal 9.\n",
            Ending(None, 9, False),
        ),
        (
            b"pid=7 ([STANDALONE MODE]) exited with status: 137, (PIDs left: 0)\n",
            b"[dumb-init] A child with PID 2 was terminated by signal 6.\n",
            Ending(137, None, False),
        ),
        (
            b"pid=7 ([STANDALONE MODE]) terminated with signal: SIGKILL (9), (PIDs left: 0)\n",
            b"",
            Ending(None, 9, True),
        ),
        (b"", b"", Ending(None, 9, True)),
    ],
)
def test_reading_the_end(log: bytes, report: bytes, ending: Ending) -> None:
    assert read_ending(LOG + log, report) == ending


CLEAN, FAILED, KILLED = Ending(0, None, False), Ending(1, None, False), Ending(None, 9, True)


@pytest.mark.parametrize(
    ("ending", "facts", "outcome"),
    [
        (CLEAN, {}, "exited"),
        (FAILED, {}, "exited"),
        (Ending(None, 11, False), {}, "signalled"),
        (KILLED, {}, "signalled"),
        (KILLED, {"stopped": "timeout"}, "timeout"),
        (KILLED, {"stopped": "cancelled", "oom_kills": 1}, "cancelled"),
        (CLEAN, {"stopped": "timeout"}, "exited"),  # it ended by itself while the supervisor reached for it
        (FAILED, {"stopped": "cpu_limit"}, "exited"),
        (KILLED, {"stopped": "output_limit", "most_output_bytes": 101}, "output_limit"),
        (CLEAN, {"most_output_bytes": 101}, "output_limit"),
        (CLEAN, {"most_output_bytes": 100}, "exited"),
        (KILLED, {"backstop": True}, "timeout"),
        (Ending(None, 31, False), {}, "policy_violation"),
        (Ending(None, 9, False), {"oom_kills": 1}, "out_of_memory"),
        (FAILED, {"oom_kills": 2, "disk_full": True}, "out_of_memory"),
        (CLEAN, {"oom_kills": 1, "disk_full": True}, "exited"),
        (Ending(None, 9, False), {"cpu_seconds": 2.0}, "cpu_limit"),
        (Ending(None, 9, False), {"cpu_seconds": 1.9}, "signalled"),
        (FAILED, {"cpu_seconds": 2.0}, "exited"),
        (FAILED, {"disk_full": True}, "disk_limit"),
        (Ending(None, 25, False), {"disk_full": True}, "disk_limit"),
    ],
)
def test_the_first_rule_that_holds(ending: Ending, facts: dict[str, object], outcome: Outcome) -> None:
    nothing = {
        "stopped": None,
        "most_output_bytes": 0,
        "oom_kills": 0,
        "cpu_seconds": 0.0,
        "disk_full": False,
        "backstop": False,
    }
    seen = Observation(ending=ending, **{**nothing, **facts})  # type: ignore[arg-type]  # the fields of Observation
    assert judge(seen, Limits(output_bytes=100, cpu_seconds=2.0)) == outcome
