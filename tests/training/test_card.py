"""The bundled models' cards say what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.card import model_card
from training.evaluate import read_exams
from training.recipes import recipe
from training.results import parameters

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "inference" / "bundled"
RESULTS = {
    "model": "pico-coder", "parameters": 1234567, "tasks_file": "heldout.jsonl", "tasks": 784, "passed": 392,
    "pass_at_1": 0.5, "by_theme": {"dates": 0.25, "text": 0.625}, "most_failed_families": ["account", "caesar"],
    "training": {},
}  # fmt: skip
CONFIG = {
    "num_hidden_layers": 5, "hidden_size": 128, "num_attention_heads": 4, "intermediate_size": 352,
    "vocab_size": 2048, "max_position_embeddings": 1024,
}  # fmt: skip


def write(folder: Path, **changes: object) -> Path:
    """A folder with what a card needs."""
    (folder / "results.json").write_text(json.dumps({**RESULTS, **changes}), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return folder


def test_a_card_tells_the_figures(tmp_path: Path) -> None:
    card = model_card(write(tmp_path))
    for words in ("1,234,567 parameters", "**392 of 784 (50.0 %)**", "| dates | 25.0 % |", "| text | 62.5 % |"):
        assert words in card
    for words in (
        "`account`, `caesar`",
        "smoke test",
        "not an assistant",
        "it fails 392",
        "log of the run was not kept",
    ):
        assert words in card


def test_a_card_tells_how_the_run_went(tmp_path: Path) -> None:
    run = {"steps": 10, "of_steps": 10, "tokens": 20480, "seconds": 1800, "final_loss": 0.25}
    assert "10 of 10 steps over 20,480 tokens" in model_card(write(tmp_path, training=run))
    where = {"machine": "an abacus, 2 cores", "threads": 1, "device": "cpu"}
    card = model_card(write(tmp_path, training={**run, **where}))
    assert "took 30 minutes on an abacus, 2 cores (threads: 1, cpu); the loss of the last steps was 0.250" in card


@pytest.mark.parametrize("name", ["pico-coder", "nano-coder"])
def test_a_bundled_card_is_that_of_its_results(name: str) -> None:
    folder = BUNDLED / name
    assert (folder / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card(folder)


@pytest.mark.parametrize("name", ["pico-coder", "nano-coder"])
def test_bundled_results_are_of_the_bundled_model_and_the_committed_tasks(name: str) -> None:
    results = json.loads((BUNDLED / name / "results.json").read_text(encoding="utf-8"))
    config = json.loads((BUNDLED / name / "config.json").read_text(encoding="utf-8"))
    exams = read_exams(ROOT / "training" / "heldout.jsonl")
    assert results["model"] == name
    assert results["parameters"] == parameters(BUNDLED / name / "model.safetensors")
    assert results["tasks"] == len(exams)
    assert results["by_theme"].keys() == {exam.theme for exam in exams}
    assert round(results["passed"] / results["tasks"], 4) == results["pass_at_1"]
    shape = recipe(name, config["vocab_size"]).shape
    assert (config["hidden_size"], config["num_hidden_layers"]) == (shape.width, shape.layers)
