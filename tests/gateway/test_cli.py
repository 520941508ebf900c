"""The command line: whatever is wrong with an option, a variable or a file gets a sentence and an exit code."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli import main

ROOT = Path(__file__).parents[2]
NOWHERE = {"BAILEY_URL": "http://127.0.0.1:9"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs: with the shipped models.yaml, a binary file, a folder and a link that leads to itself."""
    (tmp_path / "models.yaml").write_text((ROOT / "models.yaml").read_text())
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def logs_as_they_were() -> Iterator[None]:
    """A command sends the logs of its process to standard error, which is closed to the tests after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def bailey(words: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command as `main` does; its exit code. What should not happen comes out as it is."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["bailey", *words])
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)  # that is for a process of its own
    with logs_as_they_were(), pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("words", "environment", "code", "sentence"),
    [
        ("keys create ada --days 1e12", {}, 1, "A key lasts at most 36500 days"),
        ("keys create ada --days nan", {}, 1, "A key lasts at most 36500 days, not nan"),
        ("keys create ada --role admin", {}, 2, "'developer', 'approver'"),
        ("keys revoke nothing", {}, 1, "There is no key 'nothing'"),
        ("keys list", {"BAILEY_PORT": "abc"}, 2, "BAILEY_PORT is 'abc': Input should be a valid integer"),
        ("keys list", {"BAILEY_LOG_LEVEL": "foo"}, 2, "BAILEY_LOG_LEVEL is 'FOO': Input should be 'DEBUG', 'INFO'"),
        (
            "keys list",
            {"BAILEY_DATABASE_URL": "mysql://x/y"},
            1,
            "BAILEY_DATABASE_URL cannot be used: The",
        ),
        ("keys list", {"BAILEY_DATA": "binary"}, 1, "The data folder binary cannot be used: File exists"),
        ("keys list", {"BAILEY_DATA": "binary/data"}, 1, "cannot be used: Not a directory"),
        ("serve --port 99999", {}, 2, "should be less than or equal to 65535"),
        ("serve --host nowhere.invalid", {}, 1, "cannot listen on nowhere.invalid:8400"),
        (f"serve --host {'x' * 300}", {}, 1, "cannot listen on"),
        ("serve", {"BAILEY_HOST": ""}, 2, "BAILEY_HOST is ''"),
        ("task list", {"BAILEY_URL": ":::"}, 1, "BAILEY_URL is ':::', which is not a URL"),
        ("task list", {**NOWHERE, "BAILEY_API_KEY": "blü"}, 1, "characters that no key has"),
        ("task list", {**NOWHERE, "BAILEY_API_KEY": "bly_x\nx-a: b"}, 1, "characters that no key has"),
        ("task list", NOWHERE, 1, "No appliance answers at http://127.0.0.1:9"),
        ("task submit x --budget nan", NOWHERE, 2, "It must be a number"),
        ("task submit x --test a=binary", NOWHERE, 2, "binary is not UTF-8 text"),
        ("task submit x --test a=folder", NOWHERE, 2, "folder cannot be read: Is a directory"),
        ("task submit x -r loop", NOWHERE, 1, "No appliance answers"),
        ("task submit \udcff", NOWHERE, 1, "not UTF-8 text, so it cannot be sent"),
        ("chat \udcff", NOWHERE, 1, "not UTF-8 text, so it cannot be sent"),
        ("ledger verify missing", {}, 2, "does not exist"),
        ("ledger verify folder", {}, 2, "is a directory"),
        ("ledger verify binary", {}, 1, "Line 1 cannot be read"),
        ("ledger verify deep", {}, 1, "Line 1"),
        ("ledger export missing/audit.jsonl", {}, 1, "missing/audit.jsonl: No such file or directory"),
        ("sandbox serve --listen nowhere", {}, 2, "'nowhere' is neither unix:/path/to/socket nor host:port"),
        ("sandbox serve --listen unix:/s --health 8444", {}, 2, "'8444' is not host:port"),
        ("config check folder", {}, 2, "the file cannot be read: Is a directory"),
    ],
)
def test_what_a_person_can_put_right_gets_a_sentence(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    environment: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    found = bailey(words.split(" "), environment, monkeypatch)
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence in said
    assert found == code
    assert "Traceback" not in said
