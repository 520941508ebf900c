"""Tier D: linters run and nothing else does, only where it was accepted and no jail can be made; nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.sandboxes import opened_sandbox
from gateway.settings import Settings
from sandbox import confinement
from sandbox.catalogue import profile_names
from sandbox.confinement import LINTER_PROBE, landlock_abi
from sandbox.folders import sweep
from sandbox.landlock import LandlockSandbox
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
from sandbox.prove import CannotIsolate
from sandbox.selfcheck import self_check
from sandbox.spec import SandboxSpec
from sandbox.validate import UnsafeProfile
from tests.sandbox.confined import (
    FIRST_UID,
    ROOT_WITHOUT_MOUNTS,
    WITHOUT_JAILS,
    is_root,
    make_landlock,
    temporary_folder,
)
from tests.sandbox.sandboxes import SITE
from tests.sandbox.test_remote import asking, served

module_loop = pytest.mark.asyncio(loop_scope="module")
pytestmark = pytest.mark.skipif(landlock_abi() < 4, reason="tier D takes Landlock ABI 4")

ROOT = Path(__file__).parents[2]
RUFF = ("python", "-m", "ruff")
FAULT = {"x.py": b"import os\nprint('x' )\n"}


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


@module_loop
@pytest.mark.parametrize(
    ("abi", "words"),
    [(0, "has none, or it is not among the `lsm=` in use"), (3, "it takes Landlock ABI 4.*this kernel offers ABI 3")],
)
async def test_a_kernel_that_offers_too_little(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, abi: int, words: str
) -> None:
    monkeypatch.setattr(confinement, "landlock_abi", lambda: abi)
    sandbox = make_landlock(temporary)
    with pytest.raises(CannotIsolate, match=rf"\[tier B: not asked for\] \[tier D: .*{words}"):
        await sandbox.check()
    await sandbox.close()


@module_loop
@pytest.mark.skipif(not is_root(), reason="only root has user ids to give")
async def test_user_ids_that_do_not_exist(temporary: Path) -> None:
    sandbox = make_landlock(temporary, SandboxSpec(minimum_tier="D", first_uid=1_000, slots=2))
    await sandbox.check()
    await sandbox.close()
    program = """
import asyncio
from pathlib import Path
from tests.sandbox.confined import make_landlock
try: asyncio.run(make_landlock(Path("/tmp")).check())
except Exception as error: print(error)
"""
    said = subprocess.run(
        ["unshare", "--map-root-user", sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert f"the user ids from {FIRST_UID} do not exist" in said.stdout


@module_loop
async def test_a_folder_for_workspaces_that_does_not_exist(temporary: Path) -> None:
    sandbox = make_landlock(temporary / "gone")
    with pytest.raises(SandboxUnavailable, match=r"no private folder can be kept in .*gone"):
        await sandbox.check()
    await sandbox.close()


@module_loop
async def test_tools_that_are_missing(temporary: Path, tmp_path: Path) -> None:
    sandbox = make_landlock(temporary, site=tmp_path)
    with pytest.raises(SandboxUnavailable, match=r"its program is not at .*/bin/ruff; install it"):
        await sandbox.check()
    assert not any(each.works for each in (await sandbox.diagnose()).profiles)
    await sandbox.close()


@module_loop
async def test_profiles_of_an_operator_cannot_be_trusted(tmp_path: Path) -> None:
    row = (ROOT / "sandbox" / "profiles" / "profiles.toml").read_text().partition("[lint]")[2].partition("[shell]")[0]
    (tmp_path / "profiles.toml").write_text(f"[mine]{row}")
    with pytest.raises(ValueError, match="trusts mine; only what is built in can be trusted"):
        SandboxSpec(profile_folder=tmp_path)


@module_loop
async def test_a_better_tier_is_never_given_up() -> None:
    """Accepting tier D changes nothing where a jail can be made."""
    async with opened_sandbox(SandboxSpec(minimum_tier="D"), Settings(sandbox_site=SITE)) as sandbox:
        assert (await sandbox.diagnose()).tier in ("A", "B", "C")


@module_loop
@pytest.mark.parametrize("error", [UnsafeProfile("unsafe"), CannotIsolate(("tier B: failed",))])
async def test_when_no_jail_can_be_made(monkeypatch: pytest.MonkeyPatch, error: SandboxUnavailable) -> None:
    async def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("sandbox.nsjail.NsjailSandbox.check", fail)
    settings = Settings(sandbox_site=SITE)
    for tier in ("A", "B", "C"):
        with pytest.raises(type(error)):
            async with opened_sandbox(SandboxSpec(minimum_tier=tier), settings):
                pass
    with pytest.raises(UnsafeProfile) if isinstance(error, UnsafeProfile) else contextlib.nullcontext():
        async with opened_sandbox(SandboxSpec(minimum_tier="D"), settings) as sandbox:
            assert (await sandbox.diagnose()).shortfalls == ("tier B: failed",)


@module_loop
@pytest.mark.parametrize("within", [WITHOUT_JAILS, ROOT_WITHOUT_MOUNTS], ids=["ordinary user", "root"])
async def test_a_host_without_jails(temporary: Path, within: tuple[str, ...]) -> None:
    """Really without: nsjail fails there, and the linter works, by the user's own id or by one that root gives."""
    if within is ROOT_WITHOUT_MOUNTS and not is_root():
        pytest.skip("only root has rights to lose")
    program = """
import asyncio
from pathlib import Path
from gateway.sandboxes import opened_sandbox
from gateway.settings import Settings
from sandbox.confinement import LINTER_PROBE
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import SITE
async def work():
    async with opened_sandbox(SandboxSpec(minimum_tier="D"), Settings(sandbox_site=SITE)) as sandbox:
        result = await sandbox.run(LINTER_PROBE)
        print(result.facts["tier"], result.facts["own_user"], result.exit_code)
        print(*(await sandbox.diagnose()).shortfalls)
asyncio.run(work())
"""
    variables = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary)}
    command = [*within, sys.executable, "-c", program]
    said = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    facts, shortfalls = said.stdout.splitlines()
    if within is ROOT_WITHOUT_MOUNTS:
        assert facts == "D True 1"
        assert shortfalls.startswith("tiers A to C: This process is root without the capabilities")
    else:
        assert facts == "D False 1"
        assert all(f"tier {tier}: " in shortfalls for tier in "ABC")


@module_loop
async def test_a_killed_supervisor_leaves_no_process_and_the_next_one_no_file() -> None:
    program = """
import asyncio, os, sys
from pathlib import Path
from tests.sandbox.confined import hostile_run, hostile_trust
HELD = "import os, time; open('left', 'w'); print(os.getpid(), flush=True); time.sleep(600)"
def hear(progress):
    if hasattr(progress, "content"): print(progress.content.decode(), end="", flush=True)
async def work():
    with hostile_trust(Path(sys.argv[1]), own_user=os.geteuid() == 0) as trust:
        await hostile_run(trust, HELD, hear=hear).execute()
asyncio.run(work())
"""
    with (
        temporary_folder() as place,
        subprocess.Popen(
            [sys.executable, "-c", program, str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as supervisor,
    ):
        assert supervisor.stdout is not None
        tool = os.pidfd_open(int(supervisor.stdout.readline()))
        sweep(place)  # the owner lives
        assert len([*place.rglob("left")]) == 1
        supervisor.kill()
        supervisor.wait()
        await _ended(tool)
        assert len([*place.rglob("left")]) == 1
        sandbox = make_landlock(place)
        assert (await sandbox.run(LINTER_PROBE)).exit_code == 1
        assert not [*place.rglob("left")]
        await sandbox.close()
        assert not [*place.iterdir()]


async def _ended(pidfd: int) -> None:
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(pidfd, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), 60)
    finally:
        asyncio.get_running_loop().remove_reader(pidfd)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


def test_a_folder_that_may_not_be_entered_is_swept(tmp_path: Path) -> None:
    (tmp_path / "bailey-trusted-x" / "run" / "closed" / "below").mkdir(parents=True)
    (tmp_path / "bailey-trusted-x" / "run" / "closed").chmod(0)
    (tmp_path / "somebody-else").mkdir()
    (tmp_path / "bailey-trusted-link").symlink_to(tmp_path / "somebody-else")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bailey-trusted-link", "somebody-else"]
