"""Excerpts of a repository that was never written: what stands around a problem in a prompt."""

from __future__ import annotations

import random
from collections.abc import Sequence

from codegen.prompts import excerpt
from training.corpus.mutants import snake
from training.corpus.types import Problem

FOLDERS = ("", "src/", "app/", "lib/", "shop/", "tools/", "src/core/", "app/services/", "billing/", "api/")
MODULES = (
    "text", "strings", "lists", "numbers", "records", "dates", "parsing", "checks", "models", "helpers", "report",
    "format", "stats", "orders", "users", "items", "rules", "convert", "names", "store",
)  # fmt: skip
HEADERS = (
    "import re\nfrom datetime import date\n",
    "import json\nimport math\n",
    "from collections import Counter\n",
    "import math\n",
)
TITLES = ("Small functions on {}.", "Everything about {}.", "{} of the application.", "How {} are handled.")
STUBS = ("    raise NotImplementedError\n", "    pass\n", "    ...\n", "    # to be written\n    return None\n")


def module_path(rng: random.Random) -> str:
    """A source file's path."""
    return f"{rng.choice(FOLDERS)}{rng.choice(MODULES)}.py"


def path_of_tests(path: str) -> str:
    """Where the tests of a source file are."""
    return f"tests/test_{path.rpartition('/')[2]}"


def passage(path: str, text: str, rng: random.Random) -> str:
    """An excerpt that starts somewhere in its file."""
    start = rng.choice((1, rng.randint(2, 60), rng.randint(2, 300)))
    return excerpt(path, start, start + text.rstrip().count("\n"), text)


def header(path: str, rng: random.Random) -> str:
    """A file's first lines."""
    topic = path.rpartition("/")[2].removesuffix(".py")
    title = rng.choice(TITLES).format(topic)
    text = f'"""{title[0].upper()}{title[1:]}"""\n\n{rng.choice(HEADERS)}'
    return excerpt(path, 1, text.rstrip().count("\n") + 1, text)


def stub(problem: Problem, body: str) -> str:
    """The function or class with another body."""
    lines = problem.reference.splitlines()
    first = next(line for line in lines if line.startswith((f"def {problem.name}(", f"class {problem.name}")))
    return f"{first}\n{body}"


def module_of_tests(problem: Problem, tests: Sequence[str], path: str) -> str:
    """A test module with some of a problem's tests."""
    module = path.removesuffix(".py").replace("/", ".")
    imports = [*([problem.test_imports, ""] if problem.test_imports else []), f"from {module} import {problem.name}"]
    body = [f"    {line}" for test in tests for line in test.splitlines()]
    return "\n".join([*imports, "", "", f"def test_{snake(problem.name)}():", *body, ""])


def surroundings(
    problem: Problem, others: Sequence[str], old: Sequence[str], path: str, rng: random.Random
) -> list[str]:
    """Excerpts around a problem: `others` are codes of other problems, `old` earlier versions of this one."""
    found = [passage(rng.choice((path, module_path(rng))), code, rng) for code in others]
    if rng.random() < 0.4:
        found.append(header(path, rng))
    if rng.random() < 0.5:
        found.append(passage(path, rng.choice((stub(problem, rng.choice(STUBS)), *old)), rng))
    if rng.random() < 0.35:
        count = rng.randint(2, 4)
        found.append(passage(path_of_tests(path), module_of_tests(problem, problem.tests[::2][:count], path), rng))
    rng.shuffle(found)
    return found or [header(path, rng)]
