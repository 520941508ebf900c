"""Numbers kept within limits: clamped, rounded to steps, divided safely."""

from __future__ import annotations

import math
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def clamp_oracle(low: int, high: int, how: str, number: int) -> object:
    if low <= number <= high:
        return number
    if how == "wrap":
        return next(v for v in range(low, high + 1) if (number - v) % (high + 1 - low) == 0)
    return outcome(how) if how != "clamp" else low if number < low else high


@family(
    "clamp limit_to bounded restrict",
    "x value number n",
    low=(0, 1, -10, 5),
    high=(10, 50, 100, 255),
    how=("clamp", "None", "ValueError", "wrap"),
)
def clamp(n: Names, low: int, high: int, how: str) -> Task:
    f, x = n
    body = {
        "clamp": f"    return max({low}, min({high}, {x}))",
        "None": f"    return {x} if {low} <= {x} <= {high} else None",
        "ValueError": (
            f'    if {x} < {low} or {x} > {high}:\n        raise ValueError("{x} is out of range")\n    return {x}'
        ),
        "wrap": f"    return ({x} - {low}) % {high - low + 1} + {low}"
        if low > 0
        else f"    return ({x} + {-low}) % {high - low + 1} - {-low}"
        if low < 0
        else f"    return {x} % {high + 1}",
    }[how]
    rule = {
        "clamp": (
            f"A smaller number gives {low}, a larger one {high}.",
            f"Below it return {low}, above it return {high}.",
            f"Too small numbers become {low} and too large ones {high}.",
        ),
        "None": ("Outside of it return None.", "Any other number gives None.", "If it is outside, the result is None."),
        "ValueError": (
            "Outside of it raise a ValueError.",
            "Raise ValueError for any other number.",
            "If it is outside, a ValueError is raised.",
        ),
        "wrap": (
            f"Outside of it wrap around: {high + 1} becomes {low}.",
            f"Wrap around, so that {low - 1} gives {high}.",
            f"It wraps around: after {high} comes {low} again.",
        ),
    }[how]
    return Task(
        says=(
            f"return `{x}` if it lies in the range from {low} to {high}",
            f"restrict `{x}` to the range from {low} to {high}",
            f"check that `{x}` is between {low} and {high} and return it",
            f"keep the integer `{x}` between {low} and {high}",
            f"make sure that `{x}` is at least {low} and at most {high}",
            f"limit the whole number `{x}` to values from {low} to {high}",
        ),
        rules=(("Both limits are allowed.", "The limits belong to the range.", "The range includes both ends."), rule),
        code=f"def {f}({x}):\n{body}",
        oracle=partial(clamp_oracle, low, high, how),
        inputs=each(
            low, high, low - 1, high + 1, (low + high) // 2, low + 1, high - 1, high + 7, low - 5, low + 3, high - 3
        ),
    )


def round_to_oracle(step: int, way: str, negative: str, number: int) -> object:
    if number < 0 and negative != "allowed":
        return outcome(negative)
    return {
        "down": math.floor(number / step),
        "up": math.ceil(number / step),
        "nearest": math.floor(number / step + 0.5),
    }[way] * step


@family(
    "round_to nearest_multiple snap to_step",
    "x value number amount",
    step=(4, 5, 10, 25, 100),
    way=("up", "down", "nearest"),
    negative=("allowed", "ValueError", "0"),
)
def round_to(n: Names, step: int, way: str, negative: str) -> Task:
    f, x = n
    body = {
        "down": f"{x} // {step} * {step}",
        "up": f"-(-{x} // {step}) * {step}",
        "nearest": f"({x} + {step // 2}) // {step} * {step}",
    }[way]
    check = "" if negative == "allowed" else guard(f"{x} < 0", negative, f"{x} is negative")
    direction = {
        "up": "up to the next multiple",
        "down": "down to the previous multiple",
        "nearest": "to the nearest multiple",
    }[way]
    rules: list[Rule] = [
        (
            f"A multiple of {step} stays as it is.",
            "Multiples do not change.",
            f"If it is a multiple of {step} already, return it.",
        )
    ]
    if way == "nearest":
        rules.append(("Halves go up.", "Round up in the middle.", "In the middle, round up."))
    if negative != "allowed":
        rules.append(
            raising(f"`{x}` is negative", negative)
            if negative == "ValueError"
            else (f"A negative `{x}` gives 0.", f"If `{x}` is negative, return 0.", f"Return 0 for a negative `{x}`.")
        )
    return Task(
        says=(
            f"round the integer `{x}` {direction} of {step}",
            f"return `{x}` rounded {direction} of {step}",
            f"compute `{x}` rounded {direction} of {step}",
            f"bring `{x}` {direction} of {step}",
            f"take the whole number `{x}` and round it {direction} of {step}",
            f"change `{x}` {direction} of {step} and return the result",
        ),
        rules=tuple(rules),
        code=f"def {f}({x}):\n{check}    return {body}",
        oracle=partial(round_to_oracle, step, way, negative),
        inputs=each(0, -1, 1, step, step - 1, step + 1, 3 * step, 37, 149, -step - 1, 2 * step + step // 2),
    )


def safe_divide_oracle(zero: str, digits: int | None, whole: bool, x: int, y: int) -> object:
    if y == 0:
        return outcome(zero)
    if whole:
        floor = math.floor(x / y)
        return (
            floor
            if digits is None
            else (floor, x - floor * y)
            if digits == 0
            else floor + digits
            if digits > 1
            else floor - 1
        )
    return x / y if digits is None else round(x / y, digits) if digits else round(x / y)


def safe_divide_says(a: str, b: str, whole: bool) -> tuple[str, ...]:
    what = "the whole part of" if whole else "the result of"
    return (
        f"return {what} `{a}` divided by `{b}`",
        f"divide `{a}` by `{b}` and return {what.replace(' of', '')}",
        f"compute {what} dividing `{a}` by `{b}`",
        f"calculate {what} the division of `{a}` by `{b}`",
        f"give {what} the quotient of `{a}` and `{b}`",
        f"determine {what} `{a}` over `{b}`",
    )


def safe_divide_rules(b: str, zero: str, digits: int | None, whole: bool) -> tuple[Rule, ...]:
    extra: tuple[str, ...] = ()
    if whole and digits == 0:
        extra = (
            "Return a tuple with the remainder as the second value.",
            "The result is a tuple: quotient and remainder.",
            "Give back both the quotient and the remainder.",
        )
    elif whole and digits is not None:
        change = f"Add {digits}" if digits > 1 else "Subtract 1"
        extra = (
            f"{change} at the end.",
            f"{change} before you return it.",
            f"Finally {change[0].lower() + change[1:]}.",
        )
    elif digits is not None:
        places = "a whole number" if digits == 0 else f"{digits} decimal place{'s' * (digits > 1)}"
        extra = (f"Round the result to {places}.", f"The result is rounded to {places}.", f"Round to {places}.")
    return (
        raising(f"`{b}` is 0", zero)
        if zero == "ValueError"
        else (f"If `{b}` is 0, return {zero}.", f"Return {zero} when `{b}` is 0.", f"Division by 0 gives {zero}."),
        *([extra] if extra else []),
    )


@family(
    "safe_divide divide ratio quotient",
    "a x top numerator",
    "b y bottom denominator",
    zero=("None", "0", "ValueError"),
    digits=(None, 0, 1, 2, 3),
    whole=(False, True),
)
def safe_divide(n: Names, zero: str, digits: int | None, whole: bool) -> Task:
    f, a, b = n
    value = f"{a} // {b}" if whole else f"{a} / {b}"
    if whole and digits is not None:
        value = f"{value}, {a} % {b}" if digits == 0 else f"{value} + {digits}" if digits > 1 else f"{value} - 1"
    elif digits is not None:
        value = f"round({value}, {digits})" if digits else f"round({value})"
    return Task(
        says=safe_divide_says(a, b, whole),
        rules=safe_divide_rules(b, zero, digits, whole),
        code=f"def {f}({a}, {b}):\n{guard(f'{b} == 0', zero, f'{b} is 0')}    return {value}",
        oracle=partial(safe_divide_oracle, zero, digits, whole),
        inputs=((1, 0), (0, 5), (10, 4), (7, 3), (9, 3), (1, 8), (-7, 2), (22, 7), (100, 6), (0, 0)),
    )
