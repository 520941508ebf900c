"""Finding elements and positions."""

from __future__ import annotations

import math

from training.corpus.clauses import each, guard, ignoring_case, lower, outcome, when_it_fails
from training.corpus.conditions import COMPARED
from training.corpus.registry import family
from training.corpus.types import Names, Task

TEXT_SPOTS: tuple[tuple[object, ...], ...] = (
    ([], "a"),
    (["a"], "a"),
    (["a", "b", "a"], "a"),
    (["a", "b", "B", "c"], "b"),
    (["c", "d"], "e"),
    (["x", "X", "x"], "X"),
    (["No", "yes", "no", "yes", "NO"], "no"),
    (["p", "q", "p", "q", "p"], "q"),
    (["ok"], "OK"),
    (["t", "u", "T"], "t"),
    (["V", "w", "v", "v", "V"], "v"),
)


def counting_from(base: int) -> tuple[str, ...]:
    """Which position the first element has."""
    return (f"Counting starts at {base}.", f"The first element has position {base}.", f"Positions count from {base}.")


def spots_of(values: list[str], value: str, ignore_case: bool) -> list[int]:
    """For oracles: the indices at which a text is found."""
    wanted = {value.upper(), value.lower()} if ignore_case else {value}
    return [i for i in range(len(values)) if values[i] in wanted or (ignore_case and values[i].upper() in wanted)]


@family(
    "find_index index_of position locate",
    "words strings texts names",
    "value target item word",
    side=("first", "last"),
    base=(0, 1),
    ignore_case=(False, True),
    missing=("-1", "None", "ValueError"),
)
def find_index(n: Names, side: str, base: int, ignore_case: bool, missing: str) -> Task:
    f, xs, v = n
    low = lower(ignore_case)
    source = f"range(len({xs}))" if side == "first" else f"reversed(range(len({xs})))"
    end = f'raise {missing}("{v} is missing")' if missing.endswith("Error") else f"return {missing}"

    def oracle(values: list[str], value: str) -> object:
        spots = spots_of(values, value, ignore_case)
        return outcome(missing) if not spots else spots[0 if side == "first" else -1] + base

    return Task(
        says=(
            f"return the position of the {side} `{v}` in the list of strings `{xs}`",
            f"find the {side} position of `{v}` among the strings `{xs}`",
            f"return the position at which the string `{v}` occurs {side} in `{xs}`",
            f"search the strings `{xs}` for `{v}` and return its {side} position",
            f"tell at which position of `{xs}` the {side} string `{v}` is",
            f"determine the position of the {side} occurrence of `{v}` in the strings `{xs}`",
        ),
        rules=(counting_from(base), ignoring_case(ignore_case), when_it_fails(f"`{v}` is not in `{xs}`", missing)),
        code=f"""
def {f}({xs}, {v}):
    for i in {source}:
        if {xs}[i]{low} == {v}{low}:
            return {"i + 1" if base else "i"}
    {end}
""",
        oracle=oracle,
        inputs=TEXT_SPOTS,
    )


@family(
    "find_first first_match search_list find_number",
    "numbers values xs nums",
    op=COMPARED,
    limit=(0, 3, 5, 10),
    side=("first", "last"),
    missing=("None", "-1", "ValueError"),
)
def find_first(n: Names, op: str, limit: int, side: str, missing: str) -> Task:
    f, xs = n
    symbol, holds = COMPARED[op]
    source = xs if side == "first" else f"reversed({xs})"
    end = f'    raise {missing}("nothing found")' if missing.endswith("Error") else f"    return {missing}"

    def oracle(values: list[int]) -> object:
        hits = [x for x in values if holds(x, limit)]
        return outcome(missing) if not hits else hits[0 if side == "first" else -1]

    return Task(
        says=(
            f"return the {side} number in `{xs}` that is {op} {limit}",
            f"find the {side} element of `{xs}` {op} {limit}",
            f"search `{xs}` for the {side} value {op} {limit} and return it",
            f"return the {side} of the numbers in `{xs}` which are {op} {limit}",
            f"look for a number {op} {limit} in `{xs}` and return the {side} one",
            f"give back the {side} entry of `{xs}` that is {op} {limit}",
        ),
        rules=(when_it_fails("there is none", missing),),
        code=f"def {f}({xs}):\n    for x in {source}:\n        if x {symbol} {limit}:\n            return x\n{end}",
        oracle=oracle,
        inputs=each(
            [],
            [limit],
            [limit - 1, limit + 1, limit, limit + 2, limit - 2],
            [limit + 5, limit + 4],
            [limit - 5, limit - 4],
            [limit, limit],
            [50, -50, 50],
            [-60, 60, -61, 61],
            [limit - 1, limit, limit + 1],
            [limit + 4, limit + 3, limit + 2, limit + 1, limit],
            [limit - 3, limit - 2, limit - 1],
            [-70, 71],
            [99, -99, 98],
        ),
    )


@family(
    "indices_of all_positions find_all positions",
    "words strings texts names",
    "value target item word",
    base=(0, 1),
    order=("ascending", "descending"),
    ignore_case=(False, True),
    empty=("[]", "None", "ValueError"),
)
def indices_of(n: Names, base: int, order: str, ignore_case: bool, empty: str) -> Task:
    f, xs, v = n
    low = lower(ignore_case)
    tail = "[::-1]" if order == "descending" else ""
    check = "" if empty == "[]" else guard("not found", empty, f"{v} is missing")

    def oracle(values: list[str], value: str) -> object:
        spots = [i + base for i in spots_of(values, value, ignore_case)]
        return sorted(spots, reverse=order == "descending") if spots else outcome(empty)

    return Task(
        says=(
            f"return all positions of `{v}` in the list of strings `{xs}`",
            f"find every position of `{v}` among the strings `{xs}`",
            f"return a list of the positions at which the string `{v}` occurs in `{xs}`",
            f"search the strings `{xs}` for `{v}` and return all of its positions",
            f"tell at which positions of `{xs}` there is the string `{v}`",
            f"list each position of `{xs}` where the string equals `{v}`",
        ),
        rules=(
            counting_from(base),
            (f"The order is {order}.", f"Return them in {order} order.", f"Sort them in {order} order."),
            ignoring_case(ignore_case),
            when_it_fails(f"`{v}` does not occur", empty if empty != "[]" else "an empty list"),
        ),
        code=f"""
def {f}({xs}, {v}):
    found = [{"i + 1" if base else "i"} for i, x in enumerate({xs}) if x{low} == {v}{low}]
{check}    return found{tail}
""",
        oracle=oracle,
        inputs=TEXT_SPOTS,
    )


TWO_SUM_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 3),
    ([3], 3),
    ([1, 2, 3], 3),
    ([5, 1, 4], 1),
    ([2, 7, 11, 15], 9),
    ([3, 3], 6),
    ([8, 2, 5, 5], 0),
    ([9, 1, 6, 4], 10),
    ([1, 8], 4),
    ([10, 4, 1], 6),
    ([1, 5, 4], 9),
    ([20, 12, 8], 20),
    ([6, 3, 3], 6),
    ([10, 3, 1], 7),
    ([2, 6, 4], 4),
    ([2, 3, 4, 6, 1], 12),
    ([5, 4, 2, 2], 8),
)


def combined(op: str, a: int, b: int) -> int:
    """For the oracle: two numbers made into one."""
    return {"sum": sum((a, b)), "difference": max(a, b) - min(a, b), "product": math.prod((a, b))}[op]


@family(
    "two_sum find_pair pair_with_sum matching_pair",
    "numbers values xs nums",
    "target total goal k",
    give=("indices", "values"),
    missing=("None", "[]", "ValueError"),
    op=("sum", "difference", "product"),
)
def two_sum(n: Names, give: str, missing: str, op: str) -> Task:
    f, xs, t = n
    result = "[i, j]" if give == "indices" else f"[{xs}[i], {xs}[j]]"
    test = {"sum": f"{xs}[i] + {xs}[j]", "difference": f"abs({xs}[i] - {xs}[j])", "product": f"{xs}[i] * {xs}[j]"}[op]
    end = f'    raise {missing}("no pair")' if missing.endswith("Error") else f"    return {missing}"
    what = {"indices": "the indices of the first two numbers", "values": "the first two numbers"}[give]
    with_sum = f"whose {'absolute difference' if op == 'difference' else op} is `{t}`"

    def oracle(values: list[int], target: int) -> object:
        pairs = [(i, j) for i in range(len(values)) for j in range(i + 1, len(values))]
        good = [(i, j) for i, j in pairs if combined(op, values[i], values[j]) == target]
        if not good:
            return outcome(missing)
        return list(good[0]) if give == "indices" else [values[i] for i in good[0]]

    return Task(
        says=(
            f"return {what} in `{xs}` {with_sum}",
            f"find {what} of `{xs}` {with_sum} and return them as a list",
            f"search `{xs}` for {what} {with_sum}",
            f"go through all pairs of `{xs}` and return {what} {with_sum}",
            f"give a list with {what} from `{xs}` {with_sum}",
            f"determine {what} in the list `{xs}` {with_sum}",
        ),
        rules=(when_it_fails("there is no such pair", missing if missing != "[]" else "an empty list"),),
        code=f"""
def {f}({xs}, {t}):
    for i in range(len({xs})):
        for j in range(i + 1, len({xs})):
            if {test} == {t}:
                return {result}
{end}
""",
        oracle=oracle,
        inputs=TWO_SUM_INPUTS,
    )
