"""What a host must offer: the proof, its sentences, the digest, interpreters from anywhere, both cgroup versions."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.diagnosis import explain
from sandbox.jails import cgroup
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Limits, SandboxUnavailable
from sandbox.spec import LimitsSpec, SandboxSpec, Tier
from tests.sandbox.sandboxes import CONTROL_GROUPS, SITE, make_sandbox, run_python

session_loop = pytest.mark.asyncio(loop_scope="session")
ROOT = Path(__file__).parents[2]


@session_loop
@pytest.mark.parametrize("python", [Path("/usr/bin/python3"), Path(sys.executable)], ids=["system", "own"])
async def test_interpreters_from_anywhere(tier: Tier, python: Path) -> None:
    """Even from below a home that nobody else may enter. Importable are the standard library and the tools."""
    sandbox = make_sandbox(tier, python=python)
    program = """
import sys, ssl, sqlite3, zlib, ctypes, json, importlib.metadata as metadata
print(json.dumps([sys.version, sorted(found.name.lower() for found in metadata.distributions())]))
"""
    result = await run_python(sandbox, program)
    await sandbox.close()
    assert result.ok, result.stderr
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version)"], check=True, capture_output=True, text=True
    )
    tools = sorted(path.name.split("-")[0].lower() for path in SITE.glob("*.dist-info"))
    assert json.loads(result.stdout) == [version.stdout.rstrip("\n"), tools]


@session_loop
async def test_the_digest_names_what_a_run_depends_on(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    tmp_path.chmod(0o755)
    ways = [
        make_sandbox("B"),
        make_sandbox("B", SandboxSpec(slots=2, first_uid=200_000)),  # the same to a program
        make_sandbox("B", site=tmp_path / "site"),
        make_sandbox("B", SandboxSpec(profiles={"python": LimitsSpec(memory_mib=256)})),
        make_sandbox("B", python=Path("/usr/bin/python3")),
    ]
    digests = []
    for sandbox in ways:
        with pytest.raises(SandboxUnavailable, match="call `check` first"):
            sandbox.environment_digest("python")
        await sandbox.check()
        digests.append((sandbox.environment_digest("python"), sandbox.environment_digest("pytest")))
        await sandbox.close()
    assert digests[0] == digests[1]
    assert len({python for python, _ in digests}) == 4
    assert all(python != pytest for python, pytest in digests)


@session_loop
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: make_sandbox(python=Path("/nonexistent/python")), "cannot be started.*sandbox.interpreter"),
        (lambda: make_sandbox(python=Path("/bin/false")), "does not work"),
        (lambda: make_sandbox(site=Path("/nonexistent")), "pip install --target"),
        (lambda: make_sandbox("B", SandboxSpec(minimum_tier="A")), "no control groups"),
    ],
)
async def test_a_host_that_lacks_something(make: Callable[[], NsjailSandbox], words: str) -> None:
    sandbox = make()
    with pytest.raises(SandboxUnavailable, match=words):
        await sandbox.check()
    await sandbox.close()


async def said_without_user_namespaces(program: str) -> str:
    """What a program says on a kernel that forbids user namespaces: in one, as root, that forbids more of them."""
    forbid = 'read go; exec sh -c \'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"\' sh "$@"'
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--user", "sh", "-c", f"echo ready; {forbid}", "sh", sys.executable, "-c", program),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{kind}").write_text("0 0 200000")
    output, _ = await process.communicate(b"go\n")
    return output.decode()


@session_loop
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid user namespaces")
async def test_a_kernel_that_forbids_user_namespaces() -> None:
    program = """
import asyncio
from sandbox.protocol import SandboxUnavailable
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import make_sandbox
for tier, least in (("B", "B"), ("B", "C")):
    try: asyncio.run(make_sandbox(tier, SandboxSpec(minimum_tier=least)).check())
    except SandboxUnavailable as error: print(error)
"""
    output = await said_without_user_namespaces(program)
    assert output.count("sysctl -w user.max_user_namespaces") == 2
    assert output.count("tier C: without user namespaces it takes root and control groups") == 1


@session_loop
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid user namespaces")
@pytest.mark.skipif(cgroup.find(CONTROL_GROUPS) is None, reason="tier C takes control groups")
async def test_tier_c_holds_without_user_namespaces() -> None:
    """Each slot is a real user, without any capability, and the pids controller counts for each jail alone."""
    program = """
import asyncio
from sandbox.protocol import Limits
from sandbox.selfcheck import self_check
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import make_sandbox, run_python
WHO = "import os, time; open('file', 'w').write('x'); time.sleep(0.3); print(os.getuid())"
FORK = "import os, time\\nfor n in range(99):\\n  try: os.fork() or time.sleep(60)\\n  except OSError: break\\nprint(n)"
async def work():
    sandbox = make_sandbox("A", SandboxSpec(minimum_tier="C", slots=2))
    await sandbox.check()
    print((await sandbox.diagnose()).tier, *(await sandbox.diagnose()).advice)
    print([finding.tries async for finding in self_check(sandbox) if not finding.held])
    who = await asyncio.gather(*(run_python(sandbox, WHO, collect=("file",)) for _ in "ab"))
    assert [each.files for each in who] == [{"file": b"x"}] * 2, who
    print(sorted(int(each.stdout) for each in who))
    forks = await asyncio.gather(*(run_python(sandbox, FORK, limits=Limits(processes=10)) for _ in "ab"))
    print([int(each.stdout) for each in forks])
    await sandbox.close()
asyncio.run(work())
"""
    tier, breaches, users, forks = (await said_without_user_namespaces(program)).splitlines()
    assert tier.startswith("C ")
    assert "sysctl -w user.max_user_namespaces" in tier
    assert breaches == "[]"
    assert users == "[100000, 100001]"
    assert all(8 <= number <= 10 for number in json.loads(forks))


@pytest.mark.parametrize("steps", [0, 10, 19])
def test_an_appliance_that_was_started_with_a_low_priority(steps: int) -> None:
    """Its jails are the least urgent whatever the appliance is."""
    program = """
import asyncio
from tests.sandbox.sandboxes import make_sandbox, run_python
async def work():
    sandbox = make_sandbox("B")
    jailed = await run_python(sandbox, "import os; print(os.nice(0))")
    await sandbox.close()
    return int(jailed.stdout)
jailed = asyncio.run(work())
assert jailed == 19, jailed
"""
    run = subprocess.run(
        ["nice", "-n", str(steps), sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("switch", "value", "words"),
    [
        ("kernel/unprivileged_userns_clone", "0\n", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"),
        ("kernel/other", "0\n", "procMount: Unmasked"),
    ],
)
def test_the_diagnosis_says_what_to_change(tmp_path: Path, switch: str, value: str, words: str) -> None:
    (tmp_path / switch).parent.mkdir()
    (tmp_path / switch).write_text(value)
    sentence = explain(["tier B: failed"], tmp_path)
    assert words in sentence
    assert "[tier B: failed]" in sentence


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    (tmp_path / "cgroup.procs").write_text("1\n")
    return tmp_path


def test_version_2_limits_and_counters(version_2: Path) -> None:
    hierarchy = cgroup.find(version_2)
    assert hierarchy is not None
    assert (hierarchy.version, dict(hierarchy.parents)) == (2, {"all": version_2})
    group = hierarchy.create(Limits(memory_mib=64, processes=10), 2)
    folder = next(version_2.glob("bailey-*"))
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "memory.max": str(64 << 20),
        "memory.swap.max": "0",
        "pids.max": "12",
    }
    (folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (folder / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
    assert (group.cpu_seconds(), group.oom_kills(), group.memory_peak_mib()) == (2.5, 1, None)
    (folder / "memory.peak").write_text(str(32 << 20))
    assert group.memory_peak_mib() == 32


def test_version_2_weighs_where_it_may(version_2: Path) -> None:
    (version_2 / "cgroup.subtree_control").write_text("cpu memory pids\n")
    hierarchy = cgroup.find(version_2)
    assert hierarchy is not None
    assert hierarchy.weighs
    hierarchy.create(Limits(), 2)
    assert 1 <= int(next(version_2.glob("bailey-*/cpu.weight")).read_text()) <= 40  # of 100


def test_version_2_asks_for_the_optional_controller(version_2: Path) -> None:
    hierarchy = cgroup.find(version_2)
    assert hierarchy is not None
    assert not hierarchy.weighs  # a plain file does not do as it is told
    assert (version_2 / "cgroup.subtree_control").read_text() == "+cpu"


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """With two controllers on one mount, as most distributions have them."""
    for mount in ("memory", "pids", "cpu,cpuacct"):
        (tmp_path / mount).mkdir()
        (tmp_path / mount / "cgroup.procs").touch()
    for controller in ("cpu", "cpuacct"):
        (tmp_path / controller).symlink_to("cpu,cpuacct")
    return tmp_path


def test_version_1_with_controllers_mounted_together(version_1: Path) -> None:
    hierarchy = cgroup.find(version_1)
    assert hierarchy is not None
    assert (hierarchy.version, hierarchy.weighs) == (1, True)
    hierarchy.create(Limits(), 2).join(os.getpid())
    folders = [folder.parent.name for folder in version_1.rglob("bailey-*") if folder.is_dir()]
    assert sorted(folders) == ["cpu,cpuacct", "memory", "pids"]
    assert 2 <= int(next(version_1.glob("cpu,cpuacct/bailey-*/cpu.shares")).read_text()) <= 410  # of 1024


def test_version_1_without_the_optional_controller(version_1: Path) -> None:
    (version_1 / "cpu").unlink()
    hierarchy = cgroup.find(version_1)
    assert hierarchy is not None
    assert (set(hierarchy.parents), hierarchy.weighs) == ({"memory", "pids", "cpuacct"}, False)
    hierarchy.create(Limits(), 2)
    assert not list(version_1.rglob("cpu.shares"))


def test_leftovers_in_a_single_controller_are_swept() -> None:
    hierarchy = cgroup.find(CONTROL_GROUPS)
    if hierarchy is None:
        pytest.skip("this host lets this user make no control groups")
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    left = [
        parent / f"bailey-{namespace}-{os.getpid()}-1-{number:x}"  # of an earlier process with this number
        for number, parent in enumerate(hierarchy.parents.values())
    ]
    for folder in left:
        folder.mkdir()
    hierarchy.sweep()
    assert not [folder for folder in left if folder.exists()]


def test_version_2_without_delegation(version_2: Path) -> None:
    (version_2 / "cgroup.controllers").write_text("hugetlb\n")
    assert cgroup.find(version_2) is None
    assert cgroup.find(version_2 / "nothing") is None
