"""Sequences of numbers that follow a rule."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


def sum_range_oracle(inclusive: bool, what: str, order: str, x: int, y: int) -> object:
    if x > y and order != "0":
        if order == "ValueError":
            return outcome(order)
        x, y = y, x
    numbers = [i for i in range(-60, 60) if x <= i <= y and (inclusive or i != y)]
    keep = {"even numbers": 2, "odd numbers": 2, "multiples of 3": 3, "multiples of 5": 5}.get(what, 1)
    return sum(i**2 if what == "squares" else i for i in numbers if (i % keep == 0) != (what == "odd numbers"))


def sum_range_says(a: str, b: str, what: str) -> tuple[str, ...]:
    named = {"numbers": "whole numbers", "squares": "squares of the whole numbers"}.get(what, what)
    return (
        f"return the sum of all {named} from `{a}` to `{b}`",
        f"add up the {named} from `{a}` to `{b}`",
        f"compute the sum of the {named} between `{a}` and `{b}`",
        f"calculate what all {named} from `{a}` to `{b}` add up to",
        f"sum the {named} in the range from `{a}` to `{b}`",
        f"determine the total of the {named} from `{a}` up to `{b}`",
    )


@family(
    "sum_range add_range range_total total_between",
    "a start first low",
    "b stop last high",
    inclusive=(True, False),
    what=("numbers", "squares", "even numbers", "odd numbers", "multiples of 3", "multiples of 5"),
    order=("0", "swap", "ValueError"),
)
def sum_range(n: Names, inclusive: bool, what: str, order: str) -> Task:
    f, a, b = n
    stop = f"{b} + 1" if inclusive else b
    check = {
        "0": "",
        "swap": f"    if {a} > {b}:\n        {a}, {b} = {b}, {a}\n",
        "ValueError": guard(f"{a} > {b}", "ValueError", f"{a} is larger"),
    }[order]
    term = "i * i" if what == "squares" else "i"
    test = {
        "numbers": "",
        "squares": "",
        "even numbers": " if i % 2 == 0",
        "odd numbers": " if i % 2 != 0",
        "multiples of 3": " if i % 3 == 0",
        "multiples of 5": " if i % 5 == 0",
    }[what]
    body = f"sum(range({a}, {stop}))" if what == "numbers" else f"sum({term} for i in range({a}, {stop}){test})"
    return Task(
        says=sum_range_says(a, b, what),
        rules=(
            ("Both ends are included.", f"`{b}` is included.", f"The range includes `{b}`.")
            if inclusive
            else (f"`{b}` is not included.", f"Stop before `{b}`.", f"The range excludes `{b}`."),
            {
                "0": (
                    f"If `{a}` is larger than `{b}`, the sum is 0.",
                    f"The result is 0 if `{a}` is larger than `{b}`.",
                    f"Return 0 when `{a}` is above `{b}`.",
                ),
                "swap": (
                    f"If `{a}` is larger than `{b}`, swap them.",
                    f"Swap the two if `{a}` is larger than `{b}`.",
                    "They may come in any order; swap them if needed.",
                ),
                "ValueError": raising(f"`{a}` is larger than `{b}`", "ValueError"),
            }[order],
        ),
        code=f"def {f}({a}, {b}):\n{check}    return {body}",
        oracle=partial(sum_range_oracle, inclusive, what, order),
        inputs=((0, 0), (5, 1), (1, 5), (3, 12), (-4, 4), (12, 2), (10, 30), (-6, -3), (1, 15), (20, 7)),
    )


def sequence_oracle(kind: str, order: str, begin: int, firsts: str, count: int) -> list[int]:
    out = list(map(int, firsts.split(", ")))
    while len(out) < count:
        i = len(out) + begin
        out.append(
            {
                "Fibonacci numbers": out[-1] + out[-2],
                "square numbers": i**2,
                "triangular numbers": sum(range(i + 1)),
                "powers of two": out[-1] * 2,
                "odd numbers": out[-1] + 2,
                "cubes": i * i * i,
            }[kind]
        )
    return sorted(out[:count], reverse=order == "descending")


@family(
    "sequence make_sequence first_terms numbers_of",
    "count n length k",
    kind=("Fibonacci numbers", "square numbers", "triangular numbers", "powers of two", "odd numbers", "cubes"),
    start=("first", "second"),
    order=("ascending", "descending"),
)
def sequence(n: Names, kind: str, start: str, order: str) -> Task:
    f, k = n
    begin = 0 if start == "first" else 1
    term = {
        "square numbers": "i * i",
        "triangular numbers": "i * (i + 1) // 2",
        "powers of two": "2 ** i",
        "odd numbers": "2 * i + 1",
        "cubes": "i ** 3",
    }
    tail = "[::-1]" if order == "descending" else ""
    firsts = {
        "Fibonacci numbers": ("0, 1, 1, 2", "1, 1, 2, 3"),
        "square numbers": ("0, 1, 4, 9", "1, 4, 9, 16"),
        "triangular numbers": ("0, 1, 3, 6", "1, 3, 6, 10"),
        "powers of two": ("1, 2, 4, 8", "2, 4, 8, 16"),
        "odd numbers": ("1, 3, 5, 7", "3, 5, 7, 9"),
        "cubes": ("0, 1, 8, 27", "1, 8, 27, 64"),
    }[kind][begin]
    if kind == "Fibonacci numbers":
        body = (
            f"    out = []\n    a, b = {'0, 1' if begin == 0 else '1, 1'}\n    for _ in range({k}):\n"
            f"        out.append(a)\n        a, b = b, a + b\n    return out{tail}"
        )
    else:
        span = f"range({k})" if begin == 0 else f"range(1, {k} + 1)"
        body = f"    return [{term[kind]} for i in {span}]{tail}"
    return Task(
        says=(
            f"return a list of the first `{k}` {kind} ({firsts}, ...)",
            f"compute the first `{k}` {kind}: {firsts} and so on",
            f"build the list of `{k}` {kind}, which begin with {firsts}",
            f"generate `{k}` {kind} ({firsts}, ...) and return them as a list",
            f"list the first `{k}` of the {kind} {firsts}, ...",
            f"produce a list with `{k}` {kind}; they are {firsts} and so on",
        ),
        rules=(("The largest comes first.", "Return them in descending order.", "The order is descending."),)
        if order == "descending"
        else (),
        code=f"def {f}({k}):\n{body}",
        oracle=partial(sequence_oracle, kind, order, begin, firsts),
        inputs=each(0, 1, 2, 3, 4, 5, 7, 9),
    )


def fizzbuzz_oracle(a: int, b: int, words: tuple[str, str], give: str, limit: int) -> object:
    out = [words[0] * (i % a == 0) + words[1] * (i % b == 0) or f"{i}" for i in range(1, limit + 1)]
    return out if give == "list" else " ".join(out)


@family(
    "fizzbuzz count_game replace_multiples fizz",
    "n limit top count",
    a=(2, 3),
    b=(4, 5, 7),
    words=(("Fizz", "Buzz"), ("tick", "tock"), ("A", "B")),
    give=("list", "text"),
)
def fizzbuzz(n: Names, a: int, b: int, words: tuple[str, str], give: str) -> Task:
    f, x = n
    one, two = words
    result = "out" if give == "list" else '" ".join(out)'
    what = "a list of strings" if give == "list" else "one string with spaces between"
    return Task(
        says=(
            (
                f"count from 1 to `{x}`, with `{one}` for multiples of {a}, `{two}` for multiples of {b} and "
                f"`{one}{two}` for multiples of both, and return {what}"
            ),
            (
                f"return the numbers from 1 to `{x}` as {what}, where multiples of {a} become `{one}`, multiples of "
                f"{b} `{two}` and those of both `{one}{two}`"
            ),
            (
                f"write the numbers 1 to `{x}` as {what}; put `{one}` for numbers divisible by {a}, `{two}` for those "
                f"divisible by {b}, `{one}{two}` if both divide"
            ),
            (
                f"replace multiples of {a} by `{one}`, of {b} by `{two}` and of both by `{one}{two}` in the numbers "
                f"from 1 to `{x}`; the result is {what}"
            ),
            (
                f"play the game up to `{x}`: say `{one}` for {a}, `{two}` for {b}, `{one}{two}` for both, else the "
                f"number, and return {what}"
            ),
            (
                f"build {what} from the numbers 1 to `{x}`: `{one}` if divisible by {a}, `{two}` if by {b}, "
                f"`{one}{two}` if by both, otherwise the number"
            ),
        ),
        code=f"""
def {f}({x}):
    out = []
    for i in range(1, {x} + 1):
        word = ""
        if i % {a} == 0:
            word += "{one}"
        if i % {b} == 0:
            word += "{two}"
        out.append(word or str(i))
    return {result}
""",
        oracle=partial(fizzbuzz_oracle, a, b, words, give),
        inputs=each(0, 1, 2, 5, 7, 14, 20, 28),
    )


@family(
    "collatz steps_to_one hailstone three_n_plus_one",
    "n number start value",
    give=("steps", "list", "largest"),
    low=("ValueError", "None", "0"),
)
def collatz(n: Names, give: str, low: str) -> Task:
    f, x = n
    result = {"steps": "len(out) - 1", "list": "out", "largest": "max(out)"}[give]
    what = {
        "steps": "the number of steps",
        "list": "the list of all numbers, `{x}` and 1 included",
        "largest": "the largest number on the way",
    }[give].replace("{x}", x)

    def oracle(number: int) -> object:
        if number < 1:
            return outcome(low)
        chain = [number]
        while chain[-1] > 1:
            chain.append(chain[-1] // 2 if chain[-1] % 2 == 0 else 3 * chain[-1] + 1)
        return {"steps": len(chain[1:]), "list": chain, "largest": sorted(chain)[-1]}[give]

    return Task(
        says=(
            f"halve `{x}` if it is even, else triple it and add 1, until it is 1, and return {what}",
            f"follow the Collatz sequence from `{x}` to 1 and return {what}",
            f"return {what} of the Collatz sequence that starts at `{x}` and ends at 1",
            f"go from `{x}` to 1 by the Collatz rule (even: n / 2, odd: 3 n + 1) and return {what}",
            f"apply the Collatz rule to `{x}` until 1 is reached, then return {what}",
            f"compute {what} when `{x}` is brought to 1 by the 3 n + 1 rule",
        ),
        rules=(
            raising(f"`{x}` is less than 1", low)
            if low == "ValueError"
            else (
                f"If `{x}` is less than 1, return {low}.",
                f"Return {low} for numbers below 1.",
                f"Numbers less than 1 give {low}.",
            ),
        ),
        code=f"""
def {f}({x}):
{guard(f"{x} < 1", low, f"{x} is less than 1")}    out = [{x}]
    while out[-1] != 1:
        k = out[-1]
        out.append(k // 2 if k % 2 == 0 else 3 * k + 1)
    return {result}
""",
        oracle=oracle,
        inputs=each(0, -2, 1, 2, 3, 6, 7, 16, 5, 11),
    )
