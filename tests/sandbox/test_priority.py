"""Jobs give way: beside a busy process of another session a job gets a small part of the processor they share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox import priority
from sandbox.jails import cgroup
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Limits
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import BASE_INTERPRETER, CONTROL_GROUPS, SITE, run_python

session_loop = pytest.mark.asyncio(loop_scope="session")

# Notes both clocks about every 5 ms of its own processor time, until its input ends.
ENGINE = """
import json, os, select, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
print("ready", flush=True)
notes = []
while not select.select([0], [], [], 0)[0]:
    notes.append((time.monotonic(), time.process_time()))
    while time.process_time() < notes[-1][1] + 0.005: pass
print(json.dumps(notes))
"""
# The clock on the wall is the same in a jail. PREPARE is where a job may try to get away.
JOB = """
import json, os, sys, time
PREPARE
os.sched_setaffinity(0, {PROCESSOR})
began, spent = time.monotonic(), time.process_time()
while time.process_time() < spent + 0.1: pass
print(json.dumps([began, time.monotonic(), time.process_time() - spent]))
"""
WAYS = {
    "as it is": "",
    "trying to get away": """
if os.fork(): os.wait(); sys.exit()
os.setsid()
for undo in (lambda: os.nice(-20), lambda: open("/proc/self/autogroup", "w").write("0")):
    try: undo()
    except OSError: pass
""",
}


@contextmanager
def busy(processor: int) -> Iterator[subprocess.Popen[str]]:
    """A process outside, in a session of its own as an engine's, that wants all of a processor."""
    command = (sys.executable, "-c", ENGINE, str(processor))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


async def engine_share(sandbox: NsjailSandbox, prepare: str) -> float:
    """Of the processor time that both got while the job worked, the part of the process outside."""
    processor = max(os.sched_getaffinity(0))
    program = JOB.replace("PREPARE", prepare).replace("PROCESSOR", str(processor))
    with busy(processor) as engine:
        result = await run_python(sandbox, program, limits=Limits(wall_seconds=30))
        notes, _ = engine.communicate()
    assert result.ok, result
    began, ended, job = json.loads(result.stdout)
    spent = [seconds for moment, seconds in json.loads(notes) if began <= moment <= ended]
    outside = spent[-1] - spent[0]
    return float(outside / (outside + job))


@session_loop
@pytest.mark.parametrize("way", WAYS)
async def test_a_job_leaves_the_processor_to_an_engine(sandbox: NsjailSandbox, way: str) -> None:
    assert await engine_share(sandbox, WAYS[way]) >= 0.75


@pytest_asyncio.fixture(loop_scope="session")
async def unweighed(tmp_path: Path) -> AsyncIterator[NsjailSandbox]:
    """A sandbox in control groups without the optional controller."""
    hierarchy = cgroup.find(CONTROL_GROUPS)
    if hierarchy is None or hierarchy.version != 1:
        pytest.skip("only version 1 of control groups can be given without one controller")
    for controller in set(hierarchy.parents) - {"cpu"}:
        (tmp_path / controller).symlink_to(CONTROL_GROUPS / controller)
    made = NsjailSandbox(SandboxSpec(), python=BASE_INTERPRETER, site=SITE, control_groups=tmp_path)
    yield made
    await made.close()


@session_loop
@pytest.mark.parametrize("way", WAYS)
async def test_without_the_controller_the_job_still_gives_way(unweighed: NsjailSandbox, way: str) -> None:
    assert await engine_share(unweighed, WAYS[way]) >= 0.75


@session_loop
async def test_the_record_says_what_holds_a_job_back(sandbox: NsjailSandbox, tier: str) -> None:
    hierarchy = cgroup.find(CONTROL_GROUPS)
    weighs = tier == "A" and hierarchy is not None and hierarchy.weighs
    result = await run_python(sandbox, "pass")
    assert result.facts["yields_by"] == ("cpu weight" if weighs else "nice values")


@session_loop
async def test_the_record_says_so_without_the_controller(unweighed: NsjailSandbox) -> None:
    result = await run_python(unweighed, "pass")
    assert (result.facts["tier"], result.facts["yields_by"]) == ("A", "nice values")


def test_the_own_session_stays_as_it_is() -> None:
    file = Path("/proc/self/autogroup")
    before = file.read_text() if file.exists() else ""
    priority.give_way([os.getpid()])
    assert (file.read_text() if file.exists() else "") == before
