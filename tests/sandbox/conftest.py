"""One proven sandbox per tier for the whole folder, and what must be true after every hostile program."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.processes import children
from sandbox.protocol import Command
from sandbox.spec import Tier
from tests.sandbox.sandboxes import TIERS, groups_of, make_sandbox


@pytest.fixture(scope="session", params=TIERS)
def tier(request: pytest.FixtureRequest) -> Tier:
    return request.param  # type: ignore[no-any-return]  # one of TIERS


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(tier: Tier) -> AsyncIterator[NsjailSandbox]:
    made = make_sandbox(tier)
    await made.check()
    result = await made.run(Command(("true",)))
    if result.facts["tier"] != tier:
        await made.close()
        pytest.skip(f"this host offers no tier {tier} to this user")
    yield made
    await made.close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that no job may see or change."""
    file = tmp_path / "canary"
    file.write_text("alive")
    return file


@pytest_asyncio.fixture(loop_scope="session")
async def aftermath(sandbox: NsjailSandbox, canary: Path) -> AsyncIterator[None]:
    """The common post-conditions: no process, mount, group or descriptor is left, the host is as it was, all works."""
    others = set(children(os.getpid()))  # what other tests of this process keep running
    descriptors = _descriptors()
    yield
    assert set(children(os.getpid())) <= others
    assert groups_of(os.getpid()) == []
    assert not re.search(r"bailey|nsjail", Path("/proc/self/mountinfo").read_text())
    assert canary.read_text() == "alive"
    hello = await sandbox.run(Command(("echo", "hello")))
    assert (hello.outcome, hello.exit_code, hello.stdout) == ("exited", 0, b"hello\n")
    assert _descriptors() <= descriptors


def _descriptors() -> set[str]:
    """What this process has open, each by its number and what it leads to."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the list itself
            found.add(f"{link.name} {link.readlink()}")
    return found
