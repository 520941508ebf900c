"""What a person or a log sees of a long pull."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from gateway.cli.models import pulling
from inference.weights.pull import Plan
from inference.weights.remote import Listing, RemoteFile

MIB = 2**20
FILES = (RemoteFile("a.gguf", 3 * MIB), RemoteFile("b.gguf", MIB))
PLAN = Plan(Listing("main", FILES), FILES, 0)


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    said = io.StringIO()
    monkeypatch.setattr(pulling, "out", Console(file=said, force_terminal=terminal, width=100, highlight=False))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    with pulling._progress("coder", PLAN) as watch:
        watch("a.gguf", 3 * MIB)
        watch("b.gguf", MIB // 2)
    return said.getvalue()


def test_lines_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_LINE_SECONDS", 0.0)
    lines = shown(monkeypatch, terminal=False).splitlines()
    assert lines == ["coder: 3.00 MiB of 4.00 MiB, a.gguf", "coder: 3.50 MiB of 4.00 MiB, b.gguf"]


def test_not_a_line_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, terminal=False) == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = shown(monkeypatch, terminal=True)
    assert "coder" in bar
    assert "3.5/4.0 MiB" in bar
