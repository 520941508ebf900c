"""Reads RouteLLM's outcomes (whether the weak and the strong model answered each prompt of MMLU and GSM8K right).

They are no part of this repository: all are in RouteLLM's own, looked for in .setup/peers/RouteLLM, or a selection of
them in .setup/peers/routing. Prompts that RouteLLM found in its training data are dropped, as it does.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.report import ROOT

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt; `subject` is MMLU's, or the benchmark's name."""

    prompt: str
    weak: bool
    strong: bool
    subject: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the outcomes are: `mmlu` is a folder with a file per subject, `gsm8k` a file."""

    mmlu: Path
    mmlu_contaminated: Path
    gsm8k: Path
    gsm8k_contaminated: Path


_ALL = ROOT / ".setup" / "peers" / "RouteLLM" / "routellm" / "evals"
_SOME = ROOT / ".setup" / "peers" / "routing"
SOURCES = (
    Source(
        _ALL / "mmlu" / "responses",
        _ALL / "mmlu" / "contaminated_prompts.jsonl",
        _ALL / "gsm8k" / "gsm8k_responses.csv",
        _ALL / "gsm8k" / "contaminated_prompts.jsonl",
    ),
    Source(
        _SOME / "mmlu_responses",
        _SOME / "mmlu_contaminated_prompts.jsonl",
        _SOME / "gsm8k" / "gsm8k_outcomes.csv",
        _SOME / "gsm8k" / "contaminated_prompts.jsonl",
    ),
)


def source() -> Source | None:
    """The first that is there."""
    return next((each for each in SOURCES if each.mmlu.is_dir()), None)


def mmlu(source: Source) -> list[Item]:
    """All subjects that are there, in the order of their names."""
    found: list[Item] = []
    for path in sorted(source.mmlu.glob("mmlu_*.csv")):
        found += _items(path, path.stem.removeprefix("mmlu_"))
    return _clean(found, source.mmlu_contaminated)


def gsm8k(source: Source) -> list[Item]:
    """Grade school mathematics."""
    return _clean(list(_items(source.gsm8k, "gsm8k")), source.gsm8k_contaminated)


def _items(path: Path, subject: str) -> Iterator[Item]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Item(row["prompt"], row[WEAK] == "True", row[STRONG] == "True", subject)


def _clean(items: list[Item], contaminated: Path) -> list[Item]:
    lines = contaminated.read_text(encoding="utf-8").splitlines()
    dropped = {json.loads(line)["eval_prompt"] for line in lines}
    return [item for item in items if item.prompt not in dropped]
