"""Elements that stand next to each other."""

from __future__ import annotations

import itertools
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.conditions import CONDITIONS
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "adjacent_pairs pairs neighbours pairwise",
    "items values xs elements",
    wrap=(False, True),
    kind=("tuples", "lists", "sums", "differences"),
    empty=("[]", "None", "ValueError"),
)
def adjacent_pairs(n: Names, wrap: bool, kind: str, empty: str) -> Task:
    f, xs = n
    other = f"{xs}[1:] + {xs}[:1]" if wrap else f"{xs}[1:]"
    pair = {"tuples": "(a, b)", "lists": "[a, b]", "sums": "a + b", "differences": "b - a"}[kind]
    what = {
        "tuples": "a list of tuples of each element and the next one",
        "lists": "a list of two-element lists of each element and the next one",
        "sums": "a list of the sums of each element and the next one",
        "differences": "a list of the differences from each element to the next one",
    }[kind]

    def oracle(values: list[int]) -> object:
        if len(values) < 2:
            return [] if empty == "[]" else outcome(empty)
        pairs = [(values[i], values[(i + 1) % len(values)]) for i in range(len(values) - (not wrap))]
        return [{"tuples": p, "lists": [*p], "sums": sum(p), "differences": p[1] - p[0]}[kind] for p in pairs]

    return Task(
        says=(
            f"return {what} in `{xs}`",
            f"go through `{xs}` and build {what}",
            f"make {what} of `{xs}`",
            f"compute {what} in the list `{xs}`",
            f"walk over `{xs}` and return {what}",
            f"give back {what} of the list `{xs}`",
        ),
        rules=(
            (
                "The last element is followed by the first.",
                "After the last element comes the first again.",
                "Wrap around at the end.",
            )
            if wrap
            else ("The last element has no next one.", "Do not wrap around.", "The last element begins no pair."),
            raising("there are fewer than two elements", empty)
            if empty == "ValueError"
            else (
                f"With fewer than two elements, return {empty if empty != '[]' else 'an empty list'}.",
                f"Return {empty if empty != '[]' else 'an empty list'} if there are fewer than two elements.",
                f"Fewer than two elements give {empty if empty != '[]' else 'an empty list'}.",
            ),
        ),
        code=(
            f"def {f}({xs}):\n{guard(f'len({xs}) < 2', empty, 'too few elements')}    return [{pair} for a, b in "
            f"zip({xs}, {other})]"
        ),
        oracle=oracle,
        inputs=each([], [1], [1, 2], [3, 1, 2], [5, 5, 5], [0, -1, 4, 9], [10, 7], [2, 4, 8, 16, 32], [6, 0, 6]),
    )


WINDOWS_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 2),
    ([1, 2], 0),
    ([1], -1),
    ([1, 2, 3, 4], 2),
    ([4, 3, 9, 1, 2], 3),
    ([5], 1),
    ([7, 7], 3),
    ([2, 8, 6, 4], 4),
    ([0, -3, 6, 9, 3, 3], 2),
    ([1, 5, 2], 1),
)


def windows_oracle(give: str, step: str, values: list[int], size: int) -> object:
    if size < 1:
        return outcome("ValueError")
    parts = [
        values[i : i + size] for i in range(len(values)) if i + size <= len(values) and (step == "1" or i % size == 0)
    ]
    return [
        {
            "lists": p,
            "sums": sum(p),
            "largest": sorted(p)[-1],
            "smallest": sorted(p)[0],
            "averages": sum(p) / len(p),
        }[give]
        for p in parts
    ]


@family(
    "windows sliding_windows window_values moving",
    "numbers values xs nums",
    "size k width n",
    give=("lists", "sums", "largest", "smallest", "averages"),
    step=("1", "size"),
)
def windows(n: Names, give: str, step: str) -> Task:
    f, xs, k = n
    part = f"{xs}[i:i + {k}]"
    value = {
        "lists": part,
        "sums": f"sum({part})",
        "largest": f"max({part})",
        "smallest": f"min({part})",
        "averages": f"sum({part}) / {k}",
    }[give]
    what = {
        "lists": "all",
        "sums": "the sums of all",
        "largest": "the largest numbers of all",
        "smallest": "the smallest numbers of all",
        "averages": "the averages of all",
    }[give]
    every = f", {k}" if step == "size" else ""
    overlap = (
        "runs of `{k}` neighbours that do not overlap"
        if step == "size"
        else "runs of `{k}` neighbours, overlapping ones included"
    )
    runs = overlap.replace("{k}", k)
    return Task(
        says=(
            f"return a list of {what} {runs}, in `{xs}`",
            f"compute {what} {runs}, in the list `{xs}`",
            f"slide a window of `{k}` over `{xs}` and return {what} {runs}",
            f"go through `{xs}` and return {what} {runs}",
            f"build a list with {what} {runs}, of `{xs}`",
            f"determine {what} {runs}, in `{xs}` and return them as a list",
        ),
        rules=(raising(f"`{k}` is less than 1", "ValueError"),),
        code=(
            f"def {f}({xs}, {k}):\n"
            f"{guard(f'{k} < 1', 'ValueError', f'{k} is less than 1')}    return [{value} for i in range(0, len({xs}) "
            f"- {k} + 1{every})]"
        ),
        oracle=partial(windows_oracle, give, step),
        inputs=WINDOWS_INPUTS,
    )


LONGEST_RUN_INPUTS = each(
    [],
    [4],
    [1, 1, 2],
    [1, 2, 3, 1],
    [3, 2, 1, 5],
    [2, 4, 6, 1, 8],
    [-1, 5, 6, -2, 7],
    [7, 7, 7, 8, 9],
    [0, 0, -3, -4],
    [10, 8, 8, 9, 11, 12],
)


def longest_run_oracle(kind: str, give: str, values: list[int]) -> object:
    best: list[int] = []
    for i in range(len(values)):
        for j in range(i + 1, len(values) + 1):
            part = values[i:j]
            pairs = list(itertools.pairwise(part))
            good = {
                "equal": all(a == b for a, b in pairs),
                "increasing": all(a < b for a, b in pairs),
                "decreasing": all(a > b for a, b in pairs),
                "even": all(a % 2 == 0 for a in part),
                "positive": all(a > 0 for a in part),
            }[kind]
            if good and len(part) > len(best):
                best = part
    return len(best) if give == "length" else best


def longest_run_says(xs: str, kind: str, give: str) -> tuple[str, ...]:
    named = {
        "equal": "equal neighbours",
        "increasing": "strictly increasing neighbours",
        "decreasing": "strictly decreasing neighbours",
        "even": "even numbers in a row",
        "positive": "positive numbers in a row",
    }[kind]
    what = {"length": "the length of the longest run", "list": "the longest run"}[give]
    return (
        f"return {what} of {named} in `{xs}`",
        f"find {what} of {named} in `{xs}`",
        f"compute {what} of {named} that `{xs}` has",
        f"determine {what} of {named} in the list `{xs}`",
        f"go through `{xs}` and return {what} of {named}",
        (
            f"search `{xs}` for runs of {named} and return "
            f"{what.replace('the longest run', 'the longest one').replace('longest run', 'longest one')}"
        ),
    )


@family(
    "longest_run run_length longest_streak streak",
    "numbers values xs nums",
    kind=("equal", "increasing", "decreasing", "even", "positive"),
    give=("length", "list"),
)
def longest_run(n: Names, kind: str, give: str) -> Task:
    f, xs = n
    pairwise = {"equal": "run[-1] == x", "increasing": "run[-1] < x", "decreasing": "run[-1] > x"}
    if kind in pairwise:
        loop = (
            f"        if run and {pairwise[kind]}:\n            run.append(x)\n        else:\n            run = [x]\n"
        )
    else:
        loop = f"        run = run + [x] if {CONDITIONS[kind][0]} else []\n"
    result = "len(best)" if give == "length" else "best"
    return Task(
        says=longest_run_says(xs, kind, give),
        rules=(
            (
                "An empty list has no run: the length is 0.",
                "For an empty list return 0.",
                "Return 0 if the list is empty.",
            )
            if give == "length"
            else (
                "If there are several, return the first.",
                "Return the first of several.",
                "On a tie, the first run wins.",
            ),
        ),
        code=f"""
def {f}({xs}):
    run = []
    best = []
    for x in {xs}:
{loop}        if len(run) > len(best):
            best = run[:]
    return {result}
""",
        oracle=partial(longest_run_oracle, kind, give),
        inputs=LONGEST_RUN_INPUTS,
    )
