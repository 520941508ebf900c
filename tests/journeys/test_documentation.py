"""Every command and every example in the documents, run as a reader would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import chdir, suppress
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.config import load_config
from tests.helm.chart import helm
from tests.journeys.appliance import ROOT, Appliance
from tests.journeys.sandbox_service import Service, machine_with
from tests.sandbox.certificates import Authority

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}
PLACEHOLDER_TASK = "tsk_0123456789abcdef0123"


def blocks(language: str) -> list[str]:
    return [block for text in TEXTS.values() for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def commands() -> list[str]:
    """The lines of every shell block, then what stands in backticks and begins with a program of ours."""
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    inline = [found for text in TEXTS.values() for found in re.findall(r"`((?:bailey|helm|make) [^`]+)`", text)]
    return list(dict.fromkeys(filter(None, [*lines, *inline])))


COMMANDS = commands()


def test_all_commands_are_of_a_kind_that_is_run_here() -> None:
    assert len(COMMANDS) > 20
    assert {command.split()[0] for command in COMMANDS} == {"bailey", "helm", "make"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_knows_the_target(command: str) -> None:
    """What the targets do is run by other tests, by CI itself and by the bench."""
    dry = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.strip()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("helm ")])
def test_helm_would_install_it(command: str) -> None:
    """All that needs no cluster: tests/helm looks at what comes of it."""
    done = helm(*shlex.split(command)[1:], "--dry-run=client")
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


def test_every_bailey_command_in_order(appliance: Appliance, project: Path, tmp_path: Path) -> None:
    line = {"custom_id": "a", "body": {"model": "small", "messages": [{"role": "user", "content": "hello"}]}}
    (tmp_path / "in.jsonl").write_text(json.dumps({**line, "url": "/v1/chat/completions"}) + "\n")
    real = {"~/textkit": str(project), "NAME": "someone"}
    real |= {"--source path:/models/coder-2.gguf": "--set delay_seconds=0"}  # a scripted model has no weights
    real |= {"coder@v2": "strong@v2", "rollback coder": "rollback strong"}
    (tmp_path / "other.yaml").write_text(appliance.config)
    (tmp_path / "test_low.py").write_text("assert low('A') == 'a'")
    (tmp_path / "main.py").write_text("print('hello')\n")
    for command in sorted((c for c in COMMANDS if c.startswith("bailey ")), key=lambda c: "revoke" in c):
        if command.startswith("bailey serve"):
            continue  # the fixture has it running; `make serve` is tested below
        if command.startswith("bailey sandbox serve"):
            continue  # it ends when it is told to, see below
        if command.startswith(("bailey up", "bailey down")):
            continue  # they take a Ray cluster: tests/cluster runs them
        if "-adapter " in command:
            continue  # that takes a model on vLLM: test_adapters.py runs it
        if "REQUEST_ID" in command:
            real["REQUEST_ID"] = str(appliance.entries("calls")[-1].data["request_id"])
        done = run(appliance, command, real, tmp_path)
        assert done.exit_code == 0, f"{command}:\n{done.output}{done.exception}"
        if "task submit" in command:
            task, *_ = re.findall(r"tsk_\w+", done.output)
            real[PLACEHOLDER_TASK] = task
        if "keys list" in command:
            real["KEY_ID"] = done.output.splitlines()[-1].split()[0]  # the newest


def run(appliance: Appliance, command: str, real: dict[str, str], folder: Path) -> Result:
    """In this process: the others start `bailey` as a program, and its start is most of a short command's time."""
    for placeholder, value in real.items():
        command = command.replace(placeholder, value)
    decides = re.search(r" (approve|rollback|models add|canary|promote) ", command)
    environment = {**appliance.environment, "BAILEY_API_KEY": appliance.keys["grace" if decides else "ada"]}
    if "models" in command:
        environment["BAILEY_CONFIG"] = str(ROOT / "models.yaml")
        command = command.replace("someone", "nano-coder")
    with chdir(folder):
        return CliRunner(env=environment).invoke(app, shlex.split(command)[1:])


def test_make_serve_prints_the_address_and_a_first_key(tmp_path: Path) -> None:
    """With the bundled models; the port is the only thing that is not as a newcomer has it."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    environment |= {"BAILEY_DATA": str(tmp_path), "BAILEY_PORT": "0"}
    with subprocess.Popen(
        ["make", "serve"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as serving:  # fmt: skip
        assert serving.stdout
        said = ""
        while "First key" not in said and (line := serving.stdout.readline()):
            said += line
        os.killpg(serving.pid, signal.SIGINT)
        assert re.search(r"^Bailey listens on http://127\.0\.0\.1:\d+/v1$", said, re.MULTILINE)
        assert re.search(r"^First key \(role approver, shown only now\): bly_\S+$", said, re.MULTILINE)
        try:
            serving.communicate(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(serving.pid, signal.SIGKILL)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("bailey sandbox serve ")])
def test_a_sandbox_is_served_as_it_is_written(command: str) -> None:
    """Only the places are others: a socket and files in a folder with a short path, and any port."""
    with tempfile.TemporaryDirectory(prefix="bailey-") as made:
        folder = Path(made)
        files = Authority(folder).files("server")
        real = {"/run/bailey": made, "0.0.0.0:8443": "127.0.0.1:0"}
        real |= {"/etc/bailey/tls/ca.crt": str(files.authority), "/etc/bailey/tls/tls.crt": str(files.certificate)}
        real |= {"/etc/bailey/tls/tls.key": str(files.key)}
        for placeholder, value in real.items():
            command = command.replace(placeholder, value)
        service = Service(machine_with(folder / "machine", "{slots: 1}"), tuple(shlex.split(command)[3:])).start()
        assert service.end(signal.SIGTERM) == 0
        assert service.url.startswith((f"unix:{made}/", "https://127.0.0.1:"))


@pytest.mark.parametrize("block", blocks("yaml"))
def test_models_yaml_examples_are_valid(block: str, tmp_path: Path) -> None:
    found = yaml.safe_load(block)
    if isinstance(found, dict) and "apiBase" in str(found):
        return  # an editor's file, not ours
    ours = yaml.safe_load((ROOT / "models.yaml").read_text())
    for section, entries in ({"models": found} if isinstance(found, list) else found).items():
        if isinstance(entries, dict):
            ours[section] = entries
            continue
        names = {entry.get("name") for entry in entries}
        ours[section] = [*(entry for entry in ours.get(section, []) if entry["name"] not in names), *entries]
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(ours))
    load_config(tmp_path / "models.yaml")


@pytest.mark.parametrize("block", blocks("python"))
def test_python_examples_run(block: str, appliance: Appliance) -> None:
    code = block.replace("http://127.0.0.1:8400", appliance.url).replace("bly_...", appliance.keys["ada"])
    assert code != block
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = "text.lower()" if "whisper" in block else "Hello from the small model."
    assert expected in done.stdout


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) < 150
