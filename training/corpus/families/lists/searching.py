"""Finding elements and positions."""

from __future__ import annotations

from training.corpus.clauses import each, guard, outcome, when_it_fails
from training.corpus.conditions import COMPARED
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "find_index index_of position locate",
    "items values xs elements",
    "value target item x",
    side=("first", "last"),
    missing=("-1", "None", "ValueError"),
)
def find_index(n: Names, side: str, missing: str) -> Task:
    f, xs, v = n
    result = f"{xs}.index({v})" if side == "first" else f"len({xs}) - 1 - {xs}[::-1].index({v})"

    def oracle(values: list[object], value: object) -> object:
        spots = [i for i, x in enumerate(values) if x == value]
        return outcome(missing) if not spots else spots[0 if side == "first" else -1]

    return Task(
        says=(
            f"return the index of the {side} `{v}` in `{xs}`",
            f"find the {side} position of `{v}` in `{xs}`",
            f"return the position at which `{v}` occurs {side} in `{xs}`",
            f"search `{xs}` for `{v}` and return its {side} index",
            f"tell at which index of `{xs}` the {side} `{v}` is",
            f"determine the index of the {side} occurrence of `{v}` in the list `{xs}`",
        ),
        rules=(when_it_fails(f"`{v}` is not in `{xs}`", missing),),
        code=f"def {f}({xs}, {v}):\n{guard(f'{v} not in {xs}', missing, f'{v} is missing')}    return {result}",
        oracle=oracle,
        inputs=(
            ([], 1),
            ([1], 1),
            ([1, 2, 1], 1),
            (["a", "b", "b", "c"], "b"),
            ([3, 4], 5),
            ([7, 7, 7], 7),
            ([0, 1, 0, 1, 0], 1),
            (["x", "y"], "z"),
            ([9, 8, 9], 9),
        ),
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
    "items values xs elements",
    "value target item x",
    base=(0, 1),
    order=("ascending", "descending"),
    empty=("[]", "None", "ValueError"),
)
def indices_of(n: Names, base: int, order: str, empty: str) -> Task:
    f, xs, v = n
    number = "i + 1" if base else "i"
    found = (
        f"[{number} for i, x in enumerate({xs}) if x == {v}]"
        if v != "x"
        else f"[{number} for i, y in enumerate({xs}) if y == x]"
    )
    tail = "[::-1]" if order == "descending" else ""
    check = "" if empty == "[]" else guard("not found", empty, f"{v} is missing")

    def oracle(values: list[object], value: object) -> object:
        spots = [i + base for i in range(len(values)) if values[i] == value]
        return (outcome(empty) if empty != "[]" else []) if not spots else sorted(spots, reverse=order == "descending")

    return Task(
        says=(
            f"return all indices of `{v}` in `{xs}`",
            f"find every position of `{v}` in `{xs}`",
            f"return a list of the positions at which `{v}` occurs in `{xs}`",
            f"search `{xs}` for `{v}` and return all of its indices",
            f"tell at which positions of `{xs}` there is a `{v}`",
            f"list each index of `{xs}` where the element equals `{v}`",
        ),
        rules=(
            (f"Counting starts at {base}.", f"The first element has position {base}.", f"Positions count from {base}."),
            (f"The order is {order}.", f"Return them in {order} order.", f"Sort them in {order} order."),
            when_it_fails(f"`{v}` does not occur", empty if empty != "[]" else "an empty list"),
        ),
        code=f"def {f}({xs}, {v}):\n    found = {found}\n{check}    return found{tail}",
        oracle=oracle,
        inputs=(
            ([], 1),
            ([1], 1),
            ([1, 2, 1], 1),
            (["a", "b", "b", "c"], "b"),
            ([3, 4], 5),
            ([7, 7, 7], 7),
            ([0, 1, 0, 1, 0], 1),
            (["x", "y"], "z"),
            ([9, 8, 9], 9),
        ),
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
)


@family(
    "two_sum find_pair pair_with_sum matching_pair",
    "numbers values xs nums",
    "target total goal k",
    give=("indices", "values"),
    missing=("None", "[]", "ValueError"),
    op=("sum", "difference"),
)
def two_sum(n: Names, give: str, missing: str, op: str) -> Task:
    f, xs, t = n
    result = "[i, j]" if give == "indices" else f"[{xs}[i], {xs}[j]]"
    test = f"{xs}[i] + {xs}[j]" if op == "sum" else f"abs({xs}[i] - {xs}[j])"
    end = f'    raise {missing}("no pair")' if missing.endswith("Error") else f"    return {missing}"
    what = {"indices": "the indices of the first two numbers", "values": "the first two numbers"}[give]
    with_sum = {"sum": f"whose sum is `{t}`", "difference": f"whose absolute difference is `{t}`"}[op]

    def oracle(values: list[int], target: int) -> object:
        pairs = [(i, j) for i in range(len(values)) for j in range(i + 1, len(values))]
        good = [
            p
            for p in pairs
            if (
                values[p[0]] + values[p[1]]
                if op == "sum"
                else max(values[p[0]] - values[p[1]], values[p[1]] - values[p[0]])
            )
            == target
        ]
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
