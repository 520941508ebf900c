"""What is known of a trained model, as results.json holds it: measured pass@1, size, and how it was trained.

`python -m training evaluate` writes it, `python -m training card` and tests read it.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from training.evaluate import Outcome

SHOWN_FAMILIES = 12
LAST_STEPS = 100


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """pass@1 overall and by theme, and the families that fail most."""
    total, passed = Counter[str](), Counter[str]()
    failing = Counter(outcome.exam.family for outcome in outcomes if not outcome.passed)
    for outcome in outcomes:
        total[outcome.exam.theme] += 1
        passed[outcome.exam.theme] += outcome.passed
    worst = sorted(failing.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_FAMILIES]
    return {
        "tasks": len(outcomes),
        "passed": sum(passed.values()),
        "pass_at_1": round(sum(passed.values()) / max(1, len(outcomes)), 4),
        "by_theme": {theme: round(passed[theme] / total[theme], 4) for theme in sorted(total)},
        "most_failed_families": [family for family, _ in worst],
    }


def parameters(weights: Path) -> int:
    """How many numbers a safetensors file holds: its header says so."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(entry["shape"]) for key, entry in header.items() if key != "__metadata__")


def training_figures(work: Path, name: str) -> dict[str, object]:
    """How a run went, from the log in its work folder; empty if there is none."""
    log = work / f"{name}.log.jsonl"
    if not log.exists():
        return {}
    steps = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [step["loss"] for step in steps[-LAST_STEPS:]]
    figures = {
        "steps": steps[-1]["number"],
        "of_steps": steps[-1]["of"],
        "tokens": steps[-1]["tokens"],
        "seconds": round(steps[-1]["seconds"]),
        "final_loss": round(sum(losses) / len(losses), 4),
    }
    where = work / f"{name}.machine.json"
    return {**figures, **(json.loads(where.read_text(encoding="utf-8")) if where.exists() else {})}


def machine(threads: int, device: str) -> dict[str, object]:
    """What a run trains on, kept beside its log."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return {"machine": f"{processor}, {os.cpu_count()} cores", "threads": threads, "device": device}
