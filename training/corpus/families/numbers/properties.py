"""What kind of number it is: properties, comparisons, grades."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


def has_property_oracle(what: str, low: str, number: int) -> object:
    if number < 1:
        return outcome(low)
    divisors = [i for i in range(1, number + 1) if number % i == 0]
    return {
        "prime": len(divisors) == 2,
        "a perfect square": number in [i * i for i in range(100)],
        "a power of two": number in [2**i for i in range(20)],
        "a perfect number": sum(divisors) == 2 * number,
        "a palindrome": str(number) == "".join(reversed(str(number))),
        "a triangular number": number in [i * (i + 1) // 2 for i in range(100)],
        "divisible by its digit sum": sum(map(int, str(number))) in divisors,
    }[what]


@family(
    "has_property check_number test_number is_special",
    "number n value num",
    what=(
        "prime",
        "a perfect square",
        "a power of two",
        "a perfect number",
        "a palindrome",
        "a triangular number",
        "divisible by its digit sum",
    ),
    low=("False", "ValueError", "None"),
)
def has_property(n: Names, what: str, low: str) -> Task:
    f, x = n
    body = {
        "prime": f"    return {x} > 1 and all({x} % i != 0 for i in range(2, int({x} ** 0.5) + 1))",
        "a perfect square": f"    return int({x} ** 0.5) ** 2 == {x}",
        "a power of two": f"    while {x} % 2 == 0:\n        {x} //= 2\n    return {x} == 1",
        "a perfect number": f"    return sum(i for i in range(1, {x}) if {x} % i == 0) == {x}",
        "a palindrome": f"    return str({x}) == str({x})[::-1]",
        "a triangular number": (
            f"    i = 0\n    total = 0\n    while total < {x}:\n        i += 1\n        total += i\n"
            f"    return total == {x}"
        ),
        "divisible by its digit sum": f"    return {x} % sum(int(d) for d in str({x})) == 0",
    }[what]
    return Task(
        says=(
            f"return whether `{x}` is {what}",
            f"check whether the integer `{x}` is {what}",
            f"return True if `{x}` is {what} and False if not",
            f"tell whether `{x}` is {what}",
            f"test if the whole number `{x}` is {what}",
            f"decide if `{x}` is {what}, as a bool",
        ),
        rules=(
            raising(f"`{x}` is less than 1", low)
            if low == "ValueError"
            else (
                f"For numbers below 1 return {low}.",
                f"If `{x}` is less than 1, return {low}.",
                f"Numbers less than 1 give {low}.",
            ),
        ),
        code=f"def {f}({x}):\n{guard(f'{x} < 1', low, f'{x} is less than 1')}{body}",
        oracle=partial(has_property_oracle, what, low),
        inputs=each(0, -4, 1, 2, 4, 6, 7, 9, 11, 12, 16, 21, 22, 28, 64, 97, 121, 36),
    )


def compare_says(n: Names, by: str, more: str, less: str, same: str) -> tuple[str, ...]:
    _, a, b = n
    things = {
        "value": "numbers",
        "absolute value": "absolute values of the numbers",
        "length of the text": "lengths of the strings",
    }[by]
    return (
        (
            f"compare the {things} `{a}` and `{b}`; return {less} if the first is smaller, {more} if it is larger, "
            f"{same} if they are equal"
        ),
        (
            f"return {less}, {same} or {more}, depending on whether the first of the {things} `{a}` and `{b}` is "
            "smaller, equal or larger"
        ),
        (
            f"look at the {things} `{a}` and `{b}` and return {more} when the first one is larger, {less} when it "
            f"is smaller, else {same}"
        ),
        (
            f"tell how the {things} `{a}` and `{b}` compare: {same} for equal ones, {less} if the first is below, "
            f"{more} if it is above"
        ),
        (
            f"give {same} if the {things} `{a}` and `{b}` are equal, {less} if the second is larger and {more} if "
            "the first is"
        ),
        (
            f"decide which of the {things} `{a}` and `{b}` is larger and return {more} for the first, {less} for "
            f"the second, {same} for neither"
        ),
    )


@family(
    "compare compare_values three_way which_is_larger",
    "a x first left",
    "b y second right",
    result=("numbers", "words", "symbols"),
    by=("value", "absolute value", "length of the text"),
)
def compare(n: Names, result: str, by: str) -> Task:
    f, a, b = n
    less, same, more = {
        "numbers": ("-1", "0", "1"),
        "words": ('"less"', '"equal"', '"greater"'),
        "symbols": ('"<"', '"="', '">"'),
    }[result]
    x, y = {
        "value": (a, b),
        "absolute value": (f"abs({a})", f"abs({b})"),
        "length of the text": (f"len({a})", f"len({b})"),
    }[by]

    def oracle(one: object, two: object) -> object:
        key = {"value": lambda v: v, "absolute value": lambda v: max(v, -v), "length of the text": len}[by]
        p, q = key(one), key(two)
        label = (less if p < q else more if p > q else same).strip('"')
        return int(label) if result == "numbers" else label

    return Task(
        says=compare_says(n, by, more, less, same),
        code=(
            f"def {f}({a}, {b}):\n    if {x} < {y}:\n        return {less}\n    return {more} if {x} > {y} else {same}"
        ),
        oracle=oracle,
        inputs=tuple(("x" * i, "y" * j) for i, j in ((0, 0), (1, 2), (3, 1), (2, 2), (0, 4), (5, 0), (7, 8)))
        if by == "length of the text"
        else ((0, 0), (1, 2), (-3, 1), (2, -2), (-5, -4), (9, 9), (4, -7), (10, 3)),
    )


GRADES: dict[tuple[str, ...], tuple[int, ...]] = {
    ("A", "B", "C", "F"): (90, 75, 50),
    ("1", "2", "3", "4"): (85, 70, 55),
    ("gold", "silver", "bronze", "none"): (95, 80, 60),
    ("high", "medium", "low", "zero"): (70, 30, 1),
}


@family(
    "grade rate_score classify level_for",
    "score points value x",
    names=GRADES,
    at=(">=", ">"),
    bad=("ValueError", "None"),
)
def grade(n: Names, names: tuple[str, ...], at: str, bad: str) -> Task:
    f, x = n
    limits = GRADES[names]
    least = "from" if at == ">=" else "above"
    table = (
        ", ".join(f"`{name}` {least} {limit}" for name, limit in zip(names, limits, strict=False))
        + f", else `{names[3]}`"
    )
    lines = "".join(
        f'    if {x} {at} {limit}:\n        return "{name}"\n' for name, limit in zip(names, limits, strict=False)
    )

    def oracle(score: int) -> object:
        if not 0 <= score <= 100:
            return outcome(bad)
        passed = [
            name for name, limit in zip(names, limits, strict=False) if score > limit or (at == ">=" and score == limit)
        ]
        return (passed or [names[3]])[0]

    return Task(
        says=(
            f"return the grade for `{x}`: {table}",
            f"classify `{x}` as follows: {table}",
            f"map the number `{x}` to a word: {table}",
            f"return which grade `{x}` gets; the grades are {table}",
            f"turn `{x}` into {table}",
            f"rate `{x}` by this table: {table}",
        ),
        rules=(
            raising(f"`{x}` is not between 0 and 100", bad)
            if bad == "ValueError"
            else (
                f"If `{x}` is not between 0 and 100, return None.",
                "Return None outside 0 to 100.",
                "Numbers below 0 or above 100 give None.",
            ),
        ),
        code=(
            f"def {f}({x}):\n{guard(f'{x} < 0 or {x} > 100', bad, f'{x} is out of range')}{lines}    return "
            f'"{names[3]}"'
        ),
        oracle=oracle,
        inputs=each(0, -1, 101, 100, *limits, *(limit - 1 for limit in limits), 45, 99),
    )
