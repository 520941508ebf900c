"""Putting lists in order and keeping them so."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, raising, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Task

SORT_ITEMS_INPUTS = each(
    [],
    ["a"],
    ["pear", "fig", "apple"],
    ["Bob", "al", "Cy", "bo"],
    ["bb", "aa", "c", "ddd"],
    ["xa", "yc", "zb"],
    ["Zoe", "adam", "Eve", "bert"],
    ["three", "two", "one", "four"],
    ["b", "C", "A"],
)


@family(
    "sort_items sort_by ordered arrange",
    "words names items strings",
    key=("length", "last character", "lower case", "length and then alphabetically"),
    reverse=(False, True),
    give=("list", "first", "last"),
)
def sort_items(n: Names, key: str, reverse: bool, give: str) -> Task:
    f, xs = n
    function = {
        "length": "len",
        "last character": "lambda w: w[-1]",
        "lower case": "str.lower",
        "length and then alphabetically": "lambda w: (len(w), w)",
    }[key]
    by = "by their lower case form" if key == "lower case" else f"by {key}"
    order = "descending" if reverse else "ascending"
    take = {"list": "", "first": "[0]", "last": "[-1]"}[give]
    what = {"list": "the sorted list", "first": "the first of them", "last": "the last of them"}[give]

    def oracle(words: list[str]) -> object:
        if not words and give != "list":
            return None
        keys = {
            "length": len,
            "last character": lambda w: ord(w[len(w) - 1]),
            "lower case": lambda w: w.lower(),
            "length and then alphabetically": lambda w: [len(w), w],
        }
        result = sorted(words, key=keys[key], reverse=reverse)
        return result if give == "list" else result[0 if give == "first" else -1]

    return Task(
        says=(
            f"sort the strings `{xs}` {by} in {order} order and return {what}",
            f"order `{xs}` {by}, {order}, and return {what}",
            f"return {what} when the strings in `{xs}` are sorted {by} in {order} order",
            f"put `{xs}` in {order} order {by} and give back {what}",
            f"arrange the strings of `{xs}` {by} ({order}) and return {what}",
            f"bring the list `{xs}` into {order} order {by}, then return {what}",
        ),
        rules=() if give == "list" else (when_empty(xs, "None"),),
        code=(
            f"def {f}({xs}):\n{'' if give == 'list' else empty_guard(xs, 'None')}    return sorted({xs}, "
            f"key={function}{', reverse=True' if reverse else ''}){take}"
        ),
        oracle=oracle,
        inputs=SORT_ITEMS_INPUTS,
    )


@family(
    "sort_numbers order_by sorted_by rank_numbers",
    "numbers values xs nums",
    key=("absolute value", "last digit", "digit sum", "distance from 10", "distance from 5"),
    reverse=(False, True),
)
def sort_numbers(n: Names, key: str, reverse: bool) -> Task:
    f, xs = n
    body = {
        "absolute value": "abs",
        "last digit": "lambda x: abs(x) % 10",
        "digit sum": "lambda x: sum(int(d) for d in str(abs(x)))",
        "distance from 10": "lambda x: abs(x - 10)",
        "distance from 5": "lambda x: abs(x - 5)",
    }[key]
    keys = {
        "absolute value": lambda x: max(x, -x),
        "last digit": lambda x: str(x)[-1],
        "digit sum": lambda x: sum(map(int, str(x).strip("-"))),
        "distance from 10": lambda x: max(x - 10, 10 - x),
        "distance from 5": lambda x: max(x - 5, 5 - x),
    }
    order = "descending" if reverse else "ascending"
    return Task(
        says=(
            f"return `{xs}` sorted by {key} in {order} order",
            f"sort the numbers in `{xs}` by their {key}, {order}",
            f"order `{xs}` by {key} in {order} order and return the new list",
            f"return a list of `{xs}` in {order} order of their {key}",
            f"arrange the numbers of `{xs}` so that their {key} is {order}",
            f"put `{xs}` into {order} order, comparing the numbers by {key}",
        ),
        code=f"def {f}({xs}):\n    return sorted({xs}, key={body}{', reverse=True' if reverse else ''})",
        oracle=lambda values: sorted(values, key=keys[key], reverse=reverse),
        inputs=each(
            [],
            [4],
            [-3, 2, -1],
            [19, 21, 30, 4],
            [10, 9, 12, 1],
            [-15, 6, 42],
            [11, 20, 3],
            [5, -5, 99, 100],
            [8, 7, 13, -2],
        ),
    )


def insert_sorted_oracle(order: str, twice: str, values: list[int], value: int) -> object:
    if twice != "yes" and value in values:
        return values if twice == "no" else outcome(twice)
    before = [x for x in values if (x <= value if order == "ascending" else x >= value)]
    return [*before, value, *values[len(before) :]]


def insert_sorted_says(xs: str, v: str, order: str) -> tuple[str, ...]:
    return (
        f"return a copy of the {order} list `{xs}` with `{v}` inserted at the right place",
        f"insert `{v}` into `{xs}`, which is in {order} order, and return the new list, still in order",
        f"add `{v}` to the list `{xs}` so that it stays in {order} order, and return the result",
        f"return `{xs}` with `{v}` added; both the list and the result are {order}",
        f"put `{v}` into the {order} list `{xs}` without breaking the order and return a new list",
        f"build a new {order} list from the {order} list `{xs}` and the number `{v}`",
    )


@family(
    "insert_sorted add_in_order insert_value place_value",
    "numbers values xs nums",
    "value item target x",
    order=("ascending", "descending"),
    twice=("yes", "no", "ValueError"),
)
def insert_sorted(n: Names, order: str, twice: str) -> Task:
    f, xs, v = n
    check = (
        ""
        if twice == "yes"
        else f"    if {v} in {xs}:\n        "
        + ('raise ValueError("value exists")\n' if twice == "ValueError" else f"return {xs}[:]\n")
    )
    return Task(
        says=insert_sorted_says(xs, v, order),
        rules=(
            {
                "yes": (
                    f"`{v}` may already be there.",
                    "Equal numbers are allowed.",
                    "The same number may occur twice.",
                ),
                "no": (
                    f"If `{v}` is already there, return the same elements.",
                    "Do not insert a number that is already there.",
                    "A number that is there already is not added again.",
                ),
                "ValueError": raising(f"`{v}` is already in `{xs}`", "ValueError"),
            }[twice],
        ),
        code=(
            f"def {f}({xs}, {v}):\n"
            f"{check}    return sorted({xs} + [{v}]{', reverse=True' if order == 'descending' else ''})"
        ),
        oracle=partial(insert_sorted_oracle, order, twice),
        inputs=(
            ([], 1),
            ([2], 2),
            *(
                (sorted(xs, reverse=order == "descending"), x)
                for xs, x in (
                    ([1, 3, 5], 4),
                    ([1, 3, 5], 3),
                    ([4, 8], 9),
                    ([4, 8], 1),
                    ([7], 6),
                    ([2, 2, 6], 2),
                    ([10, 20, 30], 25),
                )
            ),
        ),
    )


@family(
    "merge_sorted merge combine_sorted join_lists",
    "a first left xs",
    "b second right ys",
    order=("ascending", "descending"),
    unique=(True, False),
    drop=("nothing", "negative numbers", "zeros"),
)
def merge_sorted(n: Names, order: str, unique: bool, drop: str) -> Task:
    f, a, b = n
    test = {"nothing": "", "negative numbers": "x >= 0", "zeros": "x != 0"}[drop]
    source = f"[x for x in {a} + {b} if {test}]" if test else f"{a} + {b}"
    source = f"set({source})" if unique else source
    rules = [
        (f"The order is {order}.", f"Sort in {order} order.", f"Return it in {order} order."),
        ("Each number appears once.", "Remove duplicates.", "No number may appear twice.")
        if unique
        else ("Keep duplicates.", "Numbers may appear more than once.", "Duplicates stay."),
    ]
    if test:
        rules.append((f"Leave out {drop}.", f"Drop {drop}.", f"Skip {drop}."))

    def oracle(x: list[int], y: list[int]) -> list[int]:
        out: list[int] = []
        for value in sorted([*x, *y], reverse=order == "descending"):
            if (
                not (unique and value in out)
                and not (drop == "zeros" and value == 0)
                and not (drop == "negative numbers" and value < 0)
            ):
                out.append(value)
        return out

    return Task(
        says=(
            f"merge the lists `{a}` and `{b}` into one sorted list",
            f"return a sorted list of all numbers in `{a}` and `{b}`",
            f"combine `{a}` and `{b}` and return them sorted",
            f"put the numbers of `{a}` and `{b}` into one list in order",
            f"join `{a}` with `{b}` and sort the result",
            f"build one sorted list from the elements of `{a}` and `{b}`",
        ),
        rules=tuple(rules),
        code=f"def {f}({a}, {b}):\n    return sorted({source}{', reverse=True' if order == 'descending' else ''})",
        oracle=oracle,
        inputs=(
            ([], []),
            ([1], [1]),
            ([1, 3], [2, 4]),
            ([0, 5], [-1, 5]),
            ([], [2, -2, 0]),
            ([7, 7], [3, 0]),
            ([-4, 0, 4], [-4, 1]),
            ([9], [8, 9, 10]),
        ),
    )
