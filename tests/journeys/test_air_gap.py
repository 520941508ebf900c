"""With `air_gapped: true` nothing leaves the machine: the whole appliance at work where every attempt is counted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.weights import WeightsStore
from inference.weights.remote import Access
from inference.weights.store import BUNDLED
from tests.inference.weights_servers import Bucket, Hub, served
from tests.journeys.air_gap import Gap, air_gap
from tests.journeys.appliance import ROOT, SCRIPTED, Appliance
from tests.journeys.test_code_task import INSTRUCTION

WEIGHTS = (BUNDLED / "pico-coder" / "pico-coder.Q8_0.gguf").read_bytes()
LLAMA = "engine: llama.cpp, tier: draft, context_tokens: 512, threads: 1"
MODELS = f"""
  - {{name: bundled, source: "bundled:nano-coder", {LLAMA}}}
  - {{name: embedder, source: "bundled:pico-coder", capabilities: [embeddings], {LLAMA}}}
  - {{name: from-hub, source: "hf:acme/coder@main", {LLAMA}}}
  - {{name: from-bucket, source: "s3://models/coder.gguf", {LLAMA}}}
routes:"""
CONFIG = "air_gapped: true\n" + SCRIPTED.replace("\nroutes:", MODELS).replace("embedder: small", "embedder: embedder")


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gap]:
    with air_gap(tmp_path_factory.mktemp("gap")) as made:
        yield made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the side with a network has pulled."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch, served(Hub({"coder.gguf": WEIGHTS}).app()) as hub:
        filled = WeightsStore(folder, access=Access(hub))
        filled.gguf("hf:acme/coder@main")
        with served(Bucket({"coder.gguf": WEIGHTS}).app()) as s3:
            keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_S3": s3}
            for name, value in keys.items():
                patch.setenv(name, value)
            filled.gguf("s3://models/coder.gguf")
    return folder


def appliance_in(gap: Gap, folder: Path, people: tuple[Path, dict[str, str]], config: str = CONFIG) -> Appliance:
    shutil.copytree(people[0], folder / "data")
    (folder / "models.yaml").write_text(config)
    return Appliance(folder, config, dict(people[1]), within=gap.within)


ATTEMPTS = {
    "a connection": "socket.create_connection(('192.0.2.1', 443), 1)",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "a connected datagram socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))",
    "a look-up": "socket.getaddrinfo('huggingface.co', 443)",
    "the machines around": "socket.create_connection(('10.0.0.1', 80), 1)",
    "a cloud's metadata": "socket.create_connection(('169.254.169.254', 80), 1)",
    "a multicast": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('224.0.0.251', 5353))",
    "a connection over IPv6": "socket.create_connection(('2001:db8::1', 443), 1)",
    "a datagram over IPv6": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::1', 53))",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_the_witness_sees(gap: Gap, attempt: str) -> None:
    before = gap.attempts()
    run = subprocess.run([*gap.within, sys.executable, "-c", f"import socket; {attempt}"], capture_output=True)
    assert run.returncode == 1
    assert gap.attempts() > before


def test_the_witness_sees_what_a_process_does_after_its_parent_has_ended(gap: Gap) -> None:
    before = gap.attempts()
    script = "(sleep 0.2; exec $PYTHON -c \"import socket; socket.create_connection(('192.0.2.1', 443), 1)\") &"
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([*gap.within, "sh", "-c", script], env=environment, check=True, stderr=subprocess.DEVNULL)
    until_more_than(gap, before)


def test_the_witness_lets_the_loopback_be(gap: Gap) -> None:
    before = gap.attempts()
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    subprocess.run([*gap.within, sys.executable, "-c", script], check=True)
    assert gap.attempts() == before


def until_more_than(gap: Gap, before: int) -> None:
    deadline = time.monotonic() + 30
    while gap.attempts() == before:
        assert time.monotonic() < deadline, "no attempt was counted"
        time.sleep(0.05)


def test_the_whole_appliance_at_work_attempts_nothing(
    gap: Gap, store: Path, people: tuple[Path, dict[str, str]], project: Path, tmp_path: Path
) -> None:
    before = gap.attempts()
    appliance = appliance_in(gap, tmp_path, people)
    appliance.variables["BAILEY_WEIGHTS"] = str(store)
    appliance.start()
    try:
        for model in ("bundled", "from-hub", "from-bucket", "small"):
            said(appliance, "chat", "--model", model, "--max-tokens", "5", "hello")
        (task_id, *_) = re.findall(
            r"tsk_[0-9a-f]+", said(appliance, "task", "submit", INSTRUCTION, "--repository", str(project))
        )
        said(appliance, "task", "approve", task_id, who="grace")
    finally:
        appliance.stop()
    lines: list[tuple[str, dict[str, Any], str]] = [
        ("chat/completions", {"messages": [{"role": "user", "content": "hello"}]}, "bundled")
    ]
    lines.append(("embeddings", {"input": "text"}, "embedder"))
    (tmp_path / "in.jsonl").write_text(
        "".join(
            json.dumps({"custom_id": path, "method": "POST", "url": f"/v1/{path}", "body": {"model": model, **body}})
            + "\n"
            for path, body, model in lines
        )
    )
    said(appliance, "batch", "run", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    for command in (("pull", "--all"), ("verify",)):
        said(appliance, "models", *command)
    said(appliance, "config", "check", "--host")
    assert gap.attempts() == before


def said(appliance: Appliance, *arguments: str, who: str = "ada") -> str:
    run = appliance.bailey(*arguments, key=appliance.keys[who])
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize(
    "source", ["hf:acme/other@main", "s3://models/other", "oci:registry.example.com/acme/coder:v1"]
)
def test_weights_that_are_not_in_the_store_stop_the_start_without_an_attempt(
    gap: Gap, people: tuple[Path, dict[str, str]], tmp_path: Path, source: str
) -> None:
    before = gap.attempts()
    appliance = appliance_in(gap, tmp_path, people, CONFIG.replace("hf:acme/coder@main", source))
    run = appliance.bailey("serve", "--port", "0")
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"The weights of '{source}' are not in the store" in run.stderr
    assert gap.attempts() == before


@pytest.mark.parametrize("air_gapped", [True, False])
def test_the_same_pull_is_seen_where_it_is_allowed(
    gap: Gap, people: tuple[Path, dict[str, str]], tmp_path: Path, air_gapped: bool
) -> None:
    """The appliance's own code, doing what the test before says it does not: the witness would have seen it."""
    appliance = appliance_in(
        gap, tmp_path, people, CONFIG if air_gapped else CONFIG.replace("gapped: true", "gapped: false")
    )
    online = ["--online"] if air_gapped else []
    command = [*gap.within, sys.executable, "-m", "gateway.cli", "models", "pull", "from-hub", *online]
    before = gap.attempts()
    running = subprocess.Popen(command, env=appliance.environment, cwd=ROOT)
    try:
        until_more_than(gap, before)
    finally:
        running.kill()
        running.wait()


def test_a_model_that_is_wrongly_called_local_is_seen(
    gap: Gap, people: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """What the operator declares is believed, and what the serving appliance then does is counted."""
    about = "engine: http, url: 'http://192.0.2.1/v1', location: local, tier: draft, context_tokens: 500"
    wrong = f"\n  - {{name: wrong, {about}}}"
    appliance = appliance_in(
        gap, tmp_path, people, "air_gapped: true\n" + SCRIPTED.replace("\nroutes:", f"{wrong}\nroutes:")
    )
    before = gap.attempts()
    appliance.start()
    try:
        assert appliance.bailey("chat", "--model", "wrong", "hello", key=appliance.keys["ada"]).returncode == 1
    finally:
        appliance.stop()
    assert gap.attempts() > before
