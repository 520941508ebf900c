"""What the tests of the recipe share: the families' splits, a running cage and a few problems of every family."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from training.corpus.build import codes_of_others, draw_problems, earlier_versions
from training.corpus.execute import Runner
from training.corpus.mixing import Material
from training.corpus.mutants import find_mistake
from training.corpus.registry import all_families
from training.corpus.split import FamilySplit, split_family
from training.corpus.types import Problem

SEED = 1


@pytest.fixture(scope="package")
def splits() -> list[FamilySplit]:
    """Every family's split, by the seed of the committed held-out set."""
    return [split_family(family, SEED) for family in all_families()]


@pytest.fixture(scope="package")
def runner() -> Iterator[Runner]:
    """A child that executes programs."""
    with Runner() as started:
        yield started


@pytest.fixture(scope="package")
def problems(splits: list[FamilySplit]) -> list[Problem]:
    """One training problem of every family."""
    return [next(draw_problems(split, "train", 1, SEED)) for split in splits]


@pytest.fixture(scope="package")
def materials(splits: list[FamilySplit], problems: list[Problem], runner: Runner) -> list[Material]:
    """What samples of every sixth family are made of, each with a wrong answer where one was found."""
    rng = random.Random(SEED)
    codes = [problem.reference for problem in problems]
    made = []
    for split, problem in list(zip(splits, problems, strict=True))[::6]:
        old = earlier_versions(split, problem, rng)
        mistake = find_mistake(problem, old, runner, rng)
        made.append(Material(problem, old, mistake, codes_of_others(problem, codes, rng)))
    return made
