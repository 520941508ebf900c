"""A real small repository, as a checkout and as a bare server repository; and an appliance that works on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.assemble import Appliance, opened_appliance
from gateway.config import parse_config
from gateway.settings import Settings
from tests.codegen.running import CONFIG

SITE = Path(__file__).parents[2] / ".sandbox-site"

FILES = {
    "textkit/__init__.py": "",
    "textkit/words.py": '"""Words."""\n\n\ndef shout(text):\n    """Upper case."""\n    return text.upper()\n',
    "tests/test_words.py": "from textkit.words import shout\n\n\ndef test_shout():\n    assert shout('a') == 'A'\n",
}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com")
    run = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def commit_files(folder: Path, files: dict[str, str], message: str) -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "textkit"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit_files(folder, FILES, "Begin")
    return folder


@pytest.fixture
def bare(tmp_path: Path, checkout: Path) -> Path:
    folder = tmp_path / "server.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(checkout), str(folder))
    return folder


class Gate:
    """A hook of a bare repository that stops every push until it is answered with an exit code."""

    def __init__(self, bare: Path, folder: Path) -> None:
        self.hook, self._reached, self._verdict = bare / "hooks/pre-receive", folder / "reached", folder / "verdict"
        os.mkfifo(self._reached)
        os.mkfifo(self._verdict)
        self.hook.parent.mkdir(exist_ok=True)
        self.hook.write_text(f"#!/bin/sh\necho here > {self._reached}\nread code < {self._verdict}\nexit $code\n")
        self.hook.chmod(0o755)

    def reached(self) -> None:
        """Wait until a push stands before the gate."""
        self._reached.read_text()

    def answer(self, code: int) -> None:
        """Let it through (0) or turn it away."""
        self._verdict.write_text(f"{code}\n")


@pytest.fixture
def gate(bare: Path, tmp_path: Path) -> Gate:
    return Gate(bare, tmp_path)


def has_change(bare: Path) -> bool:
    return "whisper" in git(bare, "show", "main:textkit/words.py")


@pytest.fixture
async def appliance(tmp_path: Path) -> AsyncIterator[Appliance]:
    settings = Settings(data=tmp_path / "data", sandbox_site=SITE)
    async with opened_appliance(parse_config(CONFIG, tmp_path / "models.yaml"), settings) as opened:
        yield opened
