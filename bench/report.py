"""Rows of a measurement: shown as a table, kept as bench/results/GROUP.json, and copied into the README.

A row compares one figure of ours with the same figure of a peer, measured in the same run.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


def machine() -> str:
    """What the figures were measured on."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    cores = len(re.findall(r"^processor", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1_048_576
    return ", ".join([model[1] if model else platform.machine(), f"{cores} cores", f"{memory} GiB", *_gpus()])


def _gpus() -> list[str]:
    """The names of the graphics processors, if there are any."""
    asked = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    if shutil.which(asked[0]) is None:
        return []
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")[:-1]


@dataclass(frozen=True)
class Row:
    """`ours` and `peer` are medians over `runs` in the same unit, named in `what`; `bar` is what the ratio must reach.

    `holds` is None where no bar was set.
    """

    what: str
    ours: float
    peer: float | None
    bar: str = ""
    holds: bool | None = None
    runs: int = 1
    ratio: float | None = field(init=False)
    machine: str = field(default_factory=machine)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", round(self.ours / self.peer, 3) if self.peer else None)


def keep(group: str, rows: Sequence[Row], notes: dict[str, object] | None = None) -> Path:
    """Show the rows and write them down."""
    shown = Table(title=f"{group} ({rows[0].machine}, {rows[0].date})")
    for column in ("what", "ours", "peer", "ratio", "bar", "holds", "runs"):
        shown.add_column(column)
    for row in rows:
        holds = "" if row.holds is None else "yes" if row.holds else "NO"
        cells = (row.what, _number(row.ours), _number(row.peer), _number(row.ratio), row.bar, holds, str(row.runs))
        shown.add_row(*cells)
    Console().print(shown)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{group}.json"
    content = {"group": group, "rows": [asdict(row) for row in rows], "notes": notes or {}}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def put_into(document: Path, marker: str, lines: Sequence[str]) -> None:
    """Replace what stands between `<!-- marker -->` and `<!-- /marker -->` in a Markdown file."""
    text = document.read_text()
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    document.write_text(before + "\n".join([begin, *lines, end]) + after)
