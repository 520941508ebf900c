"""The evaluator counts what passes, by running it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codegen.prompts import code_block, draft
from gateway.config import load_config
from gateway.sandboxes import opened_sandbox
from gateway.settings import Settings
from sandbox.protocol import Sandbox
from training.corpus.markup import conversation
from training.evaluate import Outcome, code_of, evaluate_model, read_exams
from training.results import parameters, summary, training_figures

ROOT = Path(__file__).parents[2]
HELDOUT = ROOT / "training" / "heldout.jsonl"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    settings = Settings(sandbox_site=ROOT / ".sandbox-site")
    async with opened_sandbox(load_config(ROOT / "models.yaml").sandbox, settings) as opened:
        yield opened


@pytest.fixture
async def outcomes(sandbox: Sandbox) -> list[Outcome]:
    """Sixteen tasks, answered by someone who knows the references and gives every fourth one wrongly."""
    rows = [json.loads(line) for line in HELDOUT.read_text(encoding="utf-8").splitlines()]
    exams = {exam.id: exam for exam in read_exams(HELDOUT)}
    answers = {}
    for place, row in enumerate(rows[:16]):
        wrong = "raise SystemExit(0)" if place == 11 else f"{row['reference']}\ndel {row['name']}"
        text = code_block(wrong if place % 4 == 3 else row["reference"])
        answers[conversation(draft(row["instruction"]))] = text if place % 8 else f"Here it is:\n{text}\nEnjoy."
    seen: list[tuple[int, int]] = []
    chosen = [exams[row["id"]] for row in rows[:16]]
    found = await evaluate_model(answers.__getitem__, chosen, sandbox, lambda done, of: seen.append((done, of)))
    assert seen == [(place, 16) for place in range(1, 17)]
    return found


def test_wrong_answers_fail_and_right_answers_pass(outcomes: list[Outcome]) -> None:
    assert [outcome.passed for outcome in outcomes] == [place % 4 != 3 for place in range(16)]


def test_the_summary_adds_up(outcomes: list[Outcome]) -> None:
    figures = summary(outcomes)
    assert (figures["tasks"], figures["passed"], figures["pass_at_1"]) == (16, 12, 0.75)
    themes = {outcome.exam.theme for outcome in outcomes}
    shares = {}
    for theme in themes:
        of_theme = [outcome.passed for outcome in outcomes if outcome.exam.theme == theme]
        shares[theme] = round(sum(of_theme) / len(of_theme), 4)
    assert figures["by_theme"] == shares
    assert figures["most_failed_families"] == sorted({outcome.exam.family for outcome in outcomes[3::4]})[:12]
    assert summary([])["pass_at_1"] == 0


def test_code_is_taken_out_of_an_answer() -> None:
    assert code_of("Text\n```python\nx = 1\n```\nand ```python\ny = 2\n```") == "x = 1\n"
    assert code_of("x = 1\n") == "x = 1\n"


def test_a_log_gives_the_figures_of_a_run(tmp_path: Path) -> None:
    assert training_figures(tmp_path, "pico-coder") == {}
    steps = [
        {
            "number": number,
            "of": 300,
            "loss": 1.0 if number <= 100 else 0.5,
            "tokens": 10 * number,
            "seconds": number / 2,
        }
        for number in range(1, 201)
    ]
    lines = "".join(json.dumps(step) + "\n" for step in steps)
    (tmp_path / "pico-coder.log.jsonl").write_text(lines, encoding="utf-8")
    expected = {"steps": 200, "of_steps": 300, "tokens": 2000, "seconds": 100, "final_loss": 0.5}
    assert training_figures(tmp_path, "pico-coder") == expected
    (tmp_path / "pico-coder.machine.json").write_text(
        '{"machine": "an abacus, 2 cores", "threads": 1}', encoding="utf-8"
    )
    assert training_figures(tmp_path, "pico-coder") == {**expected, "machine": "an abacus, 2 cores", "threads": 1}


def test_parameters_are_counted_from_the_header(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": {"shape": [3, 4]}, "b": {"shape": [5]}, "c": {"shape": []}}
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert parameters(tmp_path / "model.safetensors") == 18
