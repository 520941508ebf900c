"""Where tier D is taken, what a host must have for it, and what a killed supervisor leaves: nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sandboxes import opened_sandbox
from gateway.settings import Settings
from sandbox.jails.prove import CannotIsolate
from sandbox.linters import confinement
from sandbox.linters.folders import sweep
from sandbox.probes import LINTER_PROBE
from sandbox.protocol import (
    SandboxUnavailable,
)
from sandbox.spec import SandboxSpec
from sandbox.validate import UnsafeProfile
from tests.sandbox.confined import (
    FIRST_UID,
    ROOT_WITHOUT_MOUNTS,
    WITHOUT_JAILS,
    is_root,
    make_landlock,
    needs_landlock,
    temporary_folder,
)
from tests.sandbox.sandboxes import SITE

module_loop = pytest.mark.asyncio(loop_scope="module")
pytestmark = needs_landlock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    with temporary_folder() as made:
        yield made


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
from sandbox.probes import LINTER_PROBE
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
