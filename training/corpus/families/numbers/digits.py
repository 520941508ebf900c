"""The digits of a number, and its form in other bases."""

from __future__ import annotations

import math
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising, when_negative
from training.corpus.registry import family
from training.corpus.types import Names, Task


def digit_result_oracle(what: str, negative: str, number: int) -> object:
    if number < 0 and negative != "ignore the sign":
        return outcome(negative)
    digits = [int(d) for d in str(number).lstrip("-")]
    return {
        "sum": sum(digits),
        "product": math.prod(digits),
        "largest": sorted(digits)[-1],
        "smallest": sorted(digits)[0],
        "count of even": len([d for d in digits if d in (0, 2, 4, 6, 8)]),
        "count of different": len(dict.fromkeys(digits)),
    }[what]


@family(
    "digit_result digits_of work_on_digits digit_value",
    "number n value num",
    what=("sum", "product", "largest", "smallest", "count of even", "count of different"),
    negative=("ignore the sign", "ValueError", "-1"),
)
def digit_result(n: Names, what: str, negative: str) -> Task:
    f, x = n
    s = f"str(abs({x}))" if negative == "ignore the sign" else f"str({x})"
    body = {
        "sum": f"    return sum(int(d) for d in {s})",
        "product": f"    result = 1\n    for d in {s}:\n        result *= int(d)\n    return result",
        "largest": f"    return max(int(d) for d in {s})",
        "smallest": f"    return min(int(d) for d in {s})",
        "count of even": f"    return sum(1 for d in {s} if int(d) % 2 == 0)",
        "count of different": f"    return len(set({s}))",
    }[what]
    named = {
        "sum": "the sum of the digits",
        "product": "the product of the digits",
        "largest": "the largest digit",
        "smallest": "the smallest digit",
        "count of even": "the number of even digits",
        "count of different": "the number of different digits",
    }[what]
    check = "" if negative == "ignore the sign" else guard(f"{x} < 0", negative, f"{x} is negative")
    return Task(
        says=(
            f"return {named} of `{x}`",
            f"compute {named} of the whole number `{x}`",
            f"look at the decimal digits of `{x}` and return {named}",
            f"determine {named} of `{x}` in decimal notation",
            f"find {named} of the integer `{x}`",
            f"calculate {named} that `{x}` has",
        ),
        rules=(
            ("Ignore the sign.", "The sign does not count.", f"Use the absolute value of `{x}`.")
            if negative == "ignore the sign"
            else when_negative(x, negative),
        ),
        code=f"def {f}({x}):\n{check}{body}",
        oracle=partial(digit_result_oracle, what, negative),
        inputs=each(0, 7, -15, 10, 1234, 9981, -303, 255, 40, 68, 12345, 777),
    )


def reverse_number_oracle(sign: str, result: str, number: int) -> object:
    if number < 0 and sign in ("ValueError", "None"):
        return outcome(sign)
    text = "".join(reversed(str(number).lstrip("-")))
    text = str(int(text)) if result == "int" else text
    text = f"-{text}" if number < 0 and sign == "keep" else text
    return int(text) if result == "int" else text


@family(
    "reverse_number flip_digits reversed_int mirror_number",
    "number n value num",
    sign=("keep", "drop", "ValueError", "None"),
    result=("int", "str"),
)
def reverse_number(n: Names, sign: str, result: str) -> Task:
    f, x = n
    check = "" if sign in ("keep", "drop") else guard(f"{x} < 0", sign, f"{x} is negative")
    digits = f"str(abs({x}))[::-1]" if sign in ("keep", "drop") else f"str({x})[::-1]"
    value = f"int({digits})" if result == "int" else digits
    tail = (
        (
            f"    return -int({digits}) if {x} < 0 else int({digits})"
            if result == "int"
            else f'    return "-" + {digits} if {x} < 0 else {digits}'
        )
        if sign == "keep"
        else f"    return {value}"
    )
    kind = "an integer" if result == "int" else "a string"
    return Task(
        says=(
            f"reverse the digits of `{x}` and return the result as {kind}",
            f"return {kind} with the digits of `{x}` in reverse order",
            f"turn around the decimal digits of `{x}` and return {kind}",
            f"write the digits of the whole number `{x}` backwards and return {kind}",
            f"compute {kind} from `{x}` by reversing its digits",
            f"return the digits of `{x}` from right to left, as {kind}",
        ),
        rules=(
            {
                "keep": ("A negative number stays negative.", "Keep the sign.", "The sign stays the same."),
                "drop": ("Drop the sign.", "Ignore the sign.", "The result has no sign."),
            }.get(sign)
            or when_negative(x, sign),
        ),
        code=f"def {f}({x}):\n{check}{tail}",
        oracle=partial(reverse_number_oracle, sign, result),
        inputs=each(0, 7, -12, 120, 1234, -500, 99, 1002, 10, -86),
    )


@family(
    "to_base in_base convert_base base_text",
    "number n value num",
    base=(2, 3, 4, 5, 7, 8),
    prefix=("", "0b", "x", "#"),
    width=(0, 4, 8),
)
def to_base(n: Names, base: int, prefix: str, width: int) -> Task:
    f, x = n
    mark = f'"{prefix}" + ' if prefix else ""
    fill = f".zfill({width})" if width else ""
    rules = (
        [(f"Put `{prefix}` in front.", f"The result begins with `{prefix}`.", f"Use the prefix `{prefix}`.")]
        if prefix
        else []
    )
    if width:
        rules.append(
            (
                f"Fill up the digits with zeros on the left to at least {width}.",
                f"Use at least {width} digits, with leading zeros.",
                f"Pad the digits with zeros to {width} places.",
            )
        )

    def oracle(number: int) -> object:
        if number < 0:
            return outcome("ValueError")
        power, digits = 1, ""
        while power <= max(number, 1):
            digits, power = f"{number // power % base}{digits}", power * base
        return prefix + "0" * (width - len(digits)) + digits

    return Task(
        says=(
            f"return `{x}` as text in base {base}",
            f"convert the integer `{x}` to a string of its digits in base {base}",
            f"write `{x}` in the number system with base {base} and return the string",
            f"return the base {base} notation of `{x}`",
            f"compute the digits of `{x}` in base {base} and return them as a string",
            f"turn the whole number `{x}` into its base {base} text",
        ),
        rules=(*rules, raising(f"`{x}` is negative", "ValueError")),
        code=f"""
def {f}({x}):
{guard(f"{x} < 0", "ValueError", f"{x} is negative")}    digits = str({x} % {base})
    while {x} >= {base}:
        {x} //= {base}
        digits = str({x} % {base}) + digits
    return {mark}digits{fill}
""",
        oracle=oracle,
        inputs=each(0, -1, 1, base, base - 1, 10, 37, 100, 255, base * base),
    )
