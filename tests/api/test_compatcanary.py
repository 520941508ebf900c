"""compatcanary, a scanner of OpenAI-compatible endpoints, finds nothing to complain about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.api.peers import Peer
from tests.journeys.appliance import ROOT

SCANNER = ROOT / ".setup" / "scanners" / "node_modules" / "compatcanary" / "src" / "cli.js"


def test_everything_is_green(tools: Peer) -> None:
    command = [str(Path(sys.executable).parent / "node"), str(SCANNER), "scan", "--profile", "modern"]
    command += ["--base-url", f"{tools.url}/v1", "--model", tools.model, "--fail-on", "any", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": tools.key}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {probe["id"]: probe["status"] for probe in json.loads(done.stdout)["results"]}
    assert len(found) == 7
    assert set(found.values()) == {"pass"}
