"""Sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from training.corpus.clauses import each, empty_guard, guard, outcome, raising, when_empty
from training.corpus.conditions import CONDITIONS, NUMBERS
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "sum_of total_of add_up sum_if",
    "numbers values xs nums",
    kind=("even", "odd", "positive", "negative", "all"),
    power=("plain", "square", "cube", "double"),
)
def sum_of(n: Names, kind: str, power: str) -> Task:
    f, xs = n
    condition, holds = CONDITIONS.get(kind, ("", lambda x: True))
    term = {"plain": "x", "square": "x * x", "cube": "x ** 3", "double": "2 * x"}[power]
    what = {
        "plain": "the sum",
        "square": "the sum of the squares",
        "cube": "the sum of the cubes",
        "double": "twice the sum",
    }[power]
    test = f" if {condition}" if condition else ""
    named = f"{kind} numbers" if condition else "numbers"
    value: Callable[[int], int] = {
        "plain": lambda x: x,
        "square": lambda x: x**2,
        "cube": lambda x: x * x * x,
        "double": lambda x: x + x,
    }[power]
    return Task(
        says=(
            f"return {what} of all {named} in `{xs}`",
            f"compute {what} of the {named} in `{xs}`",
            f"go through `{xs}` and return {what} of its {named}",
            f"calculate {what} of those {named} that `{xs}` contains",
            f"determine {what} of the {named} of the list `{xs}`",
            f"find {what} of every one of the {named} in `{xs}`",
        ),
        code=f"def {f}({xs}):\n    return sum({term} for x in {xs}{test})",
        oracle=lambda values: sum(value(x) for x in values if holds(x)),
        inputs=NUMBERS,
    )


@family(
    "product multiply_all product_of times_all",
    "numbers values xs nums",
    skip=("nothing", "zeros", "negative numbers"),
    empty=("1", "0", "None", "ValueError"),
)
def product(n: Names, skip: str, empty: str) -> Task:
    f, xs = n
    test = {"nothing": "", "zeros": "x != 0", "negative numbers": "x >= 0"}[skip]
    loop = (
        f"    for x in {xs}:\n        if {test}:\n            result *= x\n"
        if test
        else f"    for x in {xs}:\n        result *= x\n"
    )

    def oracle(values: list[int]) -> object:
        if not values:
            return 1 if empty == "1" else outcome(empty)
        gone: Callable[[int], bool] = {
            "nothing": lambda x: False,
            "zeros": lambda x: x == 0,
            "negative numbers": lambda x: x < 0,
        }[skip]
        return math.prod(x for x in values if not gone(x))

    return Task(
        says=(
            f"return the product of the numbers in `{xs}`",
            f"multiply all numbers of `{xs}` and return the result",
            f"compute the product of `{xs}`",
            f"calculate what all elements of `{xs}` give when multiplied",
            f"return all the numbers of the list `{xs}` multiplied together",
            f"determine the product of every number in `{xs}`",
        ),
        rules=(*([(f"Leave out {skip}.", f"Skip {skip}.", f"Ignore {skip}.")] if test else []), when_empty(xs, empty)),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty) if empty != '1' else ''}    result = 1\n{loop}    return result",
        oracle=oracle,
        inputs=each([], [5], [1, 2, 3], [0, 4, 5], [-2, 3], [2, -1, 0, -4], [1, 0, 1], [7, 7], [10, -10, 0]),
    )


def running_oracle(what: str, start: str, first: str, values: list[int]) -> list[object]:
    out: list[object] = [{"0": 0, "1": 1, "None": None}[first]] if start == "zero" else []
    for i in range(1, len(values) + 1):
        part = values[:i]
        out.append(
            {
                "sum": sum(part),
                "maximum": max(part),
                "minimum": min(part),
                "product": math.prod(part),
                "count of even numbers": len([x for x in part if x % 2 == 0]),
            }[what]
        )
    return out


@family(
    "running running_values cumulative accumulate",
    "numbers values xs nums",
    what=("sum", "maximum", "minimum", "product", "count of even numbers"),
    start=("first", "zero"),
)
def running(n: Names, what: str, start: str) -> Task:
    f, xs = n
    first = {"sum": "0", "maximum": "None", "minimum": "None", "product": "1", "count of even numbers": "0"}[what]
    step = {
        "sum": "value += x",
        "product": "value *= x",
        "count of even numbers": "value += x % 2 == 0",
        "maximum": "value = x if value is None else max(value, x)",
        "minimum": "value = x if value is None else min(value, x)",
    }[what]
    begin = f"[{first}]" if start == "zero" else "[]"
    return Task(
        says=(
            f"return a list with the running {what} of `{xs}`",
            f"compute the running {what} over `{xs}`",
            f"return for each position of `{xs}` the {what} of all elements up to it",
            f"build the list of cumulative values: the {what} of the first 1, 2, 3 and so on numbers of `{xs}`",
            f"go through `{xs}` and record the {what} so far after each number",
            f"give the {what} of `{xs}` so far, element by element",
        ),
        rules=(
            (
                f"The list begins with {first}, the value before the first number.",
                f"Put {first} in front, for no numbers at all.",
                f"Start the list with {first}.",
            )
            if start == "zero"
            else (
                "The list is as long as the input.",
                "There is one value for each number.",
                "It has as many values as there are numbers.",
            ),
        ),
        code=f"""
def {f}({xs}):
    out = {begin}
    value = {first}
    for x in {xs}:
        {step}
        out.append(value)
    return out
""",
        oracle=partial(running_oracle, what, start, first),
        inputs=each([], [5], [1, 2, 3], [3, 1, 2], [-1, 4, -6], [2, 2, 0, 5], [10, -10, 20], [6, 8, 1, 4]),
    )


DOT_PRODUCT_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], []),
    ([1], []),
    ([1, 2, 3], [4, 5, 6]),
    ([2, 4], [1, 1]),
    ([5, 5], [0, 0]),
    ([1, 2], [3]),
    ([10], [2]),
    ([3, -1, 0], [1, 2, 3]),
    ([7, 8], [1, 3, 5]),
    ([0, 9], [4, 4]),
    ([6, 2, 4], [2, 1, 1]),
)


def dot_product_oracle(differ: str, form: str, x: list[int], y: list[int]) -> object:
    if len(x) != len(y) and differ != "cut":
        return outcome(differ)
    total = sum(x[i] * y[i] for i in range(min(len(x), len(y))))
    return total if form == "plain" else total / sum(y) if sum(y) else 0


def dot_product_says(a: str, b: str, form: str) -> tuple[str, ...]:
    what = {
        "plain": f"the sum of the products of the elements of `{a}` and `{b}` at the same position",
        "divided": f"the average of `{a}` weighted with `{b}`",
    }[form]
    return (
        f"return {what}",
        f"compute {what}",
        f"calculate {what} and return it",
        f"take two lists and return {what}",
        f"determine {what}",
        f"give {what}",
    )


@family(
    "dot_product inner_product weighted_sum pair_product",
    "a first left xs",
    "b second right weights",
    differ=("ValueError", "cut", "None"),
    form=("plain", "divided"),
)
def dot_product(n: Names, differ: str, form: str) -> Task:
    f, a, b = n
    check = "" if differ == "cut" else guard(f"len({a}) != len({b})", differ, "lengths differ")
    total = f"sum(x * y for x, y in zip({a}, {b}))"
    body = (
        f"    return {total}" if form == "plain" else f"{guard(f'not sum({b})', '0', '')}    return {total} / sum({b})"
    )
    return Task(
        says=dot_product_says(a, b, form),
        rules=(
            {
                "ValueError": raising("the lists differ in length", "ValueError"),
                "cut": (
                    "Ignore what the longer list has too much.",
                    "Stop at the end of the shorter list.",
                    "Only positions that both lists have count.",
                ),
                "None": (
                    "If the lists differ in length, return None.",
                    "Return None for lists of different length.",
                    "Lists of different length give None.",
                ),
            }[differ],
            *(
                [
                    (
                        f"If the sum of `{b}` is 0, return 0.",
                        f"Return 0 if `{b}` sums to 0.",
                        "Weights that sum to 0 give 0.",
                    )
                ]
                if form == "divided"
                else []
            ),
        ),
        code=f"def {f}({a}, {b}):\n{check}{body}",
        oracle=partial(dot_product_oracle, differ, form),
        inputs=DOT_PRODUCT_INPUTS,
    )
