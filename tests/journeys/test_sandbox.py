"""The sandbox from the command line: what the host gives, programs in jails, hostile programs held."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from sandbox.catalogue import profile_names
from sandbox.linters.confinement import landlock_abi
from sandbox.processes import tree
from sandbox.selfcheck import CHECKS
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.sandbox.confined import WITHOUT_JAILS, needs_landlock


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """A machine on which no appliance runs."""
    machine = Appliance(tmp_path_factory.mktemp("sandbox"))
    (machine.folder / "models.yaml").write_text(SCRIPTED)
    return machine


def test_doctor_says_what_this_host_gives(host: Appliance) -> None:
    said = host.bailey("sandbox", "doctor")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(("Tier A: user namespaces and control groups", "Tier B: user namespaces without"))
    lines = {words[0]: words[1] for line in said.stdout.splitlines() if (words := line.split())}
    assert {lines[name] for name in profile_names()} <= {"works", "refuses"}
    assert (lines["python"], lines["pytest"], lines["shell"]) == ("works", "works", "works")
    if not shutil.which("go", path="/usr/bin"):
        assert lines["go"] == "refuses"
        assert "install golang-go, or name a folder with bin/go in sandbox.toolchains.go" in said.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide the control groups")
def test_a_host_without_control_groups(host: Appliance) -> None:
    """Doctor says what would raise the tier; an operator who demands more gets that sentence instead of a sandbox."""
    hide = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh")
    without = Appliance(host.folder, within=hide)
    said = without.bailey("sandbox", "doctor", "--json")
    assert said.returncode == 0, said.stderr
    report = json.loads(said.stdout)
    assert (report["tier"], [profile["name"] for profile in report["profiles"]]) == ("B", [*profile_names()])
    (shortfall,) = report["shortfalls"]
    assert shortfall.startswith("tier A: no control groups")
    assert "Delegate=yes" in shortfall
    (host.folder / "strict.yaml").write_text(SCRIPTED + "sandbox: {minimum_tier: A}\n")
    without.variables["BAILEY_CONFIG"] = str(host.folder / "strict.yaml")
    refused = without.bailey("sandbox", "doctor")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "This host cannot isolate untrusted code" in refused.stderr
    assert "no control groups" in refused.stderr


@needs_landlock
def test_a_host_without_jails(tmp_path: Path) -> None:
    """Whoever accepts tier D gets a linter there, and a sentence wherever generated code would have run."""
    host = Appliance(tmp_path, within=WITHOUT_JAILS)
    (tmp_path / "models.yaml").write_text(SCRIPTED)
    refused = host.bailey("sandbox", "doctor")
    assert refused.returncode == 1
    assert "This host cannot isolate untrusted code" in refused.stderr
    (tmp_path / "models.yaml").write_text(SCRIPTED + "sandbox: {minimum_tier: D}\n")
    said = host.bailey("sandbox", "doctor")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("Tier D: Landlock, a system call filter")
    assert f"Landlock ABI {landlock_abi()}, kernel" in said.stdout
    lines = {words[0]: words[1] for line in said.stdout.splitlines() if (words := line.split())}
    works = [name for name in profile_names() if lines[name] == "works"]
    assert works == ["lint"]
    (tmp_path / "bad.py").write_text("import os\n")
    linted = host.bailey("sandbox", "run", "--profile", "lint", str(tmp_path / "bad.py"))
    assert (linted.returncode, "F401" in linted.stdout) == (3, True)
    for command in (("sandbox", "run", str(tmp_path / "bad.py")), ("sandbox", "test")):
        other = host.bailey(*command)
        assert (other.returncode, other.stdout) == (1, "")
        assert "tier D" in other.stderr
    assert "generated code does not run here" in host.bailey("config", "check", "--host").stdout


@needs_landlock
def test_verified_answers_without_jails(tmp_path: Path) -> None:
    """Linters decide as elsewhere; tests refuse before anything of the answer could run."""
    running = Appliance(tmp_path, SCRIPTED + "sandbox: {minimum_tier: D}\n", within=WITHOUT_JAILS)
    (tmp_path / "models.yaml").write_text(running.config)
    running.keys = {"ada": running.key("ada")}
    running.start()
    try:
        asked = {"model": "auto", "messages": [{"role": "user", "content": "Write whisper(text)."}]}
        headers = {"authorization": f"Bearer {running.keys['ada']}"}
        answers = [
            httpx.post(f"{running.url}/v1/chat/completions", json={**asked, "verify": how}, headers=headers, timeout=60)
            for how in ({"checks": ["security"]}, {"tests": "assert whisper('A') == 'a'"})
        ]
    finally:
        running.stop()
    assert answers[0].json()["verification"]["attempts"][-1]["outcome"] == "pass", answers[0].text
    assert answers[1].status_code == 503
    assert "'pytest' does not work here: it can execute generated code" in answers[1].json()["error"]["message"]


def test_verified_answers_take_jails_that_stand_ready(tmp_path: Path) -> None:
    """Each serves one check and another takes its place; none is left when the appliance stops."""
    running = Appliance(tmp_path, SCRIPTED + "sandbox: {warm: {pytest: 1}}\n")
    (tmp_path / "models.yaml").write_text(running.config)
    running.keys = {"ada": running.key("ada")}
    running.start()
    try:
        first = _standing(running)
        asked = {
            "model": "auto",
            "messages": [{"role": "user", "content": "Write whisper(text)."}],
            "verify": {"tests": "assert whisper('A ') == 'a '"},
        }
        headers = {"authorization": f"Bearer {running.keys['ada']}"}
        answer = httpx.post(f"{running.url}/v1/chat/completions", json=asked, headers=headers, timeout=60).json()
        assert [each["outcome"] for each in answer["verification"]["attempts"]] == ["fail", "fail", "pass"]
        last = _standing(running)
        assert last != first
    finally:
        running.stop()
    assert not Path(f"/proc/{last}").exists()


def _standing(running: Appliance) -> int:
    """The process of the one nsjail that waits with pytest, once there is one."""
    assert running.process is not None
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for pid in tree(running.process.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"nsjail") and words[-2] == b"pytest":
                    return pid
        time.sleep(0.02)
    raise AssertionError(running.log())


def test_a_file_runs_and_its_record_tells_everything(host: Appliance, tmp_path: Path) -> None:
    program = tmp_path / "add.py"
    program.write_text("import sys\nprint(sum(map(int, sys.argv[1:])))\n")
    said = host.bailey("sandbox", "run", str(program), "--memory-mib", "64", "--", "1", "2")
    assert (said.returncode, said.stdout) == (0, "3\n"), said.stderr
    told = json.loads(host.bailey("sandbox", "run", str(program), "--json", "--", "20", "22").stdout)
    (record,) = told["records"]
    assert (told["ok"], told["stdout"], record["outcome"], record["profile"]) == (True, "42\n", "exited", "python")
    assert record["argv"] == ["python", "-B", "./add.py", "20", "22"]
    assert [each["path"] for each in record["inputs"]] == ["add.py"]


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (("--profile", "shell", "--", "sh", "-c", "echo out; exit 7"), 3, "out\n", "ended with exit code 7 after"),
        (("--wall-seconds", "0.3", "--", "python", "-c", "while True: pass"), 3, "", "was stopped: timeout after"),
        (("--memory-mib", "9999", "--", "python", "-V"), 1, "", "memory_mib=9999 is not possible"),
    ],
)
def test_how_a_run_ends(host: Appliance, words: tuple[str, ...], code: int, out: str, err: str) -> None:
    said = host.bailey("sandbox", "run", *words)
    assert (said.returncode, said.stdout) == (code, out), said.stderr
    assert err in said.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--profile", "perl", "--", "perl"), "no sandbox profile 'perl'; known are python, pytest"),
        (("data.txt",), "No profile takes a file named data.txt"),
        ((), "Give a file, or a command after"),
        (("--step", ""), "A step is empty"),
        (("--step", "echo 'open"), "cannot be split into words: No closing quotation"),
        (("--step", "ls", "--", "ls"), "Steps are all there is to run"),
    ],
)
def test_what_cannot_be_asked(
    host: Appliance, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    """Said before a sandbox is opened, and so without a process of its own here."""
    monkeypatch.setenv("BAILEY_CONFIG", str(host.folder / "models.yaml"))
    said = CliRunner().invoke(app, ["sandbox", "run", *words])
    assert said.exit_code == 2
    assert reason in " ".join(said.stderr.replace("│", " ").split())


def test_steps_share_one_workspace(host: Appliance, tmp_path: Path) -> None:
    """Each in a jail of its own; after one that fails there are no more, and nothing is left of any."""
    (tmp_path / "in.txt").write_text("from outside\n")
    steps = ("cp in.txt kept.txt", "sh -c 'echo more >>kept.txt; exec 3>&1; sleep 60 &'", "cat kept.txt")
    words = [word for step in steps for word in ("--step", step)]
    said = host.bailey("sandbox", "run", "--profile", "shell", "--tree", str(tmp_path), *words)
    assert (said.returncode, said.stdout) == (0, "from outside\nmore\n"), said.stderr
    failing = ("--step", "sh -c 'echo 1 >file'", "--step", "false", "--step", "cat file")
    said = host.bailey("sandbox", "run", "--profile", "shell", *failing, "--json")
    assert (said.returncode, "Step 2 of 3 ended with exit code 1" in said.stderr) == (3, True)
    records = json.loads(said.stdout)["records"]
    assert [record["facts"]["workspace_step"] for record in records] == [1, 2]
    assert [each["path"] for each in records[1]["inputs"]] == ["file"]
    assert len({record["facts"]["workspace"] for record in records}) == 1


@pytest.mark.skipif(not shutil.which("gcc", path="/usr/bin"), reason="this host has no C compiler")
def test_a_build_and_a_run(host: Appliance, tmp_path: Path) -> None:
    program = tmp_path / "main.c"
    program.write_text('#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n')
    told = json.loads(host.bailey("sandbox", "run", str(program), "--json").stdout)
    build, run = told["records"]
    assert told["stdout"] == "built\n"
    assert [each["path"] for each in build["artefacts"]] == ["program"]
    assert build["artefacts"] == run["inputs"]
    program.write_text("int main(void) { return 1 }\n")
    said = host.bailey("sandbox", "run", str(program))
    assert (said.returncode, "The build ended with exit code 1" in said.stderr) == (3, True)


def test_hostile_programs_are_held(host: Appliance) -> None:
    said = host.bailey("sandbox", "test")
    assert said.returncode == 0, said.stdout + said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines()] == ["held"] * len(CHECKS)
