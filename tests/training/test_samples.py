"""Training samples say what the product will say, and their wrong answers are wrong."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from codegen.prompts import code_block, draft, repair
from inference.protocol import Message
from training.corpus import markup
from training.corpus.build import training_samples, write_lines
from training.corpus.execute import Runner
from training.corpus.mixing import KINDS, Material, make_sample
from training.corpus.split import FamilySplit
from training.corpus.types import Sample

ROOT = Path(__file__).parents[2]
SEED = 1
TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n?", re.DOTALL)
DIGEST = """
import hashlib
from training.corpus.build import training_samples
from training.corpus.execute import Runner
from training.corpus.registry import all_families
from training.corpus.split import split_family
splits = [split_family(family, 1) for family in all_families()[::20]]
with Runner() as runner:
    text = repr(list(training_samples(splits, 4, 1, runner)))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def samples(kind: str, materials: list[Material], count: int = 1) -> list[tuple[Material, Sample]]:
    """Samples of a kind from each material."""
    rng = random.Random(SEED)
    return [(material, make_sample(kind, material, rng)) for material in materials for _ in range(count)]


def messages(sample: Sample) -> list[Message]:
    """The turns of a conversation, read back from its text."""
    return [Message(role, content) for role, content in TURN.findall(sample.text)]


def learnt(sample: Sample) -> str:
    """The text on which the loss counts."""
    return "".join(segment.text for segment in sample.segments if segment.learn)


def test_a_draft_is_the_products_prompt_and_the_reference(materials: list[Material]) -> None:
    for material, sample in samples("draft", materials):
        assert messages(sample)[:-1] == list(draft(material.problem.instruction))
        assert learnt(sample) == code_block(material.problem.reference) + markup.IM_END


def test_context_stands_where_the_product_puts_it(materials: list[Material]) -> None:
    for kind in ("context", "long"):
        for material, sample in samples(kind, materials):
            question = messages(sample)[1].content
            instruction, _, excerpts = str(question).partition("\n\nContext:\n")
            passages = [f"{passage}\n" for passage in re.split(r"\n\n(?=# [\w/.]+:\d+-\d+\n)", excerpts)]
            again = draft(instruction, passages)
            assert (instruction, list(again)) == (material.problem.instruction, messages(sample)[:-1])
            assert learnt(sample) == code_block(material.problem.reference) + markup.IM_END


def test_a_repair_shows_an_answer_that_really_fails(materials: list[Material], runner: Runner) -> None:
    repairable = [material for material in materials if material.mistake is not None]
    assert len(repairable) > 0.8 * len(materials)
    for material, sample in samples("repair", repairable):
        problem = material.problem
        *asked, wrong, complaint, right = messages(sample)
        code = str(wrong.content).removeprefix("```python\n").removesuffix("\n```") + "\n"
        failures = runner.run(f"{problem.test_imports}\n{code}", problem.tests)
        assert any(failures), f"{problem.family}: the wrong answer passes\n{code}"
        said = str(complaint.content).splitlines()[1:-1]
        assert said and all(line.startswith("FAILED tests/test_") for line in said)
        assert [*asked, wrong, complaint] == list(repair(asked, str(wrong.content), "\n".join(said)))
        told = said[0].partition(" - ")[2].removesuffix("...")
        assert any(failure and failure.startswith(told) for failure in failures), (told, failures)
        assert learnt(sample) == str(right.content) + markup.IM_END == code_block(problem.reference) + markup.IM_END


def test_a_hole_and_its_surroundings_make_up_the_source(materials: list[Material]) -> None:
    alone = 0
    for material, sample in samples("infill", materials, 4):
        parts = re.split(r"<\|fim_prefix\|>|<\|fim_suffix\|>|<\|fim_middle\|>|<\|endoftext\|>", sample.text)
        empty, prefix, suffix, middle, end = parts
        assert (empty, end, learnt(sample)) == ("", "", middle + markup.END_OF_TEXT)
        source = prefix + middle + suffix
        compile(source, "source.py", "exec")
        alone += source == material.problem.reference
        assert material.problem.reference.splitlines()[-1] in source
    assert alone > 0.4 * 4 * len(materials)


def test_every_kind_ends_in_something_to_learn(materials: list[Material]) -> None:
    assert abs(sum(share for share, _ in KINDS.values()) - 1) < 1e-9
    for kind in KINDS:
        for _, sample in samples(kind, materials[:5]):
            assert sample.segments[-1].learn
            assert learnt(sample).endswith((markup.IM_END, markup.END_OF_TEXT)), kind


def test_the_chat_template_renders_what_samples_contain() -> None:
    turns = [*draft("Write a function."), Message("assistant", "No."), Message("user", "Please.\n{{ x }} <b>")]
    template = jinja2.Environment(autoescape=False).from_string(markup.CHAT_TEMPLATE)
    shown = [{"role": turn.role, "content": turn.content} for turn in turns]
    assert template.render(messages=shown, add_generation_prompt=True) == markup.conversation(turns)


def test_the_same_seed_gives_the_same_samples_in_another_process(splits: list[FamilySplit], runner: Runner) -> None:
    here = hashlib.sha256(repr(list(training_samples(splits[::20], 4, SEED, runner))).encode()).hexdigest()
    other = hashlib.sha256(repr(list(training_samples(splits[::20], 4, SEED + 1, runner))).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here != other


def test_a_file_that_is_interrupted_is_not_there(tmp_path: Path) -> None:
    """`make train` takes a corpus that is there for a whole one."""

    def rows() -> Iterator[object]:
        yield {"number": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lines(tmp_path / "train.jsonl", rows())
    assert not (tmp_path / "train.jsonl").exists()
    assert write_lines(tmp_path / "train.jsonl", [{"number": 1}]) == 1
    assert (tmp_path / "train.jsonl").read_text() == '{"number": 1}\n'
