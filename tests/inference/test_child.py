"""Child processes: how they end, and that they end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from inference import child
from inference.child import Child
from tests.inference.serving import eventually


def script(folder: Path, text: str) -> list[str]:
    path = folder / "server.sh"
    path.write_text(text)
    return ["sh", str(path)]


async def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


async def pid_in(file: Path) -> int:
    async def written() -> bool:
        return file.exists() and file.read_text().endswith("\n")

    await eventually(written)
    return int(file.read_text())


async def test_the_exit_code_and_the_last_lines_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    for run in ("one", "two"):
        process = await Child.spawn(script(tmp_path, f"echo {run}; echo; echo problem >&2; exit 7"), log)
        assert await process.wait() == 7
        assert process.tail() == f"{run} | problem"
        await process.stop()
    assert (tmp_path / "logs" / "server.previous.log").read_text() == "one\n\nproblem\n"


async def test_a_server_may_tidy_up_before_it_ends(tmp_path: Path) -> None:
    started, tidied = tmp_path / "started", tmp_path / "tidied"
    text = f"trap 'echo yes > {tidied}; exit 0' TERM; echo $$ > {started}; while :; do sleep 0.01; done"
    process = await Child.spawn(script(tmp_path, text), tmp_path / "log")
    pid = await pid_in(started)
    await process.stop()
    await process.stop()
    assert tidied.read_text() == "yes\n"
    assert await has_ended(pid)
    assert not process.running


async def test_a_server_that_does_not_want_to_end_is_made_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_SECONDS", 0.1)
    started = tmp_path / "started"
    text = f"trap '' TERM; sleep 1000 & echo $! > {started}; while :; do wait; done"
    process = await Child.spawn(script(tmp_path, text), tmp_path / "log")
    grandchild = await pid_in(started)
    await process.stop()
    await eventually(lambda: has_ended(grandchild))


@pytest.mark.parametrize("meanwhile", ["await child.wait()", "await child.stop()"])
async def test_a_server_does_not_outlive_us(tmp_path: Path, meanwhile: str) -> None:
    """Not even one that was told to end and does not heed it."""
    started, told = tmp_path / "started", tmp_path / "told"
    command = script(tmp_path, f"trap 'echo 1 > {told}' TERM; echo $$ > {started}; while :; do sleep 0.1; done")
    parent = f"""
import asyncio
from pathlib import Path
from inference.child import Child

async def main():
    child = await Child.spawn({command!r}, Path({str(tmp_path / "log")!r}))
    while not Path({str(started)!r}).exists():
        await asyncio.sleep(0.01)
    {meanwhile}

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, cwd=Path(__file__).parents[2])
    pid = await pid_in(started)
    if "stop" in meanwhile:
        await pid_in(told)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await eventually(lambda: has_ended(pid))
