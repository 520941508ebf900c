"""Builds the corpus: draws problems for every part, executes each, mixes samples, writes JSON lines.

Called by the command line; the same seed gives the same bytes.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from training.corpus.execute import Runner
from training.corpus.mixing import Material, draw_kind, make_sample
from training.corpus.mutants import find_mistake
from training.corpus.naming import draw_names, draw_training_names
from training.corpus.registry import all_families
from training.corpus.split import FamilySplit, split_family
from training.corpus.tasks import make_problem
from training.corpus.types import Part, Problem, Sample

OTHERS = 12
PATIENCE = 20
KEPT_BACK = 4


class CorpusError(Exception):
    """A family's reference fails its own tests."""


def draw_problems(split: FamilySplit, part: Part, count: int, seed: int) -> Iterator[Problem]:
    """Up to `count` different problems of one part, going through its combinations in turn."""
    rng = random.Random(f"{seed}:{part}:{split.family.key}")
    options, phrasings = split.options[part], split.phrasings[part]
    seen: set[str] = set()
    tries = 0
    while len(seen) < count and tries < count + PATIENCE:
        chosen = options[tries % len(options)]
        names = draw_training_names(split.family, chosen, rng) if part == "train" else draw_names(split.family, rng)
        problem = make_problem(split.family, chosen, names, rng.choice(phrasings), rng)
        tries += 1
        if problem.instruction not in seen:
            seen.add(problem.instruction)
            yield problem


def verify(problem: Problem, runner: Runner) -> None:
    """Execute a problem's reference against its tests. Raises CorpusError if one fails."""
    for test, failure in zip(
        problem.tests, runner.run(f"{problem.test_imports}\n{problem.reference}", problem.tests), strict=True
    ):
        if failure is not None:
            raise CorpusError(f"{problem.family} {dict(problem.options)}: {test} gives {failure}\n{problem.reference}")


def training_samples(splits: Sequence[FamilySplit], per_family: int, seed: int, runner: Runner) -> Iterator[Sample]:
    """The training part: each problem executed, then made into one sample, family by family in turn."""
    drawn = [list(draw_problems(split, "train", share(split, per_family), seed)) for split in splits]
    rng = random.Random(f"{seed}:mix")
    codes = [problems[number % len(problems)].reference for number in range(50) for problems in drawn]
    for number in range(max(map(len, drawn))):
        for split, problems in zip(splits, drawn, strict=True):
            if number < len(problems):
                verify(problems[number], runner)
                kind = draw_kind(rng)
                old = earlier_versions(split, problems[number], rng)
                mistake = find_mistake(problems[number], old, runner, rng) if kind == "repair" else None
                others = codes_of_others(problems[number], codes, rng)
                yield make_sample(kind, Material(problems[number], old, mistake, others), rng)


def share(split: FamilySplit, per_family: int) -> int:
    """How many problems a family contributes: more if it has more combinations to tell apart."""
    return round(per_family * (0.5 + math.log2(len(split.options["train"])) / 8))


def earlier_versions(split: FamilySplit, problem: Problem, rng: random.Random) -> list[str]:
    """Up to two codes for other training options, with the problem's own identifiers."""
    siblings = [make_sibling(split, problem, rng) for _ in range(2)]
    return [code for code in dict.fromkeys(siblings) if code != problem.reference]


def codes_of_others(problem: Problem, codes: Sequence[str], rng: random.Random) -> list[str]:
    """Codes of other problems that do not call or define the problem's name."""
    return [code for code in rng.sample(codes, OTHERS) if f" {problem.name}(" not in code]


def make_sibling(split: FamilySplit, problem: Problem, rng: random.Random) -> str:
    """The reference for other training options, with the problem's own identifiers."""
    options = rng.choice(split.options["train"])
    return split.family.make(problem.names, **options).code.strip() + "\n"


def write_corpus(work: Path, per_family: int, seed: int, show: Callable[[int, int], None]) -> dict[str, int]:
    """Write train.jsonl, dev.jsonl and heldout.jsonl into the folder; return how many lines each has."""
    splits = [split_family(family, seed) for family in all_families()]
    expected = sum(share(split, per_family) for split in splits)
    counts = {}
    with Runner() as runner:
        for part in ("dev", "heldout"):
            problems = [problem for split in splits for problem in draw_problems(split, part, KEPT_BACK, seed)]
            for problem in problems:
                verify(problem, runner)
            counts[part] = write_lines(work / f"{part}.jsonl", map(as_row, number(problems)))
        samples = training_samples(splits, per_family, seed, runner)
        rows = (
            {"kind": s.kind, "family": s.family, "segments": [[x.text, x.learn] for x in s.segments]} for s in samples
        )
        counts["train"] = write_lines(work / "train.jsonl", counted(rows, expected, show))
    return counts


def number(problems: Iterable[Problem]) -> Iterator[tuple[str, Problem]]:
    """Each problem with an id: its family and a number within it."""
    seen: Counter[str] = Counter()
    for problem in problems:
        seen[problem.family] += 1
        yield f"{problem.family}-{seen[problem.family]}", problem


def as_row(numbered: tuple[str, Problem]) -> dict[str, object]:
    """A problem as one line of a task file."""
    name, problem = numbered
    return {
        "id": name,
        "family": problem.family,
        "theme": problem.theme,
        "name": problem.name,
        "instruction": problem.instruction,
        "reference": problem.reference,
        "tests": list(problem.tests),
        "test_imports": problem.test_imports,
    }


def counted(rows: Iterable[object], expected: int, show: Callable[[int, int], None]) -> Iterator[object]:
    """The same rows, while a progress display moves."""
    for done, row in enumerate(rows, 1):
        show(done, expected)
        yield row


def write_lines(path: Path, rows: Iterable[object]) -> int:
    """Write JSON lines in one piece: a file that is there is whole. Return how many."""
    count = 0
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    partial.replace(path)
    return count
