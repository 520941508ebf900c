"""Every number of a list changed."""

from __future__ import annotations

from functools import partial

from training.corpus.registry import family
from training.corpus.types import Names, Task

SCALE_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 2),
    ([0], 4),
    ([1, 2, 3], 2),
    ([50, 99, 120], 3),
    ([-5, 5], 8),
    ([1.255, 2.3456], 3),
    ([10, 20], 0.5),
    ([-1, -200, 7], -3),
    ([33.333, 66.667], 7),
    ([500, 1000], 2),
)


def scale_oracle(op: str, low: str, digits: int | None, values: list[float], factor: float) -> list[float]:
    out = []
    for x in values:
        y = {
            "multiply": lambda a, b: a * b,
            "add": lambda a, b: a + b,
            "subtract": lambda a, b: a - b,
            "divide": lambda a, b: a / b,
        }[op](x, factor)
        y = round(y, digits) if digits else y
        out.append(0 if low.startswith("neg") and y < 0 else 100 if low.startswith("res") and y > 100 else y)
    return out


def scale_says(xs: str, k: str, op: str) -> tuple[str, ...]:
    does = {
        "multiply": f"multiplied by `{k}`",
        "add": f"increased by `{k}`",
        "subtract": f"decreased by `{k}`",
        "divide": f"divided by `{k}`",
    }[op]
    return (
        f"return a list of the numbers in `{xs}`, each {does}",
        f"return `{xs}` with every number {does}",
        f"build a new list from `{xs}` in which each number is {does}",
        f"compute each number of `{xs}` {does}",
        f"go through `{xs}` and return every number {does}",
        f"give back all elements of `{xs}` {does}",
    )


@family(
    "scale rescale adjust transform",
    "numbers values xs nums",
    "factor k amount by",
    op=("multiply", "add", "subtract", "divide"),
    low=("nothing", "negative results become 0", "results above 100 become 100"),
    digits=(None, 1, 2),
)
def scale(n: Names, op: str, low: str, digits: int | None) -> Task:
    f, xs, k = n
    symbol = {"multiply": "*", "add": "+", "subtract": "-", "divide": "/"}[op]
    term = f"x {symbol} {k}" if k != "x" else f"y {symbol} x"
    term = f"round({term}, {digits})" if digits else term
    term = {
        "nothing": term,
        "negative results become 0": f"max(0, {term})",
        "results above 100 become 100": f"min(100, {term})",
    }[low]
    rules = (
        []
        if low == "nothing"
        else [
            (
                low[0].upper() + low[1:] + ".",
                f"In the result, {low.replace('results', 'numbers').replace('negative numbers', 'negative numbers')}.",
                f"Note that {low}.",
            )
        ]
    )
    if digits:
        rules.insert(
            0,
            (
                f"Round to {digits} decimal place{'s' * (digits > 1)}.",
                f"Round every result to {digits} digit{'s' * (digits > 1)}.",
                f"The results have {digits} decimal place{'s' * (digits > 1)}.",
            ),
        )
    return Task(
        says=scale_says(xs, k, op),
        rules=tuple(rules),
        code=f"def {f}({xs}, {k}):\n    return [{term} for x in {xs}]",
        oracle=partial(scale_oracle, op, low, digits),
        inputs=SCALE_INPUTS,
    )


CLAMP_ALL_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 0, 5),
    ([3], 3, 7),
    ([1, 5, 9], 2, 8),
    ([2, 8], 2, 8),
    ([-4, 0, 4], -1, 3),
    ([10, 20, 30], 10, 20),
    ([6, 6], 0, 6),
    ([100, -100, 50], 0, 60),
)


def clamp_all_oracle(how: str, inclusive: bool, values: list[int], low: int, high: int) -> list[int | None]:
    allowed = range(low, high + 1) if inclusive else range(low + 1, high)
    if how == "clamp":
        return [x if x in allowed else allowed[0] if x < allowed[0] else allowed[-1] for x in values]
    return [x if x in allowed else None for x in values if how == "None" or x in allowed]


def clamp_all_says(xs: str, lo: str, hi: str, how: str) -> tuple[str, ...]:
    return {
        "clamp": (
            f"limit each number of `{xs}` to the range from `{lo}` to `{hi}`",
            f"return `{xs}` with every number moved into the range from `{lo}` to `{hi}`",
            f"clamp the numbers in `{xs}` between `{lo}` and `{hi}`",
            (
                f"raise numbers of `{xs}` that are too small for the range from `{lo}` to `{hi}`, and lower those too "
                "large"
            ),
            (
                f"return a list in which numbers of `{xs}` outside the range from `{lo}` to `{hi}` are replaced by its "
                "nearest whole number"
            ),
            f"force the numbers of `{xs}` into the range from `{lo}` to `{hi}`",
        ),
        "remove": (
            f"return the numbers of `{xs}` that are between `{lo}` and `{hi}`",
            f"remove all numbers from `{xs}` that are outside the range from `{lo}` to `{hi}`",
            f"keep only the numbers in `{xs}` within the range from `{lo}` to `{hi}`",
            f"filter `{xs}`, keeping what lies in the range from `{lo}` to `{hi}`",
            f"drop the numbers of `{xs}` not in the range from `{lo}` to `{hi}`",
            f"select those elements of `{xs}` that lie between `{lo}` and `{hi}`",
        ),
        "None": (
            f"return `{xs}` with None in place of numbers outside the range from `{lo}` to `{hi}`",
            f"replace each number of `{xs}` that is not between `{lo}` and `{hi}` by None",
            f"put None for every number in `{xs}` outside the range from `{lo}` to `{hi}`",
            f"turn the numbers of `{xs}` not in the range from `{lo}` to `{hi}` into None",
            f"keep numbers of `{xs}` between `{lo}` and `{hi}` and write None for all others",
            f"return a list where elements of `{xs}` outside the range from `{lo}` to `{hi}` become None",
        ),
    }[how]


@family(
    "clamp_all limit_values clip keep_between",
    "numbers values xs nums",
    "low lowest minimum bottom",
    "high highest maximum top",
    how=("clamp", "remove", "None"),
    inclusive=(True, False),
)
def clamp_all(n: Names, how: str, inclusive: bool) -> Task:
    f, xs, lo, hi = n
    sign = "<=" if inclusive else "<"
    inside = f"{lo} {sign} x {sign} {hi}"
    body = {
        "clamp": f"[max({lo}, min({hi}, x)) for x in {xs}]"
        if inclusive
        else f"[max({lo} + 1, min({hi} - 1, x)) for x in {xs}]",
        "remove": f"[x for x in {xs} if {inside}]",
        "None": f"[x if {inside} else None for x in {xs}]",
    }[how]
    return Task(
        says=clamp_all_says(xs, lo, hi, how),
        rules=(
            (
                f"Both `{lo}` and `{hi}` belong to the range.",
                "The limits themselves are allowed.",
                "The range includes its limits.",
            )
            if inclusive
            else (
                f"Neither `{lo}` nor `{hi}` belongs to the range.",
                "The limits themselves are not allowed.",
                "The range excludes its limits.",
            ),
        ),
        code=f"def {f}({xs}, {lo}, {hi}):\n    return {body}",
        oracle=partial(clamp_all_oracle, how, inclusive),
        inputs=CLAMP_ALL_INPUTS,
    )
