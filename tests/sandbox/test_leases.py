"""Workspaces of several commands, on a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.protocol import Command, InvalidCommand, SandboxOverloaded
from sandbox.service.client import RemoteSandbox
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import make_sandbox
from tests.sandbox.service import asking, ended_since, running, served


@pytest_asyncio.fixture
async def remote(tmp_path: Path) -> AsyncIterator[RemoteSandbox]:
    own = make_sandbox("A", SandboxSpec(most_workspaces=2))
    async with served(own, tmp_path / "socket") as url, asking(url) as client:
        await client.check()
        yield client
    await own.close()


async def test_a_workspace_lasts_as_long_as_its_client_holds_it(remote: RemoteSandbox) -> None:
    async with remote.workspace() as kept, remote.workspace() as other:
        assert (await kept.run(Command(("sh", "-c", "echo 1 >file"), profile="shell"))).ok
        seen = await kept.run(Command(("cat", "file"), profile="shell"))
        assert (seen.stdout, seen.facts["workspace_step"]) == (b"1\n", 2)
        assert (await other.run(Command(("ls",), profile="shell"))).stdout == b""
        with pytest.raises(SandboxOverloaded, match="2 workspaces are open already"):
            async with remote.workspace():
                pass
    with pytest.raises(InvalidCommand, match="no such workspace"):
        await kept.run(Command(("ls",), profile="shell"))


async def test_a_client_that_is_lost_leaves_no_workspace(remote: RemoteSandbox) -> None:
    """Also while a command runs in it."""
    on, before = asyncio.Event(), running()

    async def use() -> None:
        async with remote.workspace() as workspace, remote.workspace():
            await workspace.run(
                Command(("python", "-c", "import time; print(flush=True); time.sleep(60)")), lambda step: on.set()
            )

    task = asyncio.create_task(use())
    await on.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ended_since(before)
    async with asyncio.timeout(5):
        while not await _opens_two(remote):
            await asyncio.sleep(0.02)


async def _opens_two(remote: RemoteSandbox) -> bool:
    try:
        async with remote.workspace(), remote.workspace():
            return True
    except SandboxOverloaded:
        return False
