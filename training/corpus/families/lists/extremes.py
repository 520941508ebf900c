"""The largest and smallest elements."""

from __future__ import annotations

from training.corpus.clauses import each, empty_guard, guard, outcome, when_empty, when_it_fails
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "index_of_extreme arg_extreme where_is best_index",
    "numbers values xs nums",
    which=("largest", "smallest"),
    side=("first", "last"),
    empty=("None", "-1", "ValueError"),
)
def index_of_extreme(n: Names, which: str, side: str, empty: str) -> Task:
    f, xs = n
    pick = "max" if which == "largest" else "min"
    result = f"{xs}.index({pick}({xs}))" if side == "first" else f"len({xs}) - 1 - {xs}[::-1].index({pick}({xs}))"

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        best = sorted(values)[-1 if which == "largest" else 0]
        return [i for i, x in enumerate(values) if x == best][0 if side == "first" else -1]

    return Task(
        says=(
            f"return the index of the {which} number in `{xs}`",
            f"find the position of the {which} element of `{xs}`",
            f"tell at which index of `{xs}` its {which} value is",
            f"return where in `{xs}` the {which} number stands, as an index",
            f"determine the index of the {which} value of the list `{xs}`",
            f"compute the position of the {which} entry in `{xs}`",
        ),
        rules=(
            (
                f"If it occurs more than once, take the {side} index.",
                f"On a tie, return the {side} position.",
                f"Of several positions, the {side} one counts.",
            ),
            when_empty(xs, empty),
        ),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty)}    return {result}",
        oracle=oracle,
        inputs=each([], [5], [1, 2, 3], [3, 2, 1], [4, 9, 4, 9], [0, -1, -1, 2, 2], [7, 7, 7], [-5, -2, -9, -2, -9]),
    )


@family(
    "second_extreme runner_up second_best next_best",
    "numbers values xs nums",
    which=("largest", "smallest"),
    distinct=(True, False),
    missing=("None", "-1", "ValueError"),
)
def second_extreme(n: Names, which: str, distinct: bool, missing: str) -> Task:
    f, xs = n
    source = f"set({xs})" if distinct else xs
    backwards = ", reverse=True" if which == "largest" else ""

    def oracle(values: list[int]) -> object:
        left = list(dict.fromkeys(values)) if distinct else list(values)
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
            ("Equal numbers count once.", "Repeated numbers count only once.", "Duplicates are ignored.")
            if distinct
            else (
                "Equal numbers count separately.",
                "Repeated numbers count each time.",
                "Duplicates are not ignored.",
            ),
            when_it_fails("there are fewer than two numbers", missing),
        ),
        code=(
            f"def {f}({xs}):\n    ordered = sorted({source}{backwards})\n"
            f"{guard('len(ordered) < 2', missing, 'too few numbers')}    return ordered[1]"
        ),
        oracle=oracle,
        inputs=each(
            [], [5], [4, 4], [1, 2, 3], [9, 9, 8, 1, 1], [3, 1, 2], [7, 7, 7, 6], [-1, -5, -1, -5, 0], [10, 20]
        ),
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
)


@family(
    "top_numbers best_of extremes select_top",
    "numbers values xs nums",
    "k n count size",
    which=("largest", "smallest"),
    order=("ascending", "descending", "original"),
)
def top_numbers(n: Names, which: str, order: str) -> Task:
    f, xs, k = n
    backwards = ", reverse=True" if which == "largest" else ""
    best = f"sorted({xs}{backwards})[:{k}]"
    flipped = (which == "largest") != (order == "descending")
    lines = {True: f"    return {best}[::-1]", False: f"    return {best}"}[flipped]
    if order == "original":
        lines = (
            f"    best = {best}\n    out = []\n    for x in {xs}:\n        if x in best:\n            best.remove(x)\n"
            "            out.append(x)\n    return out"
        )

    def oracle(values: list[int], count: int) -> list[int]:
        left = list(enumerate(values))
        taken: list[tuple[int, int]] = []
        while left and len(taken) < count:
            spot = (max if which == "largest" else min)(
                left, key=lambda p: (p[1], -p[0] if which == "largest" else p[0])
            )
            left.remove(spot)
            taken.append(spot)
        if order == "original":
            return [x for _, x in sorted(taken)]
        return sorted((x for _, x in taken), reverse=order == "descending")

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
            (f"Keep their order in `{xs}`.", f"They stay in the order of `{xs}`.", "Do not reorder them.")
            if order == "original"
            else (
                f"Return them in {order} order.",
                f"The result is sorted in {order} order.",
                f"Sort them in {order} order.",
            ),
        ),
        code=f"def {f}({xs}, {k}):\n{lines}",
        oracle=oracle,
        inputs=TOP_NUMBERS_INPUTS,
    )


@family(
    "spread value_range extent difference_of",
    "numbers values xs nums",
    what=("largest minus smallest", "last minus first", "largest minus average", "sum of even minus sum of odd"),
    empty=("None", "0", "ValueError"),
)
def spread(n: Names, what: str, empty: str) -> Task:
    f, xs = n
    body = {
        "largest minus smallest": f"max({xs}) - min({xs})",
        "last minus first": f"{xs}[-1] - {xs}[0]",
        "largest minus average": f"max({xs}) - sum({xs}) / len({xs})",
        "sum of even minus sum of odd": f"sum(x if x % 2 == 0 else -x for x in {xs})",
    }[what]
    a, b = {
        "largest minus smallest": ("the largest number", "the smallest"),
        "last minus first": ("the last number", "the first"),
        "largest minus average": ("the largest number", "the average"),
        "sum of even minus sum of odd": ("the sum of the even numbers", "the sum of the odd ones"),
    }[what]

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        top = sorted(values)
        return {
            "largest minus smallest": top[-1] - top[0],
            "last minus first": values[len(values) - 1] - values[0],
            "largest minus average": top[-1] - sum(top) / len(top),
            "sum of even minus sum of odd": sum(x for x in top if x % 2 == 0) - sum(x for x in top if x % 2),
        }[what]

    return Task(
        says=(
            f"return {a} minus {b} in `{xs}`",
            f"compute the difference between {a} and {b} of `{xs}`",
            f"subtract {b} from {a} in `{xs}` and return the result",
            f"calculate {a} of `{xs}` minus {b}",
            f"return by how much {a} in `{xs}` exceeds {b}",
            f"take {a} of the list `{xs}`, subtract {b} and return what remains",
        ),
        rules=(when_empty(xs, empty),),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty)}    return {body}",
        oracle=oracle,
        inputs=each([], [4], [1, 5, 3], [9, 2], [-3, 0, 3], [7, 7, 7], [10, 1, 4, 5], [2, 8, 6, 4], [5, -5, 12, 8]),
    )
