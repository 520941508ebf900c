"""What the documents say was measured is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report
from bench.models import readme_table
from bench.report import ROOT, Row, keep, put_into


def test_the_readme_has_the_figures_of_the_last_run() -> None:
    notes = json.loads((ROOT / "bench" / "results" / "models.json").read_text())["notes"]
    table = "\n".join(["<!-- bench models -->", *readme_table(notes), "<!-- /bench models -->"])
    assert table in (ROOT / "README.md").read_text()


def test_rows_are_kept_with_their_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    kept = json.loads(keep("group", [Row("speed", 3.0, 2.0, "at least 1.0", holds=True, runs=5)]).read_text())
    assert kept["rows"][0].items() >= {"what": "speed", "ours": 3.0, "peer": 2.0, "ratio": 1.5, "holds": True}.items()
    assert set(kept["rows"][0]) == {"what", "ours", "peer", "ratio", "bar", "holds", "runs", "machine", "date"}


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("above\n<!-- m -->\nold\n<!-- /m -->\nbelow\n")
    put_into(document, "m", ["new"])
    assert document.read_text() == "above\n<!-- m -->\nnew\n<!-- /m -->\nbelow\n"
