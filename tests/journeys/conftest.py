"""Fixtures of the journeys."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.codegen.conftest import commit_files, git
from tests.journeys.appliance import SCRIPTED, Appliance

PROJECT = {
    "textkit/__init__.py": "",
    "textkit/words.py": '"""Words."""\n\n\ndef shout(text):\n    """Upper case."""\n    return text.upper()\n',
    "tests/test_words.py": (
        "from textkit import words\n\n\n"
        "def test_shout():\n    assert words.shout('a') == 'A'\n\n\n"
        "def test_whisper():\n    assert words.whisper('A b') == 'a b'\n"
    ),
}


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data folder in which ada (developer) and grace (approver) have keys, and the keys."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "models.yaml").write_text(SCRIPTED)
    nobody_runs = Appliance(folder)
    return folder / "data", {"ada": nobody_runs.key("ada"), "grace": nobody_runs.key("grace", "approver")}


@pytest.fixture(scope="module")
def shared_appliance(
    people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    """One appliance with scripted models for all tests of a module."""
    running = with_people(tmp_path_factory.mktemp("appliance"), people).start()
    yield running
    running.stop()


@pytest.fixture
def appliance(shared_appliance: Appliance) -> Appliance:
    """The module's appliance, running."""
    return shared_appliance if shared_appliance.process else shared_appliance.start()


def with_people(
    folder: Path, people: tuple[Path, dict[str, str]], config: str = SCRIPTED, **variables: str
) -> Appliance:
    """An appliance, not started, in which these people have keys of their own; keys made in it are its own."""
    data, keys = people
    shutil.copytree(data, folder / "data")
    return Appliance(folder, config, dict(keys), variables)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with one red test: `whisper` does not exist yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    # A note that no other project has: evidence is cached by content, and each test is to earn its own.
    commit_files(folder, {**PROJECT, "NOTES.md": f"{tmp_path}\n"}, "Begin")
    return folder
