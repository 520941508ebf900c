"""`bailey batch run`: fifty lines without a server, killed in the middle, finished by running it again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import ROOT, Appliance

CONFIG = """
version: 1
tiers: [draft]
models:
  - {name: quick, engine: scripted, tier: draft, context_tokens: 500, replies: [{text: done}],
     capabilities: [chat, completion, embeddings]}
  - {name: slow, engine: scripted, tier: draft, context_tokens: 500, replies: [{text: "one two three"}],
     delay_seconds: 0.1}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}}
"""


@pytest.fixture
def offline(tmp_path: Path) -> Appliance:
    (tmp_path / "models.yaml").write_text(CONFIG)
    return Appliance(tmp_path)


def chat(number: int, model: str = "quick") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"question {number}"}]}
    return {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_may_ask_for_verified_answers(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        CONFIG.replace("replies: [{text: done}]", 'replies: [{text: "def two():\\n    return 2"}]')
    )
    asked = [chat(1), chat(2), chat(3, "verified/quick")]
    asked[0]["body"]["verify"] = {"tests": "assert two() == 2"}
    asked[1]["body"]["verify"] = {"tests": "assert two() == 3"}
    source, target = write(tmp_path / "in.jsonl", asked), tmp_path / "out.jsonl"
    run = Appliance(tmp_path).bailey("batch", "run", str(source), str(target))
    assert run.returncode == 3, run.stderr
    first, second, third = sorted(answers(target), key=lambda answer: str(answer["custom_id"]))
    assert first["response"]["body"]["verification"]["attempts"][-1]["outcome"] == "pass"
    assert second["error"]["code"] == "verification_failed"
    assert third["response"]["body"]["verification"]["attempts"][-1]["check"] == "lint"


def test_fifty_lines_of_all_kinds(offline: Appliance, tmp_path: Path) -> None:
    lines: list[Any] = [chat(number) for number in range(46)]
    lines.append({"custom_id": "vector", "url": "/v1/embeddings", "body": {"model": "quick", "input": "text"}})
    lines.append({"custom_id": "nobody", "url": "/v1/chat/completions", "body": {"model": "nobody", "messages": []}})
    lines.append({"custom_id": "elsewhere", "url": "/v1/images", "body": {}})
    lines.append("this is not JSON")
    source, target = write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl"
    run = offline.bailey("batch", "run", str(source), str(target))
    assert run.returncode == 3, run.stderr
    assert "47 answered, 0 answered before, 3 failed." in run.stdout
    by_id = {answer["custom_id"]: answer for answer in answers(target)}
    assert len(by_id) == 50
    assert by_id["line-7"]["response"]["body"]["choices"][0]["message"]["content"] == "done"
    assert len(by_id["vector"]["response"]["body"]["data"]) == 1
    assert by_id["elsewhere"]["error"]["message"].startswith("Line 49: `url` '/v1/images' is not served; valid: ")
    assert by_id[None]["error"]["code"] == "invalid_value"

    again = offline.bailey("batch", "run", str(source), str(target))
    assert again.returncode == 3
    assert "0 answered, 47 answered before, 3 failed." in again.stdout
    assert len(answers(target)) == 50


def test_a_killed_batch_goes_on_and_answers_every_line_once(offline: Appliance, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [chat(number, "slow") for number in range(50)])
    target = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "gateway.cli", "batch", "run", str(source), str(target)]
    running = subprocess.Popen(
        command, env=offline.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not target.exists() or len(target.read_bytes().splitlines()) < 8:
        assert time.monotonic() < deadline
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = len(target.read_bytes().splitlines())
    with target.open("ab") as torn:
        torn.write(b'{"id": "req_1", "custom_id": "line-4')  # what a kill in the middle of a write leaves

    run = offline.bailey("batch", "run", str(source), str(target))
    assert run.returncode == 0, run.stderr
    assert f"{50 - before} answered, {before} answered before, 0 failed." in run.stdout
    assert sorted(answer["custom_id"] for answer in answers(target)) == sorted(f"line-{n}" for n in range(50))


UNREADABLE = (
    "[" * 200_000,
    '{"custom_id": "\\ud800"}',
    '{"custom_id": "deep", "body": {"a": ' + "[" * 200_000,
    "9" * 5_000,
    "\x00",
)


def test_a_line_that_cannot_even_be_read_is_a_line_with_an_error(offline: Appliance, tmp_path: Path) -> None:
    source, target = write(tmp_path / "in.jsonl", [chat(1), *UNREADABLE, chat(3)]), tmp_path / "out.jsonl"
    run = offline.bailey("batch", "run", str(source), str(target))
    assert (run.returncode, run.stderr.count("Traceback")) == (3, 0)
    assert "2 answered, 0 answered before, 5 failed." in run.stdout
    failed = [answer["error"]["message"] for answer in answers(target) if answer["error"]]
    assert sorted(message[:8] for message in failed) == [f"Line {number}: " for number in range(2, 7)]


def test_swapped_arguments_cost_no_questions(offline: Appliance, tmp_path: Path) -> None:
    questions = write(tmp_path / "in.jsonl", [chat(1)])
    before = questions.read_bytes()
    run = offline.bailey("batch", "run", str(write(tmp_path / "other.jsonl", [chat(2)])), str(questions))
    assert (run.returncode, questions.read_bytes()) == (1, before)
    assert "line 1 of it is no answer of a batch" in run.stderr


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [(None, "cannot be read: No such file"), ([chat(1), chat(1)], "has custom_id 'line-1' more than once")],
)
def test_a_batch_that_cannot_run_says_why(
    offline: Appliance, tmp_path: Path, lines: list[Any] | None, sentence: str
) -> None:
    source = tmp_path / "in.jsonl"
    if lines is not None:
        write(source, lines)
    run = offline.bailey("batch", "run", str(source), str(tmp_path / "out.jsonl"))
    assert run.returncode == 1
    assert sentence in run.stderr
    assert not (tmp_path / "out.jsonl").exists()
