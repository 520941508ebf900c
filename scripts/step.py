"""A step of the set-up that leaves a stamp, and commands that say what went wrong. `setup.py` is made of them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".setup"


class SetupError(Exception):
    """Set-up cannot go on; the message is a full sentence that says what to do."""


@dataclass(frozen=True)
class Step:
    """`inputs` decide whether the step must run again; `output` must exist for the stamp to count."""

    title: str
    inputs: Sequence[object]
    output: Path
    run: Callable[[], None]

    @property
    def stamp(self) -> Path:
        return STATE / (re.sub(r"\W+", "-", self.title) + ".done")

    @property
    def fingerprint(self) -> str:
        parts = [item.read_bytes() if isinstance(item, Path) else str(item).encode() for item in self.inputs]
        return hashlib.sha256(b"\0".join([*parts, sys.version.encode()])).hexdigest()

    @property
    def done(self) -> bool:
        return self.output.exists() and self.stamp.exists() and self.stamp.read_text() == self.fingerprint


def call(*command: object, env: dict[str, str] | None = None, quiet: bool = True) -> None:
    """Run a command; its output is shown only when it fails."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if result.returncode:
        tail = "\n".join((result.stdout or "").splitlines()[-25:])
        shown = " ".join(str(part) for part in command[:6])
        raise SetupError(f"The command `{shown} ...` failed with exit code {result.returncode}:\n{tail}")
