"""A real small repository, as a checkout and as a bare server repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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
