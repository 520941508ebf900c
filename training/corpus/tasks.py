"""From a family's combination of options to a problem: names drawn, tests rendered, instruction phrased."""

from __future__ import annotations

import ast
import copy
import itertools
import random
from collections.abc import Sequence

from training.corpus.literals import literal
from training.corpus.phrasing import instruct
from training.corpus.types import Family, Names, Options, Problem, Task

EXPECTED_ERRORS = (ValueError, LookupError, TypeError, ArithmeticError)
IMPORTED = {"raises": "pytest", "date": "datetime", "time": "datetime", "timedelta": "datetime"}


def combinations(family: Family) -> list[dict[str, object]]:
    """Every combination of a family's options, in the order of declaration."""
    return [dict(zip(family.options, values, strict=True)) for values in itertools.product(*family.options.values())]


def make_problem(family: Family, options: Options, names: Names, phrasing: int, rng: random.Random) -> Problem:
    """Phrase one combination of a family's options with the given identifiers."""
    task = family.make(names, **options)
    code = task.code.strip() + "\n"
    tests = render_tests(task, names[0])
    is_class = f"class {names[0]}" in code
    return Problem(
        family=family.key,
        theme=family.theme,
        names=names,
        instruction=instruct(task.says[phrasing], task.rules, signature(code, names[0]), is_class, rng),
        reference=code,
        tests=tests,
        test_imports=imports_for(tests),
        options=options,
        phrasing=phrasing,
    )


def signature(code: str, name: str) -> str:
    """How an instruction writes the function's or class's parameters, `self` left out."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return f"{name}({arguments_source(node)})"
        if isinstance(node, ast.ClassDef) and node.name == name:
            makers = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
            return f"{name}({arguments_source(makers[0]) if makers else ''})"
    raise ValueError(f"The code defines no {name}.")


def arguments_source(function: ast.FunctionDef) -> str:
    """The parameter list as written, `self` left out, with double quotes around default texts."""
    return ast.unparse(function.args).removeprefix("self").removeprefix(", ").replace("'", '"')


def render_tests(task: Task, name: str) -> tuple[str, ...]:
    """The task's tests: one per input, expected values from the oracle, then its own snippets."""
    rendered = [*(render_test(task, name, arguments) for arguments in task.inputs), *task.tests]
    return tuple(dict.fromkeys(rendered))


def render_test(task: Task, name: str, arguments: tuple[object, ...]) -> str:
    """One assertion, or an expected exception."""
    if task.oracle is None:
        raise ValueError(f"The task of {name} has inputs and no oracle; give it one.")
    call = f"{name}({', '.join(map(literal, arguments))})"
    try:
        expected = task.oracle(*copy.deepcopy(arguments))
    except EXPECTED_ERRORS as error:
        return f"with raises({type(error).__name__}):\n    {call}"
    comparison = "is" if expected is None or isinstance(expected, bool) else "=="
    return f"assert {call} {comparison} {literal(expected)}"


def imports_for(tests: Sequence[str]) -> str:
    """The import lines that the snippets need."""
    called = {
        node.func.id
        for node in ast.walk(ast.parse("\n".join(tests)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return "\n".join(f"from {module} import {name}" for name, module in IMPORTED.items() if name in called)
