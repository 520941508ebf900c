"""Several commands in one workspace: what passes from one to the next, what does not, and what is left afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, CommandRunner, InvalidCommand, Limits, Result, SandboxError, SandboxOverloaded
from sandbox.spec import SandboxSpec, Tier
from tests.sandbox.sandboxes import demand_record, make_sandbox

session_loop = pytest.mark.asyncio(loop_scope="session")
hostile = pytest.mark.usefixtures("aftermath")


@pytest_asyncio.fixture(loop_scope="session")
async def workspace(aftermath: None, sandbox: NsjailSandbox) -> AsyncIterator[CommandRunner]:
    """A workspace after which all common post-conditions hold."""
    async with sandbox.workspace() as opened:
        yield opened


async def shell(workspace: CommandRunner, script: str, **more: object) -> Result:
    result = await workspace.run(Command(("sh", "-c", script), profile="shell", **more))  # type: ignore[arg-type]  # fields of Command
    demand_record(result)
    return result


@session_loop
async def test_files_stay(workspace: CommandRunner) -> None:
    made = await shell(
        workspace,
        "mkdir -p src/empty && echo one >src/a && printf '#!/bin/sh\necho tool' >tool && chmod 700 tool "
        "&& chmod 600 src/a && touch -d @1000000000.25 src/a",
    )
    assert (made.ok, made.record and made.record.inputs) == (True, ())
    look = "cat src/a new; ./tool; stat -c %Y src/a; ls -d src/empty"
    seen = await shell(workspace, look, files={"new": b"two\n"})
    assert seen.stdout.decode().split() == ["one", "two", "tool", "1000000000", "src/empty"]
    assert seen.record is not None
    assert [file.path for file in seen.record.inputs] == ["new", "src/a", "tool"]
    facts = seen.facts
    assert (facts["workspace_step"], facts["carried_files"], facts["workspace"]) == (2, 2, made.facts["workspace"])


@session_loop
async def test_files_of_a_command_replace_what_is_there(workspace: CommandRunner) -> None:
    await shell(workspace, "echo old >file; mkdir folder")
    seen = await shell(workspace, "cat file", files={"file": b"new"})
    assert (seen.stdout, seen.facts["carried_files"]) == (b"new", 0)
    with pytest.raises(InvalidCommand, match="something else is at its place"):
        await shell(workspace, "true", files={"folder": b""})
    assert (await shell(workspace, "cat file; ls")).stdout == b"newfile\nfolder\n"


@session_loop
async def test_only_files_pass(workspace: CommandRunner, canary: Path) -> None:
    """Links, pipes, sockets, second names, set-user-id bits, other owners' modes and processes stay behind."""
    await shell(
        workspace,
        f"ln -s {canary} link; ln -s / root; mkfifo pipe; echo x >a; ln a b; echo s >setuid; chmod 4755 setuid; "
        "mkdir shut && echo y >shut/in && chmod 0 shut; echo z >unreadable; chmod 0 unreadable; "
        "mkdir -p $(yes d | head -20 | tr '\\n' /); (sleep 60; echo late >late) & echo t >/tmp/t",
    )
    seen = await shell(workspace, "find . -type f -o ! -type d | sort; stat -c %a setuid; ls /tmp")
    assert seen.stdout == b"./setuid\n755\n"
    reasons = {each.path: each.reason.removeprefix("not handed on to the next command: ") for each in seen.rejected}
    assert reasons.pop("/".join(["d"] * 16)) == "deeper than 16 levels"
    assert reasons.pop("shut/").startswith("the folder cannot be read")
    assert reasons.pop("unreadable").startswith("cannot be read")
    hard = "a hard link (2 names)"
    link = "a symbolic link"
    assert reasons == {"link": link, "root": link, "pipe": "not a regular file", "a": hard, "b": hard}
    assert canary.read_text() == "alive"


@session_loop
async def test_what_a_killed_command_left_stays(workspace: CommandRunner) -> None:
    late = await shell(workspace, "echo begun >state; sleep 60", limits=Limits(wall_seconds=0.5))
    assert late.outcome == "timeout"
    assert (await shell(workspace, "cat state")).stdout == b"begun\n"
    running = asyncio.create_task(shell(workspace, "echo more >>state; sleep 60"))
    await asyncio.sleep(0.7)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await shell(workspace, "cat state")).stdout == b"begun\nmore\n"


@session_loop
async def test_a_command_that_could_not_run_changes_nothing(workspace: CommandRunner) -> None:
    await shell(workspace, "echo kept >state")
    with pytest.raises(InvalidCommand, match="no program"):
        await workspace.run(Command(("no-such-program",), profile="shell", files={"state": b"lost"}))
    assert (await shell(workspace, "cat state")).stdout == b"kept\n"


@session_loop
async def test_limits_hold_for_each_command(workspace: CommandRunner) -> None:
    await shell(workspace, "head -c 3000000 /dev/zero >big")
    with pytest.raises(InvalidCommand, match="do not fit in the workspace"):
        await shell(workspace, "true", limits=Limits(disk_mib=2))
    full = await shell(workspace, "head -c 3000000 /dev/zero >more", limits=Limits(disk_mib=4))
    assert full.outcome == "disk_limit"


@session_loop
async def test_profiles_work_on_one_tree(workspace: CommandRunner) -> None:
    test = b"from code_under_test import double\ndef test(): assert double(2) == 4\n"
    wrote = "open('code_under_test.py', 'w').write('def double(x): return 2 * x')"
    assert (await workspace.run(Command(("python", "-c", wrote), files={"test_it.py": test}))).ok
    tested = await workspace.run(Command(("python", "-m", "pytest", "-q"), profile="pytest", collect=("*.py",)))
    assert (tested.ok, [*tested.files]) == (True, ["code_under_test.py", "test_it.py"])


@session_loop
async def test_commands_of_one_workspace_take_turns(workspace: CommandRunner) -> None:
    await asyncio.gather(*(shell(workspace, "cat all >x; echo y >>x; cat x >all", files={}) for _ in range(4)))
    assert (await shell(workspace, "cat all")).stdout == b"y\n" * 4


@session_loop
@hostile
async def test_workspaces_know_nothing_of_each_other(sandbox: NsjailSandbox) -> None:
    async with sandbox.workspace() as first, sandbox.workspace() as second:
        await shell(first, "echo secret >file")
        assert (await shell(second, "ls")).stdout == b""
        assert (await shell(first, "cat file")).stdout == b"secret\n"
    with pytest.raises(InvalidCommand, match="closed"):
        await shell(first, "ls")


@session_loop
async def test_there_are_not_too_many_and_none_outlives_its_sandbox(sandbox: NsjailSandbox, tier: Tier) -> None:
    few = make_sandbox(tier, SandboxSpec(most_workspaces=1))
    before = set(Path("/proc/self/fd").iterdir())
    async with few.workspace() as opened:
        await shell(opened, "echo 1 >file")
        with pytest.raises(SandboxOverloaded, match="1 workspaces are open already"):
            async with few.workspace():
                pass
        await few.close()
        with pytest.raises(SandboxError, match="closed"):
            await shell(opened, "ls")
    assert set(Path("/proc/self/fd").iterdir()) == before
