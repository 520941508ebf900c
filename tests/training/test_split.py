"""What is kept back stays kept back, and the held-out set is what the seed says."""

from __future__ import annotations

import json
from pathlib import Path

from training.corpus.build import KEPT_BACK, as_row, draw_problems, number, verify, write_lines
from training.corpus.execute import Runner
from training.corpus.split import FamilySplit, values
from training.corpus.types import Options

SEED = 1
HELDOUT = Path(__file__).parents[2] / "training" / "heldout.jsonl"


def keys(found: object) -> set[str]:
    """Combinations of options as comparable texts."""
    assert isinstance(found, list)
    return {repr(sorted(options.items())) for options in found}


def test_no_phrasing_is_in_two_parts_and_no_combination_kept_back_is_in_training(splits: list[FamilySplit]) -> None:
    for split in splits:
        train, dev, heldout = (split.phrasings[part] for part in ("train", "dev", "heldout"))
        assert heldout and dev and len(train) >= 4, split.family.key
        assert not (set(train) & set(dev) or set(train) & set(heldout) or set(dev) & set(heldout)), split.family.key
        options = {part: keys(split.options[part]) for part in ("train", "dev", "heldout")}
        assert options["train"] and options["heldout"] and options["dev"], split.family.key
        assert not options["train"] & (options["dev"] | options["heldout"]), split.family.key


def test_every_kept_back_option_value_is_seen_in_training(splits: list[FamilySplit]) -> None:
    for split in splits:
        seen = {item for options in split.options["train"] for item in values(options)}
        for options in (*split.options["dev"], *split.options["heldout"]):
            assert set(values(options)) <= seen, split.family.key


def test_drawn_problems_stay_in_their_part(splits: list[FamilySplit]) -> None:
    for split in splits:
        kept = list(draw_problems(split, "heldout", KEPT_BACK, SEED)) + list(draw_problems(split, "dev", 4, SEED))
        instructions = {problem.instruction for problem in kept}
        combinations: list[Options] = [problem.options for problem in kept]
        for problem in draw_problems(split, "train", 12, SEED):
            assert problem.instruction not in instructions
            assert problem.phrasing not in {other.phrasing for other in kept}, split.family.key
            assert problem.options not in combinations, split.family.key


def test_the_committed_held_out_set_comes_from_the_seed(splits: list[FamilySplit], tmp_path: Path) -> None:
    drawn = [problem for split in splits for problem in draw_problems(split, "heldout", KEPT_BACK, SEED)]
    assert write_lines(tmp_path / "heldout.jsonl", map(as_row, number(drawn))) >= 500
    assert (tmp_path / "heldout.jsonl").read_bytes() == HELDOUT.read_bytes()


def test_held_out_tasks_have_ids_of_their_own_and_all_families() -> None:
    rows = [json.loads(line) for line in HELDOUT.read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len({row["instruction"] for row in rows}) == len(rows)
    assert len({row["family"] for row in rows}) >= 150


def test_held_out_references_pass_and_other_answers_fail(splits: list[FamilySplit], runner: Runner) -> None:
    drawn = [next(draw_problems(split, "heldout", 1, SEED)) for split in splits]
    for problem in drawn[::2]:
        verify(problem, runner)
    for problem, other in zip(drawn[::12], drawn[1::12], strict=False):
        failures = runner.run(f"{problem.test_imports}\n{other.reference}", problem.tests)
        assert any(failures), f"{problem.family}: the tests pass without {problem.name}"
