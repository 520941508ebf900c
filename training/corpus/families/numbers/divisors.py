"""Divisors, primes, common factors, factorials."""

from __future__ import annotations

import math
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising, when_negative
from training.corpus.registry import family
from training.corpus.types import Names, Task


def divisors_oracle(proper: str, give: str, number: int) -> object:
    if number < 1:
        return outcome("ValueError")
    found = {d for i in range(1, number + 1) for d in (i, number // i) if i * (number // i) == number}
    found -= {"all": set(), "without the number itself": {number}, "without 1": {1}}[proper]
    return {"list": sorted(found), "sum": sum(found), "largest first": sorted(found, reverse=True)}[give]


@family(
    "divisors factors divisors_of find_divisors",
    "number n value num",
    proper=("all", "without the number itself", "without 1"),
    give=("list", "sum", "largest first"),
)
def divisors(n: Names, proper: str, give: str) -> Task:
    f, x = n
    span = {
        "all": f"range(1, {x} + 1)",
        "without the number itself": f"range(1, {x})",
        "without 1": f"range(2, {x} + 1)",
    }[proper]
    body = {
        "list": f"[i for i in {span} if {x} % i == 0]",
        "sum": f"sum(i for i in {span} if {x} % i == 0)",
        "largest first": f"[i for i in {span} if {x} % i == 0][::-1]",
    }[give]
    what = {
        "list": "a list of the divisors",
        "sum": "the sum of the divisors",
        "largest first": "a list of the divisors, largest first,",
    }[give]
    return Task(
        says=(
            f"return {what} of `{x}`",
            f"compute {what} of the positive integer `{x}`",
            f"find {what} of the number `{x}`",
            f"determine {what} that `{x}` has",
            f"calculate {what} of the whole number `{x}`",
            f"give {what} of the integer `{x}`",
        ),
        rules=(
            {
                "all": (
                    f"1 and `{x}` itself are divisors, too.",
                    f"Include 1 and `{x}` itself.",
                    f"1 and `{x}` belong to them.",
                ),
                "without the number itself": (
                    f"Leave out `{x}` itself.",
                    f"`{x}` itself does not count.",
                    f"Do not include `{x}` itself.",
                ),
                "without 1": ("Leave out 1.", "1 does not count.", "Do not include 1."),
            }[proper],
            raising(f"`{x}` is less than 1", "ValueError"),
        ),
        code=f"def {f}({x}):\n{guard(f'{x} < 1', 'ValueError', f'{x} is less than 1')}    return {body}",
        oracle=partial(divisors_oracle, proper, give),
        inputs=each(0, -3, 1, 2, 6, 7, 12, 16, 28, 30),
    )


@family(
    "primes list_primes prime_numbers find_primes",
    "limit n top bound",
    inclusive=(True, False),
    start=(2, 3, 10, 20),
    give=("list", "count", "sum"),
)
def primes(n: Names, inclusive: bool, start: int, give: str) -> Task:
    f, x = n
    stop = f"{x} + 1" if inclusive else x
    result = {"list": "out", "count": "len(out)", "sum": "sum(out)"}[give]
    what = {"list": "a list of the primes", "count": "the number of primes", "sum": "the sum of the primes"}[give]
    to = f"from {start} to `{x}`"

    def oracle(limit: int) -> object:
        found = [p for p in range(start, limit + inclusive) if len([d for d in range(1, p + 1) if p % d == 0]) == 2]
        return {"list": found, "count": len(found), "sum": sum(found)}[give]

    return Task(
        says=(
            f"return {what} {to}",
            f"compute {what} {to}",
            f"find {what} {to}",
            f"determine {what} in the range {to}",
            f"calculate {what} {to} and return it",
            f"give {what} {to}",
        ),
        rules=(
            (f"`{x}` itself may be one of them.", f"Include `{x}` if it is a prime.", f"The upper end `{x}` counts.")
            if inclusive
            else (f"`{x}` itself is not included.", f"Stop before `{x}`.", f"The upper end `{x}` does not count."),
        ),
        code=f"""
def {f}({x}):
    out = []
    for p in range({start}, {stop}):
        if all(p % i != 0 for i in range(2, int(p ** 0.5) + 1)):
            out.append(p)
    return {result}
""",
        oracle=oracle,
        inputs=each(1, 2, 3, 11, 13, 23, 24, 29, 30, 41),
    )


@family(
    "gcd_lcm common_number combine_numbers shared_number",
    "a first x left",
    "b second y right",
    what=("greatest common divisor", "least common multiple"),
    zero=("0", "ValueError", "None"),
    check=("nothing", "coprime"),
)
def gcd_lcm(n: Names, what: str, zero: str, check: str) -> Task:
    f, a, b = n
    early = guard(f"{a} == 0 or {b} == 0", zero, "0 is not allowed")
    final = {"greatest common divisor": "p", "least common multiple": f"{a} * {b} // p"}[what]
    one = "    if p == 1:\n        return -1\n" if check == "coprime" else ""

    def oracle(x: int, y: int) -> object:
        if not x or not y:
            return outcome(zero)
        if check == "coprime" and math.gcd(x, y) == 1:
            return -1
        return math.gcd(x, y) if what.startswith("g") else math.lcm(x, y)

    return Task(
        says=(
            f"return the {what} of `{a}` and `{b}`",
            f"compute the {what} of the positive integers `{a}` and `{b}`",
            f"find the {what} of the two numbers `{a}` and `{b}`",
            f"determine the {what} that belongs to `{a}` and `{b}`",
            f"calculate the {what} for `{a}` and `{b}`",
            f"give the {what} of `{a}` and `{b}`, two whole numbers",
        ),
        rules=(
            raising("one of them is 0", zero)
            if zero == "ValueError"
            else (
                f"If one of them is 0, return {zero}.",
                f"Return {zero} if one of the numbers is 0.",
                f"A 0 gives {zero}.",
            ),
            *(
                [
                    (
                        "If they have no common divisor but 1, return -1.",
                        "Return -1 for numbers without a common divisor except 1.",
                        "Numbers that share only the divisor 1 give -1.",
                    )
                ]
                if check == "coprime"
                else []
            ),
        ),
        code=(
            f"def {f}({a}, {b}):\n{early}    p, q = {a}, {b}\n    while q:\n        p, q = q, p % q\n"
            f"{one}    return {final}"
        ),
        oracle=oracle,
        inputs=((0, 5), (4, 0), (1, 1), (12, 18), (7, 5), (6, 3), (10, 25), (9, 28), (14, 21), (100, 75)),
    )


@family(
    "factorial product_up_to multiply_down step_product",
    "n number k value",
    step=(1, 2, 3),
    low=("ValueError", "None", "0"),
    give=("value", "digits"),
)
def factorial(n: Names, step: int, low: str, give: str) -> Task:
    f, x = n
    every = {1: "", 2: "every second ", 3: "every third "}[step]
    steps = f", -{step}"
    result = "result" if give == "value" else "len(str(result))"
    what = "the product" if give == "value" else "the number of digits of the product"

    def oracle(number: int) -> object:
        if number < 0:
            return outcome(low)
        value = math.prod(range(number, 0, -step))
        return value if give == "value" else len(f"{value}")

    said = f"of {every}whole number{'s' if step == 1 else ''} from `{x}` down to 1"
    return Task(
        says=(
            f"return {what} {said}",
            f"compute {what} {said}",
            f"multiply and return {what} {said}",
            f"calculate {what} {said}",
            f"determine {what} {said}",
            f"give {what} {said}",
        ),
        rules=(
            (
                "For 0 the product is 1.",
                "The product for 0 is 1.",
                "With 0 there is nothing to multiply: the product is 1.",
            ),
            when_negative(x, low),
        ),
        code=(
            f"def {f}({x}):\n{guard(f'{x} < 0', low, f'{x} is negative')}    result = 1\n"
            f"    for i in range({x}, 0{steps}):\n        result *= i\n    return {result}"
        ),
        oracle=oracle,
        inputs=each(0, -1, 1, 2, 3, 4, 5, 6, 7, 10, 12),
    )
