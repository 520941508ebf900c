"""The file that a batch writes to: whatever is in it that is not ours stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.batch_files import keep_answered
from gateway.problems import BatchProblem


def answer(custom_id: str | None, error: object = None) -> str:
    fields: dict[str, Any] = {"id": "req_1", "custom_id": custom_id, "response": {}, "error": error}
    return json.dumps(fields)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text("{}\n")
    return tmp_path / "in.jsonl"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("my thesis", 1),
        ("my thesis\n", 1),
        ('{"id": 1}\n', 1),
        ('{"id": "one", "name": "no answer"}', 1),
        ('{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {}}\n', 1),
        ("\xff\n", 1),
        ("[" * 200_000, 1),
        (f"{answer('a')}\n\nmine\n{answer('b')}\n", 3),
        (f"{answer('a')}\n{{\n", 2),
    ],
)
def test_what_is_not_ours_is_left_alone(source: Path, text: str, line: int) -> None:
    target = source.with_name("thesis.txt")
    target.write_text(text)
    with pytest.raises(BatchProblem, match=f"line {line} of it is no answer of a batch"):
        keep_answered(source, target)
    assert target.read_text() == text


@pytest.mark.parametrize("torn", ["", "{", '{"id": "', answer("c")[:-1], "\n"])
def test_answers_stay_and_errors_and_a_torn_line_go(source: Path, torn: str) -> None:
    target = source.with_name("out.jsonl")
    target.write_text(f"{answer('a')}\n{answer('b', {})}\n{answer(None, {})}\n{torn}")
    assert keep_answered(source, target) == {"a"}
    assert target.read_text() == answer("a") + "\n"


@pytest.mark.parametrize("linked", [False, True])
def test_questions_are_no_place_for_answers(source: Path, linked: bool) -> None:
    target = source
    if linked:
        target = source.with_name("link.jsonl")
        target.symlink_to(source)
    with pytest.raises(BatchProblem, match="both the questions and the answers"):
        keep_answered(source, target)
    assert source.read_text() == "{}\n"
