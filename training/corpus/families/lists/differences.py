"""The difference between two numbers of a list."""

from __future__ import annotations

from training.corpus.clauses import each, empty_guard, outcome
from training.corpus.families.lists.counted import remaining, skip_line, skip_rules
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "spread value_range extent difference_of",
    "numbers values xs nums",
    what=("largest minus smallest", "last minus first", "largest minus average", "sum of even minus sum of odd"),
    empty=("None", "0", "ValueError"),
    skip=("nothing", "negative numbers"),
)
def spread(n: Names, what: str, empty: str, skip: str) -> Task:
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
        left = remaining(values, skip)
        if not left:
            return outcome(empty)
        top = sorted(left)
        return {
            "largest minus smallest": top[-1] - top[0],
            "last minus first": left[len(left) - 1] - left[0],
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
        rules=skip_rules(xs, skip, empty),
        code=f"def {f}({xs}):\n{skip_line(xs, skip)}{empty_guard(xs, empty)}    return {body}",
        oracle=oracle,
        inputs=each(
            [], [4], [1, 5, 3], [9, 2], [-3, 0, 3], [7, 7, 7], [0, 9, 4, 5], [2, 8, 6, 4], [5, -5, 12, 8], [0], [-1]
        ),
    )
