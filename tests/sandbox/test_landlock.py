"""The sandbox of tier D: linters run in it, and nothing else does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.catalogue import profile_names
from sandbox.landlock import LandlockSandbox
from sandbox.linters.confinement import landlock_abi
from sandbox.protocol import (
    Command,
    InvalidCommand,
    Limits,
    Piece,
    Progress,
    SandboxError,
    SandboxUnavailable,
    Started,
)
from sandbox.selfcheck import self_check
from tests.sandbox.confined import (
    FAULT,
    RUFF,
    is_root,
    make_landlock,
    needs_landlock,
    temporary_folder,
)
from tests.sandbox.sandboxes import SITE
from tests.sandbox.service import asking, served

module_loop = pytest.mark.asyncio(loop_scope="module")
pytestmark = needs_landlock


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    with temporary_folder() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(temporary: Path) -> AsyncIterator[LandlockSandbox]:
    made = make_landlock(temporary)
    await made.check()
    yield made
    await made.close()
    assert not [*temporary.iterdir()]


def lint(*words: str, files: dict[str, bytes] | None = None) -> Command:
    return Command((*RUFF, *words), profile="lint", files=FAULT if files is None else files, collect=("**/*",))


@module_loop
async def test_the_linter_finds_mends_and_formats(sandbox: LandlockSandbox) -> None:
    found = await sandbox.run(lint("check", "--isolated", "--output-format=concise", "x.py"))
    assert (found.outcome, found.exit_code) == ("exited", 1)
    assert b"x.py:1:8: F401" in found.stdout
    mended = await sandbox.run(lint("check", "--isolated", "--no-cache", "--select=F401", "--fix", "x.py"))
    assert (mended.exit_code, mended.files) == (0, {"x.py": b"print('x' )\n"})
    formatted = await sandbox.run(lint("format", "--isolated", "--no-cache", "x.py"))
    assert (formatted.exit_code, formatted.files["x.py"]) == (0, b'import os\n\nprint("x")\n')


@module_loop
async def test_a_tree_and_standard_input(sandbox: LandlockSandbox, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "bad.py").write_bytes(b"undefined\n")
    command = replace(lint("check", "--isolated", "--output-format=concise", files={}), tree=tmp_path)
    result = await sandbox.run(command)
    assert b"F821" in result.stdout
    piped = replace(lint("check", "--isolated", "-", files={}), stdin=b"undefined\n")
    assert b"F821" in (await sandbox.run(piped)).stdout


@module_loop
async def test_the_record_says_by_what_it_was_held(sandbox: LandlockSandbox) -> None:
    result = await sandbox.run(lint("check", "--isolated", "x.py"))
    record = result.record
    assert record is not None
    assert (record.tier, record.profile, record.outcome, record.exit_code) == ("D", "lint", "exited", 1)
    assert (result.facts["tier"], result.facts["landlock_abi"]) == ("D", landlock_abi())
    assert result.facts["own_user"] == is_root()
    assert all(len(digest) == 64 for digest in (record.config_sha256, record.policy_sha256))
    assert (record.nsjail_version, record.nsjail_sha256, record.init_sha256, record.nsjail_log) == ("", "", "", "")
    assert record.environment_digest == sandbox.environment_digest("lint") != sandbox.environment_digest("python")
    assert 0 <= result.cpu_seconds <= 30


@module_loop
async def test_what_was_generated_is_never_executed(sandbox: LandlockSandbox) -> None:
    """`python -m ruff` would find these modules before the tool; the tool itself finds none."""
    evil = b"open('executed', 'w')\n"
    names = ("ruff.py", "ruff/__init__.py", "ruff/__main__.py", "os.py", "sitecustomize.py", "x.py")
    files = {name: evil for name in names if name != "ruff.py"}
    result = await sandbox.run(lint("check", "--isolated", "--no-cache", ".", files=files))
    assert (result.outcome, set(result.files)) == ("exited", set(files))
    result = await sandbox.run(lint("check", "--isolated", "--no-cache", ".", files={"ruff.py": evil}))
    assert set(result.files) == {"ruff.py"}


@module_loop
@pytest.mark.parametrize("profile", [name for name in profile_names() if name != "lint"])
async def test_other_profiles_refuse_in_a_sentence(sandbox: LandlockSandbox, profile: str) -> None:
    words = rf"'{re.escape(profile)}' does not work here: it can execute generated code.* held to tier D"
    with pytest.raises(SandboxUnavailable, match=words):
        await sandbox.run(Command(("true",), profile=profile))


@module_loop
@pytest.mark.parametrize("argv", [("python", "-c", "print(1)"), ("ruff", "check"), ("python", "-m", "pytest"), ("sh",)])
async def test_other_programs_of_the_profile_refuse(sandbox: LandlockSandbox, argv: tuple[str, ...]) -> None:
    with pytest.raises(InvalidCommand, match="runs `python -m ruff` and nothing else"):
        await sandbox.run(Command(argv, profile="lint"))


@module_loop
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(RUFF, profile="perl"), "no sandbox profile 'perl'"),
        (lint("check", files={"../x": b""}), "file name"),
        (replace(lint("check"), environment={"LD_PRELOAD": "x.so"}), "fixed by profile"),
        (replace(lint("check"), limits=Limits(memory_mib=100_000)), "memory_mib=100000"),
        (replace(lint("check", files={"x": bytes(5 << 20)}), limits=Limits(disk_mib=4)), "do not fit"),
    ],
)
async def test_commands_that_cannot_be(sandbox: LandlockSandbox, command: Command, words: str) -> None:
    with pytest.raises(InvalidCommand, match=words):
        await sandbox.run(command)


@module_loop
async def test_progress_is_told_in_order(sandbox: LandlockSandbox) -> None:
    heard: list[Progress] = []
    result = await sandbox.run(lint("check", "--isolated", "x.py"), heard.append)
    assert isinstance(heard[0], Started)
    pieces = [each for each in heard if isinstance(each, Piece)]
    assert b"".join(each.content for each in pieces if each.stream == "stdout") == result.stdout
    assert len(pieces) == len(heard) - 1


@module_loop
async def test_runs_at_the_same_time_and_cancelled_ones(sandbox: LandlockSandbox) -> None:
    waiting = asyncio.create_task(sandbox.run(lint("server", files={})))  # reads its input, which has an end
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    results = await asyncio.gather(*(sandbox.run(lint("check", "--isolated", "x.py")) for _ in range(6)))
    assert [each.exit_code for each in results] == [1] * 6


@module_loop
async def test_what_doctor_says(sandbox: LandlockSandbox) -> None:
    report = await sandbox.diagnose()
    assert (report.tier, report.landlock_abi, report.own_users) == ("D", landlock_abi(), is_root())
    assert report.shortfalls == ("tier B: not asked for",)
    assert "nothing that was generated runs here" in report.meaning
    assert [each.name for each in report.profiles if each.works] == ["lint"]
    found = next(each for each in report.profiles if each.name == "lint").found
    assert Path(found["ruff"]) == (SITE / "bin" / "ruff").resolve()


@module_loop
async def test_behind_a_server(sandbox: LandlockSandbox, temporary: Path) -> None:
    """The client's proof is a linter's there, too; what refuses says why."""
    with temporary_folder() as place:
        async with served(sandbox, place / "socket") as url, asking(url) as client:
            await client.check()
            assert (await client.diagnose()) == (await sandbox.diagnose())
            result = await client.run(lint("check", "--isolated", "--output-format=concise", "x.py"))
            assert (result.exit_code, result.facts["tier"]) == (1, "D")
            with pytest.raises(SandboxUnavailable, match="it can execute generated code"):
                await client.run(Command(("python",)))


@module_loop
async def test_workspaces_of_several_commands_refuse(sandbox: LandlockSandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="no workspaces of several commands"):
        async with sandbox.workspace():
            pass


@module_loop
async def test_hostile_programs_are_not_tried(sandbox: LandlockSandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="In tier D no hostile program is run"):
        _ = [finding async for finding in self_check(sandbox)]


@module_loop
async def test_closing(temporary: Path) -> None:
    sandbox = make_landlock(temporary)
    with pytest.raises(SandboxUnavailable, match="call `check` first"):
        sandbox.environment_digest("lint")
    await sandbox.check()
    await sandbox.close()
    await sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        await sandbox.run(lint("check"))
