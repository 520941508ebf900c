"""Fixtures of the journeys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.codegen.conftest import commit_files, git
from tests.journeys.appliance import Appliance

PROJECT = {
    "textkit/__init__.py": "",
    "textkit/words.py": '"""Words."""\n\n\ndef shout(text):\n    """Upper case."""\n    return text.upper()\n',
    "tests/test_words.py": (
        "from textkit import words\n\n\n"
        "def test_shout():\n    assert words.shout('a') == 'A'\n\n\n"
        "def test_whisper():\n    assert words.whisper('A b') == 'a b'\n"
    ),
}


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """A running appliance with scripted models."""
    folder = tmp_path / "appliance"
    folder.mkdir()
    running = Appliance(folder).start()
    yield running
    running.stop()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with one red test: `whisper` does not exist yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit_files(folder, PROJECT, "Begin")
    return folder
