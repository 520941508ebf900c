"""Wrong answers that really fail: small edits of a reference, or a sibling with other options, and what pytest says."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.corpus.execute import TIMEOUT, Runner
from training.corpus.types import Problem

EDITS = (
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " + "), (r" // ", " / "), (r" / ", " // "), (r" % ", " // "),
    (r"\bTrue\b", "False"), (r"\bFalse\b", "True"), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot ", ""),
    (r"\.lower\(\)", ""), (r"\.upper\(\)", ".lower()"), (r"\.strip\(\)", ""), (r"\bmax\(", "min("),
    (r"\bmin\(", "max("), (r"\[0\]", "[1]"), (r"\[-1\]", "[0]"), (r"\bsorted\(", "list("), (r", reverse=True", ""),
    (r"\[::-1\]", ""), (r"\b0\b", "1"), (r"\b1\b", "2"), (r"\b2\b", "1"), (r"\bNone\b", "0"), (r"\bset\(", "list("),
    (r"\.append\(", ".add("), (r"\.items\(\)", ""), (r"\bsum\(", "len("), (r"\blen\(", "sum("), (r"\bint\(", "str("),
    (r"\bstr\(", "int("), (r"if not (\w+):\n        (return|raise) .*\n", "if False:\n        return None\n"),
    (r" \+= ", " = "), (r" -= ", " += "), (r"\.split\(", ".strip("), (r"\.get\(", ".pop("),
    (r"\bif\b (.*) else\b", r"if not \1 else"), (r"\bself\.", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer and the failure messages of its two test halves (None where a half passes)."""

    code: str
    failures: tuple[str | None, str | None]


def edits(code: str, rng: random.Random) -> list[str]:
    """Every one-place edit of the code, in random order."""
    head, newline, body = code.partition("\n")
    found = []
    for pattern, replacement in EDITS:
        for match in re.finditer(pattern, body):
            changed = body[: match.start()] + match.expand(replacement) + body[match.end() :]
            found.append(head + newline + changed)
    rng.shuffle(found)
    return found


def find_mistake(problem: Problem, siblings: Sequence[str], runner: Runner, rng: random.Random) -> Mistake | None:
    """A wrong answer that fails its tests without hanging, or None if the candidates all pass."""
    candidates = [*edits(problem.reference, rng)[:4], *siblings]
    rng.shuffle(candidates)
    for code in candidates:
        failures = runner.run(f"{problem.test_imports}\n{code}", problem.tests)
        if any(failures) and TIMEOUT not in failures:
            first, second = (next(filter(None, failures[start::2]), None) for start in (0, 1))
            return Mistake(code, (first, second))
    return None


def evidence(mistake: Mistake, path: str, name: str, rng: random.Random) -> str:
    """The lines of pytest's short summary: one test function for all tests, or one for each half."""
    test = f"{path}::test_{snake(name)}"
    if rng.random() < 0.5:
        lines = [f"FAILED {test} - {mistake.failures[0] or mistake.failures[1]}"]
    else:
        named = ((test, mistake.failures[0]), (f"{test}_{rng.choice(('edges', 'more', 'cases'))}", mistake.failures[1]))
        lines = [f"FAILED {test_name} - {failure}" for test_name, failure in named if failure]
    columns = rng.choice((80, 400))
    return "\n".join(line if len(line) <= columns else f"{line[: columns - 3]}..." for line in lines)


def snake(name: str) -> str:
    """A class's or function's name as a test function carries it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
