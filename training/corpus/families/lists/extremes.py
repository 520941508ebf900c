"""The largest and smallest elements."""

from __future__ import annotations

from training.corpus.clauses import each, empty_guard, guard, outcome, when_empty, when_it_fails
from training.corpus.families.lists.counted import counting, remaining, skip_line, skipping
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "index_of_extreme arg_extreme where_is best_index",
    "numbers values xs nums",
    which=("largest", "smallest"),
    side=("first", "last"),
    empty=("None", "-1", "ValueError"),
    base=(0, 1),
)
def index_of_extreme(n: Names, which: str, side: str, empty: str, base: int) -> Task:
    f, xs = n
    pick = "max" if which == "largest" else "min"
    number = "i + 1" if base else "i"
    place = "0" if side == "first" else "-1"

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        best = sorted(values)[-1 if which == "largest" else 0]
        return [i for i, x in enumerate(values) if x == best][0 if side == "first" else -1] + base

    return Task(
        says=(
            f"return the position of the {which} number in `{xs}`",
            f"find the position of the {which} element of `{xs}`",
            f"tell at which position of `{xs}` its {which} value is",
            f"return where in `{xs}` the {which} number stands",
            f"determine the place of the {which} value in the list `{xs}`",
            f"compute the position of the {which} entry in `{xs}`",
        ),
        rules=(
            (
                f"If it occurs more than once, take the {side} position.",
                f"On a tie, return the {side} position.",
                f"Of several positions, the {side} one counts.",
            ),
            (f"Positions start at {base}.", f"Count positions from {base}.", f"The first element has position {base}."),
            when_empty(xs, empty),
        ),
        code=(
            f"def {f}({xs}):\n{empty_guard(xs, empty)}    best = {pick}({xs})\n"
            f"    return [{number} for i, x in enumerate({xs}) if x == best][{place}]"
        ),
        oracle=oracle,
        inputs=each([], [5], [1, 2, 3], [3, 2, 1], [4, 9, 4, 9], [0, -1, -1, 2, 2], [7, 7, 7], [-5, -2, -9, -2, -9]),
    )


SECOND_INPUTS = each(
    [],
    [5],
    [4, 4],
    [1, 2, 3],
    [9, 9, 8, 1, 1],
    [3, 1, 2],
    [7, 7, 7, 6],
    [-1, -5, -1, -5, 0],
    [10, 20],
    [0, 0, 6, 2],
    [-3, 8, 5, -7],
    [-4, -2, 0, 0],
    [-9, -8, -6],
)


@family(
    "second_extreme runner_up second_best next_best",
    "numbers values xs nums",
    which=("largest", "smallest"),
    distinct=(True, False),
    missing=("None", "-1", "ValueError"),
    skip=("nothing", "zeros", "negative numbers"),
)
def second_extreme(n: Names, which: str, distinct: bool, missing: str, skip: str) -> Task:
    f, xs = n
    source = f"set({xs})" if distinct else xs
    backwards = ", reverse=True" if which == "largest" else ""

    def oracle(values: list[int]) -> object:
        left = remaining(values, skip)
        left = list(dict.fromkeys(left)) if distinct else left
        if len(left) < 2:
            return outcome(missing)
        left.remove(max(left) if which == "largest" else min(left))
        return max(left) if which == "largest" else min(left)

    return Task(
        says=(
            f"return the second {which} number in `{xs}`",
            f"find the second {which} value of `{xs}`",
            f"return which number of `{xs}` is the second {which}",
            f"determine the second {which} element in the list `{xs}`",
            f"look up the second {which} of the numbers in `{xs}`",
            f"give the number that is second {which} in `{xs}`",
        ),
        rules=(
            counting(distinct),
            *skipping(skip),
            when_it_fails("there are fewer than two numbers", missing),
        ),
        code=(
            f"def {f}({xs}):\n{skip_line(xs, skip)}    ordered = sorted({source}{backwards})\n"
            f"{guard('len(ordered) < 2', missing, 'too few numbers')}    return ordered[1]"
        ),
        oracle=oracle,
        inputs=SECOND_INPUTS,
    )


TOP_NUMBERS_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 2),
    ([5], 1),
    ([3, 1, 2], 2),
    ([4, 4, 1, 9], 2),
    ([1, 2, 3], 0),
    ([7, 8, 9, 10], 3),
    ([2, 9, 1, 8, 3], 3),
    ([5, 6], 4),
    ([-1, -3, -2], 2),
    ([6, 6, 6], 2),
)


def taken_numbers(values: list[int], count: int, which: str, once: bool) -> list[int]:
    """The `count` largest or smallest numbers, in the order of their first appearance."""
    left = list(enumerate(dict.fromkeys(values) if once else values))
    sign = -1 if which == "largest" else 1
    while len(left) > count:
        left.remove(max(left, key=lambda pair: (sign * pair[1], pair[0])))
    return [x for _, x in left]


@family(
    "top_numbers best_of extremes select_top",
    "numbers values xs nums",
    "k n count size",
    which=("largest", "smallest"),
    order=("ascending", "descending", "original"),
    once=(False, True),
    few=("all", "None", "ValueError"),
)
def top_numbers(n: Names, which: str, order: str, once: bool, few: str) -> Task:
    f, xs, k = n
    source = f"set({xs})" if once else xs
    backwards = ", reverse=True" if which == "largest" else ""
    best = f"sorted({source}{backwards})[:{k}]"
    flipped = "[::-1]" if (which == "largest") != (order == "descending") else ""
    check = "" if few == "all" else guard(f"len({xs}) < {k}", few, f"{xs} is too short")
    lines = (
        f"    best = {best}\n    out = []\n    for x in {xs}:\n        if x in best:\n            best.remove(x)\n"
        "            out.append(x)\n    return out"
    )

    def oracle(values: list[int], count: int) -> object:
        if len(values) < count and few != "all":
            return outcome(few)
        taken = taken_numbers(values, count, which, once)
        return taken if order == "original" else sorted(taken, reverse=order == "descending")

    return Task(
        says=(
            f"return the `{k}` {which} numbers of `{xs}`",
            f"find the `{k}` {which} values in `{xs}`",
            f"pick the `{k}` {which} elements of `{xs}`",
            f"return a list with the `{k}` {which} of the numbers in `{xs}`",
            f"select `{k}` numbers from `{xs}`, namely the {which} ones",
            f"keep only the `{k}` {which} entries of `{xs}`",
        ),
        rules=(
            counting(once),
            (f"Keep their order in `{xs}`.", f"They stay in the order of `{xs}`.", "Do not reorder them.")
            if order == "original"
            else (
                f"Return them in {order} order.",
                f"The result is sorted in {order} order.",
                f"Sort them in {order} order.",
            ),
            ("If there are fewer, return all of them.", "If there are not as many, take all.", "Fewer are fine too.")
            if few == "all"
            else when_it_fails(f"`{xs}` has fewer than `{k}` elements", few),
        ),
        code=f"def {f}({xs}, {k}):\n{check}{lines if order == 'original' else f'    return {best}{flipped}'}",
        oracle=oracle,
        inputs=TOP_NUMBERS_INPUTS,
    )
