"""A `bailey serve` in a process of its own, on a data folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class DemoFailure(Exception):
    """Something did not happen as it should; the message says what."""


@dataclass(frozen=True)
class Place:
    """Where the demo's appliance keeps its data; `url` is empty until it runs."""

    data: Path
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        ours = {"BAILEY_CONFIG": str(ROOT / "models.yaml"), "BAILEY_DATA": str(self.data)}
        return {**os.environ, **ours, "BAILEY_SANDBOX_SITE": str(ROOT / ".sandbox-site")}

    def bailey(self, *arguments: str) -> str:
        """What a `bailey` command prints. Raises `DemoFailure` with what it said when it fails."""
        command = [sys.executable, "-m", "gateway.cli", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailure(f"`bailey {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()


@contextmanager
def appliance(data: Path) -> Iterator[Place]:
    """The appliance on a free port of 127.0.0.1 until the block ends; its log is `appliance.log` in the data folder."""
    command = [sys.executable, "-m", "gateway.cli", "serve", "--port", "0"]
    log_path = data / "appliance.log"
    with log_path.open("a") as log:
        process = subprocess.Popen(
            command, env=Place(data).environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield Place(data, _announced_url(process, log_path))
        finally:
            process.terminate()
            process.wait(30)


def _announced_url(process: subprocess.Popen[str], log_path: Path) -> str:
    for line in process.stdout or ():
        if found := re.search(r"http://\S+:\d+", line):
            return found[0]
    raise DemoFailure(f"The appliance did not start; {log_path} ends with:\n{log_path.read_text()[-1500:]}")
