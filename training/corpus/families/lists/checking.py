"""Questions about all elements of a list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Task

ALL_ITEMS_INPUTS = each(
    [],
    [2],
    [3],
    [2, 4, -6],
    [1, 3, 12],
    [-1, -2, -3],
    [5, 5, 8],
    [10, 20, 31],
    [-7, 7],
    [0, 0, 11],
    [9, 9],
    [12, 12, 14],
    [1, 1, 3, 3],
)


def all_items_oracle(kind: str, how: str, empty: bool, values: list[int]) -> bool:
    if not values:
        return empty
    holds: Callable[[int], bool] = {
        "even": lambda x: x in range(-50, 51, 2),
        "odd": lambda x: x in range(-51, 52, 2),
        "positive": lambda x: x > 0,
        "negative": lambda x: x < 0,
        "less than 10": lambda x: not x > 9,
        "different": lambda x: len([y for y in values if y == x]) < 2,
    }[kind]
    count = len([x for x in values if holds(x)])
    return {"all": count == len(values), "any": count > 0, "none": count == 0, "exactly one": count == 1}[how]


@family(
    "all_items any_item check_all check_each",
    "numbers values xs nums",
    kind=("even", "odd", "positive", "negative", "less than 10", "different"),
    how=("all", "any", "none", "exactly one"),
    empty=(True, False),
)
def all_items(n: Names, kind: str, how: str, empty: bool) -> Task:
    f, xs = n
    test = {
        "even": "x % 2 == 0",
        "odd": "x % 2 != 0",
        "positive": "x > 0",
        "negative": "x < 0",
        "less than 10": "x < 10",
        "different": f"{xs}.count(x) == 1",
    }[kind]
    body = {
        "all": f"all({test} for x in {xs})",
        "any": f"any({test} for x in {xs})",
        "none": f"not any({test} for x in {xs})",
        "exactly one": f"sum(1 for x in {xs} if {test}) == 1",
    }[how]
    adjective = "found only once in it" if kind == "different" else kind
    phrase = {
        "all": f"all elements of `{xs}` are {adjective}",
        "any": f"at least one element of `{xs}` is {adjective}",
        "none": f"no element of `{xs}` is {adjective}",
        "exactly one": f"exactly one element of `{xs}` is {adjective}",
    }[how]
    return Task(
        says=(
            f"return whether {phrase}",
            f"check whether {phrase}",
            f"return True if {phrase}, else False",
            f"tell whether {phrase}",
            f"test if {phrase} and return a bool",
            f"decide whether {phrase}",
        ),
        rules=(
            (
                f"If `{xs}` is empty, return {empty}.",
                f"Return {empty} for an empty `{xs}`.",
                f"An empty `{xs}` gives {empty}.",
            ),
        ),
        code=f"def {f}({xs}):\n    if not {xs}:\n        return {empty}\n    return {body}",
        oracle=partial(all_items_oracle, kind, how, empty),
        inputs=ALL_ITEMS_INPUTS,
    )


@family(
    "is_ordered is_sorted in_order sorted_check",
    "numbers values xs nums",
    direction=("ascending", "descending"),
    strict=(True, False),
    empty=("True", "False", "ValueError"),
)
def is_ordered(n: Names, direction: str, strict: bool, empty: str) -> Task:
    f, xs = n
    symbol = ("<" if direction == "ascending" else ">") + ("" if strict else "=")

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        ordered = sorted(set(values) if strict else values, reverse=direction == "descending")
        return values == ordered

    return Task(
        says=(
            f"return whether `{xs}` is in {direction} order",
            f"check whether the numbers in `{xs}` are sorted in {direction} order",
            f"return True if `{xs}` is sorted in {direction} order, else False",
            f"tell whether `{xs}` is ordered from {'small to large' if direction == 'ascending' else 'large to small'}",
            f"test if the list `{xs}` is {direction}",
            f"decide if the elements of `{xs}` come in {direction} order",
        ),
        rules=(
            ("Equal neighbours are not allowed.", "Two equal neighbours break the order.", "The order must be strict.")
            if strict
            else ("Equal neighbours are allowed.", "Two equal neighbours are fine.", "The order need not be strict."),
            when_empty(xs, empty),
        ),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty)}    return all(a {symbol} b for a, b in zip({xs}, {xs}[1:]))",
        oracle=oracle,
        inputs=each([], [1], [1, 2, 3], [3, 2, 1], [1, 1, 2], [5, 5, 4], [2, 1, 3], [7, 7], [0, 9], [9, 0]),
    )
