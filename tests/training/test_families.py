"""Every family makes valid tasks: enough phrasings, compilable code, tests that its own answer passes."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from pathlib import Path

from training.corpus import registry
from training.corpus.build import verify
from training.corpus.clauses import each
from training.corpus.execute import Runner
from training.corpus.naming import draw_names
from training.corpus.registry import all_families
from training.corpus.split import FamilySplit
from training.corpus.tasks import combinations, make_problem, render_tests
from training.corpus.types import Family, Names, Problem, Task

README = (Path(__file__).parents[2] / "training" / "README.md").read_text(encoding="utf-8")
LEAST_FAMILIES, LEAST_PHRASINGS, LEAST_TESTS, LEAST_COMBINATIONS = 150, 6, 5, 16


def tasks_of(family: Family) -> list[Task]:
    """The family's tasks at a few places of its list of combinations, the first and the last among them."""
    every = combinations(family)
    names = (family.names[0], *(synonyms[0] for synonyms in family.arguments))
    return [family.make(names, **options) for options in (*every[:: max(1, len(every) // 6)], every[-1])]


def test_there_are_as_many_families_as_we_say_and_their_themes_are_few() -> None:
    families = all_families()
    assert len(families) >= LEAST_FAMILIES
    themes = Counter(family.theme for family in families)
    assert len(themes) <= 12
    assert min(themes.values()) >= 5, "a theme of a handful of families says nothing in a table"


def test_every_family_makes_valid_tasks() -> None:
    for family in all_families():
        assert len(combinations(family)) >= LEAST_COMBINATIONS, family.key
        for task in tasks_of(family):
            assert len(set(task.says)) == len(task.says) >= LEAST_PHRASINGS, family.key
            assert all(phrase[0].islower() for phrase in task.says), family.key
            assert not any(phrase.removesuffix("...").endswith(".") for phrase in task.says), family.key
            assert all(rule.endswith(".") for rules in task.rules for rule in rules), family.key
            tests = render_tests(task, family.names[0])
            assert len(tests) >= LEAST_TESTS, family.key
            ast.parse("\n".join([task.code, *tests]))


def test_every_combination_changes_the_task() -> None:
    for family in all_families():
        names = (family.names[0], *(synonyms[0] for synonyms in family.arguments))
        made = [family.make(names, **options) for options in combinations(family)]
        different = {(task.says, task.rules, task.code) for task in made}
        assert len(different) == len(made), family.key


def test_a_sample_of_every_family_passes_its_own_tests(problems: list[Problem], runner: Runner) -> None:
    assert {problem.family for problem in problems} == {family.key for family in all_families()}
    for problem in problems:
        verify(problem, runner)


def test_identifiers_are_taken_from_the_family_or_told_in_the_instruction(problems: list[Problem]) -> None:
    for problem in problems:
        assert f"`{problem.name}" in problem.instruction, problem.instruction
        assert f" {problem.name}" in problem.reference


def test_a_family_and_its_split_agree(splits: list[FamilySplit]) -> None:
    for split in splits:
        parts = [options for part in ("train", "heldout") for options in split.options[part]]
        assert len(parts) == len(combinations(split.family)), split.family.key


def test_the_readmes_example_is_a_family(runner: Runner) -> None:
    assert f"{len(all_families())} families" in README
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found
    namespace: dict[str, object] = {"family": registry.family, "each": each, "Names": Names, "Task": Task}
    exec("__name__ = 'training.corpus.families.lists.example'\n" + found[1], namespace)
    example = namespace["double_all"]
    assert isinstance(example, Family) and example.theme == "lists"
    rng = random.Random(1)
    for options in combinations(example):
        for phrasing in range(LEAST_PHRASINGS):
            verify(make_problem(example, options, draw_names(example, rng), phrasing, rng), runner)
