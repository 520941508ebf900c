"""From a hub to a folder, from the folder to a machine without a network, and an answer there."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.weights.store import BUNDLED
from tests.inference.weights_servers import Fault, Hub, served, sha256
from tests.journeys.appliance import ROOT, Appliance

WEIGHTS = (BUNDLED / "pico-coder" / "pico-coder.Q8_0.gguf").read_bytes()
CONFIG = f"""
version: 1
air_gapped: true
tiers: [draft]
models:
  - {{name: coder, engine: llama.cpp, source: "hf:acme/coder@main", sha256: {sha256(WEIGHTS)}, tier: draft,
     context_tokens: 512, threads: 1}}
  - {{name: same, engine: llama.cpp, source: "hf:acme/coder@main", tier: draft, context_tokens: 512, threads: 1,
     versions: [{{version: v2, source: "hf:acme/coder@v1"}}]}}
  - {{name: script, engine: scripted, tier: draft, context_tokens: 500, replies: [{{text: done}}]}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""
SLOW = Fault(pause_seconds=0.4)


@pytest.fixture
def hub() -> Hub:
    return Hub({"coder.gguf": WEIGHTS, "README.md": b"hello"}, token="the-key")


@pytest.fixture
def connected(hub: Hub, tmp_path: Path) -> Iterator[Appliance]:
    """The side that has a network."""
    folder = tmp_path / "connected"
    folder.mkdir()
    (folder / "models.yaml").write_text(CONFIG)
    with served(hub.app()) as url:
        yield Appliance(folder, CONFIG, variables={"BAILEY_HF_ENDPOINT": url, "BAILEY_HF_TOKEN": "the-key"})


def pull(appliance: Appliance, *arguments: str) -> subprocess.CompletedProcess[str]:
    run = appliance.bailey("models", "pull", *arguments)
    assert "Traceback" not in run.stderr
    assert "the-key" not in run.stdout + run.stderr
    return run


def stored(store: Path) -> int:
    return sum(path.stat().st_size for path in store.rglob("coder.gguf"))


def stopped_in_the_middle(appliance: Appliance, store: Path, how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """A pull that gets a signal when it has a part of the file more."""
    before = stored(store)
    hears = ["env", "--default-signal=INT"]  # whatever started the tests may be deaf to interrupts, as `&` makes it
    command = [*hears, sys.executable, "-m", "gateway.cli", "models", "pull", "coder", "--online", "--to", str(store)]
    pipe = subprocess.PIPE
    running = subprocess.Popen(command, env=appliance.environment, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    deadline = time.monotonic() + 60
    while stored(store) < before + 50_000:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(how)
    out, err = running.communicate(timeout=30)
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def test_a_store_is_filled_here_and_used_there(hub: Hub, connected: Appliance, tmp_path: Path) -> None:
    store = tmp_path / "store"
    refused = pull(connected, "--all", "--to", str(store))
    assert refused.returncode == 1
    assert "nothing is fetched in an air gap" in refused.stderr
    assert hub.asked == []
    shown = pull(connected, "--all", "--to", str(store), "--online", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "2.70 MiB to fetch; " in shown.stdout, "as far as is known before the first of two is here"
    assert not store.exists()
    assert hub.bodies.starts == {}

    # Killed, interrupted, and gone on with each time; what two sources have is fetched once.
    hub.bodies.faults["coder.gguf"] = [SLOW, SLOW, Fault(ends_after=100_000), Fault(status=503)]
    assert stopped_in_the_middle(connected, store, signal.SIGKILL).returncode == -signal.SIGKILL
    interrupted = stopped_in_the_middle(connected, store, signal.SIGINT)
    assert interrupted.returncode == 130, interrupted
    assert "Traceback" not in interrupted.stderr
    pulled = pull(connected, "--all", "--to", str(store), "--online")
    assert pulled.returncode == 0, pulled.stderr
    assert f"digest {sha256(WEIGHTS)}" in pulled.stdout
    assert "3 models are ready" in pulled.stdout
    starts = hub.bodies.starts["coder.gguf"]
    assert starts == sorted(starts)
    assert starts[0] == 0 < starts[1]
    again = pull(connected, "coder", "--to", str(store), "--online")
    assert "nothing" in again.stdout
    assert hub.bodies.starts["coder.gguf"] == starts

    answers_there(Appliance(tmp_path / "there", CONFIG), store)


def answers_there(there: Appliance, store: Path) -> None:
    """On another machine, where the store is mounted."""
    there.folder.mkdir()
    shutil.copytree(store, there.folder / "mounted")
    there.variables["BAILEY_WEIGHTS"] = str(there.folder / "mounted")
    there.start()
    try:
        there.keys["ada"] = there.key("ada")
        said = there.bailey("chat", "--model", "coder", "hello", key=there.keys["ada"])
        assert said.returncode == 0, said.stderr
    finally:
        there.stop()
    assert pull(there, "--all").returncode == 0
    listed = there.bailey("models", "list").stdout.splitlines()
    assert [line.split()[-1] for line in listed[1:]] == ["here", "here", "here", "elsewhere"]
    verified = there.bailey("models", "verify")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.count(f"digest {sha256(WEIGHTS)}") == 3
    file = next((there.folder / "mounted").rglob("coder.gguf"))
    file.write_bytes(WEIGHTS[::-1])
    verified = there.bailey("models", "verify")
    assert verified.returncode == 1
    assert sha256(WEIGHTS) in verified.stderr
    assert sha256(WEIGHTS[::-1]) in verified.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name the models to pull, or say --all."),
        (("coder", "--all"), "Name the models to pull, or say --all."),
        (("nobody",), "There is no model 'nobody'; declared: coder, same, same@v2, script."),
        (("script",), "The model 'script' has no weights here"),
    ],
)
def test_what_cannot_be_pulled(connected: Appliance, arguments: tuple[str, ...], sentence: str) -> None:
    run = pull(connected, *arguments)
    assert run.returncode == 2
    assert sentence in " ".join(run.stderr.replace("│", " ").split())
