"""Averages, medians, modes and shares."""

from __future__ import annotations

from collections import Counter

from training.corpus.clauses import each, empty_guard, outcome, raising, when_empty
from training.corpus.conditions import COMPARED
from training.corpus.registry import family
from training.corpus.types import Names, Task

AVERAGE_INPUTS = each(
    [],
    [0],
    [4],
    [1, 2],
    [1, 1, 2],
    [0, 10, 5],
    [2, 3, 7, 100],
    [1.2345, 2.5, 9.8765],
    [0, 0, 1.0625, 3],
    [10, 20, 31, 45, 58],
)


@family(
    "average mean mean_of avg",
    "numbers values xs nums",
    digits=(0, 1, 2, 3),
    empty=("None", "0", "ValueError"),
    trim=("nothing", "the smallest and the largest", "zeros"),
)
def average(n: Names, digits: int, empty: str, trim: str) -> Task:
    f, xs = n
    change = {
        "nothing": "",
        "the smallest and the largest": f"    {xs} = sorted({xs})[1:-1]\n",
        "zeros": f"    {xs} = [x for x in {xs} if x != 0]\n",
    }[trim]
    rules = (
        [] if trim == "nothing" else [(f"First remove {trim}.", f"Leave out {trim} before.", f"Do not count {trim}.")]
    )
    empties = (
        when_empty(xs, empty)
        if trim == "nothing"
        else raising("nothing remains", empty)
        if empty == "ValueError"
        else (
            f"If nothing remains, return {empty}.",
            f"Return {empty} when there is nothing left.",
            f"If no numbers are left, the result is {empty}.",
        )
    )
    places = {0: "a whole number", 1: "1 decimal place"}.get(digits, f"{digits} decimal places")
    mean = f"round(sum({xs}) / len({xs}))" if digits == 0 else f"round(sum({xs}) / len({xs}), {digits})"

    def oracle(values: list[int]) -> object:
        left = (
            sorted(values)[1:-1] if trim.startswith("the") else [x for x in values if x] if trim == "zeros" else values
        )
        if not left:
            return outcome(empty)
        return round(sum(left) / len(left), digits) if digits else round(sum(left) / len(left))

    return Task(
        says=(
            f"return the average of `{xs}`, rounded to {places}",
            f"compute the mean of the numbers in `{xs}` and round it to {places}",
            f"return the arithmetic mean of `{xs}` rounded to {places}",
            f"calculate the average of all numbers in `{xs}`; round to {places}",
            f"divide the sum of `{xs}` by the number of its elements and round the result to {places}",
            f"find the mean value of the list `{xs}`, with {places}",
        ),
        rules=(*rules, empties),
        code=f"def {f}({xs}):\n{change}{empty_guard(xs, empty)}    return {mean}",
        oracle=oracle,
        inputs=AVERAGE_INPUTS,
    )


@family(
    "median middle_value median_of middle",
    "numbers values xs nums",
    even=("average", "lower", "upper"),
    empty=("None", "0", "ValueError"),
)
def median(n: Names, even: str, empty: str) -> Task:
    f, xs = n
    index = "(len(s) - 1) // 2" if even == "lower" else "len(s) // 2"
    average = "    if len(s) % 2 == 0:\n        return (s[i - 1] + s[i]) / 2\n" if even == "average" else ""

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        s = sorted(values)
        while len(s) > 2:
            s = s[1:-1]
        return s[0] if len(s) == 1 else {"average": sum(s) / 2, "lower": s[0], "upper": s[1]}[even]

    return Task(
        says=(
            f"return the median of `{xs}`",
            f"compute the median of the numbers in `{xs}`",
            f"sort `{xs}` and return the value in the middle",
            f"find the middle value of the numbers `{xs}`",
            f"determine the median of the list `{xs}`",
            f"return the number in the middle when `{xs}` is sorted",
        ),
        rules=(
            {
                "average": (
                    "With an even number of elements, return the average of the two in the middle.",
                    "If there are two middle values, return their average.",
                    "Of two middle numbers take the mean.",
                ),
                "lower": (
                    "With an even number of elements, return the smaller of the two in the middle.",
                    "If there are two middle values, return the lower one.",
                    "Of two middle numbers take the smaller.",
                ),
                "upper": (
                    "With an even number of elements, return the larger of the two in the middle.",
                    "If there are two middle values, return the upper one.",
                    "Of two middle numbers take the larger.",
                ),
            }[even],
            when_empty(xs, empty),
        ),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty)}    s = sorted({xs})\n    i = {index}\n{average}    return s[i]",
        oracle=oracle,
        inputs=each(
            [], [4], [3, 1, 2], [4, 1, 3, 2], [10, 2], [5, 5, 9, 9], [7, -1, 0], [8, 6, 4, 2, 0], [1, 100, 50, 2]
        ),
    )


@family(
    "mode most_common most_frequent common_value",
    "items values xs elements",
    which=("most", "least"),
    tie=("first", "smallest", "largest"),
    empty=("None", "ValueError"),
)
def mode(n: Names, which: str, tie: str, empty: str) -> Task:
    f, xs = n
    pick = "max" if which == "most" else "min"
    source = {"first": xs, "smallest": f"sorted({xs})", "largest": f"sorted({xs}, reverse=True)"}[tie]

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        counts = Counter(values)
        wanted = sorted(counts.values())[-1 if which == "most" else 0]
        best = [x for x in counts if counts[x] == wanted]
        return {"first": best[0], "smallest": min(best), "largest": max(best)}[tie]

    return Task(
        says=(
            f"return the element that occurs {which} often in `{xs}`",
            f"find the {which} frequent element of `{xs}`",
            f"return the value that appears {which} often in the list `{xs}`",
            f"determine which element of `{xs}` is the {which} common",
            f"give the {which} common value of `{xs}`",
            f"look for the element with the {'highest' if which == 'most' else 'lowest'} count in `{xs}`",
        ),
        rules=(
            (
                f"On a tie, take the {tie} of them.",
                f"Of equally common ones, the {tie} wins.",
                f"If there are several, return the {tie}.",
            ),
            when_empty(xs, empty),
        ),
        code=f"def {f}({xs}):\n{empty_guard(xs, empty)}    return {pick}({source}, key={xs}.count)",
        oracle=oracle,
        inputs=each(
            [],
            [4],
            [1, 2, 2],
            [3, 1, 3, 1, 2],
            [9, 8, 7],
            [5, 5, 6, 6, 7, 7, 4],
            [2, 9, 9, 2, 5, 5],
            [0, -1, -1, 0],
            [6, 3, 8, 8, 3, 6, 1],
        ),
    )


@family(
    "share_above percent_of share_where portion",
    "numbers values xs nums",
    op=COMPARED,
    limit=(0, 3, 5, 10, 50),
    form=("percent", "fraction"),
    empty=("0", "None"),
)
def share_above(n: Names, op: str, limit: int, form: str, empty: str) -> Task:
    f, xs = n
    symbol, holds = COMPARED[op]
    what = {"percent": "what percentage of the numbers in", "fraction": "what fraction (0 to 1) of the numbers in"}[
        form
    ]
    digits = {"percent": "1 decimal place", "fraction": "2 decimal places"}[form]
    value = f"round(100 * count / len({xs}), 1)" if form == "percent" else f"round(count / len({xs}), 2)"

    def oracle(values: list[int]) -> object:
        if not values:
            return outcome(empty)
        count = len([x for x in values if holds(x, limit)])
        return round(100 * count / len(values), 1) if form == "percent" else round(count / len(values), 2)

    return Task(
        says=(
            f"return {what} `{xs}` are {op} {limit}",
            f"compute {what} `{xs}` are {op} {limit}",
            f"tell {what} the list `{xs}` are {op} {limit}",
            f"determine {what} `{xs}` is {op} {limit}",
            f"calculate {what} `{xs}` that are {op} {limit}",
            f"find out {what} `{xs}` are {op} {limit}",
        ),
        rules=(
            (f"Round to {digits}.", f"The result has {digits}.", f"Round the result to {digits}."),
            when_empty(xs, empty),
        ),
        code=(
            f"def {f}({xs}):\n{empty_guard(xs, empty)}    count = sum(1 for x in {xs} if x {symbol} {limit})\n"
            f"    return {value}"
        ),
        oracle=oracle,
        inputs=each(
            [],
            [limit],
            [limit - 1, limit, limit + 1],
            [limit + 1, limit + 2, limit, limit - 3, limit],
            [100, 200],
            [-100, -200, limit + 1],
            [limit - 1, limit - 2, limit + 3, 0],
            [limit, limit, limit - 1, limit + 1, 60, 70, -80],
        ),
    )
