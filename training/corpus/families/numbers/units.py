"""Temperatures and other units."""

from __future__ import annotations

from collections.abc import Callable

from training.corpus.clauses import each, guard, outcome, raising, rounding
from training.corpus.registry import family
from training.corpus.types import Names, Task

TEMPERATURES: dict[tuple[str, str], tuple[str, Callable[[float], float]]] = {
    ("Celsius", "Fahrenheit"): ("{x} * 9 / 5 + 32", lambda t: t * 1.8 + 32),
    ("Fahrenheit", "Celsius"): ("({x} - 32) * 5 / 9", lambda t: (t - 32) / 1.8),
    ("Celsius", "Kelvin"): ("{x} + 273.15", lambda t: t + 273.15),
    ("Kelvin", "Celsius"): ("{x} - 273.15", lambda t: t - 273.15),
}


@family(
    "convert_temperature temperature to_degrees change_scale",
    "t temperature degrees value",
    scale=TEMPERATURES,
    digits=(0, 1, 2),
    cold=("ValueError", "None"),
)
def convert_temperature(n: Names, scale: tuple[str, str], digits: int, cold: str) -> Task:
    f, x = n
    source, target = scale
    formula, compute = TEMPERATURES[scale]
    zero = {"Celsius": "-273.15", "Fahrenheit": "-459.67", "Kelvin": "0"}[source]

    def oracle(t: float) -> object:
        return outcome(cold) if t < float(zero) else round(compute(t), digits)

    return Task(
        says=(
            f"convert `{x}` from {source} to {target}",
            f"return the temperature `{x}`, given in {source}, in {target}",
            f"turn `{x}` degrees {source} into {target}",
            f"compute how many degrees {target} the {source} temperature `{x}` is",
            f"change the temperature `{x}` from the {source} to the {target} scale",
            f"return in {target} what `{x}` is in {source}",
        ),
        rules=(
            rounding(digits),
            raising(f"`{x}` is below absolute zero ({zero})", cold)
            if cold == "ValueError"
            else (
                f"Below absolute zero ({zero}) return None.",
                f"If `{x}` is less than {zero}, absolute zero, return None.",
                f"Return None for anything below {zero}, absolute zero.",
            ),
        ),
        code=(
            f"def {f}({x}):\n{guard(f'{x} < {zero}', cold, 'below absolute zero')}    return "
            f"round({formula.format(x=x)}, {digits})"
        ),
        oracle=oracle,
        inputs=each(0, -500, 100, 37, -40, 300, 21.543, 451, 68.77, 1),
    )


UNITS = {
    ("kilometres", "miles"): 0.621371,
    ("miles", "kilometres"): 1.609344,
    ("kilograms", "pounds"): 2.20462,
    ("pounds", "kilograms"): 0.453592,
    ("inches", "centimetres"): 2.54,
    ("litres", "gallons"): 0.264172,
    ("hours", "days"): 0.0416667,
}


@family(
    "convert_unit to_unit change_unit in_other_unit",
    "value x amount quantity",
    units=UNITS,
    digits=(0, 1, 2, 3),
    negative=("ValueError", "None", "allowed"),
)
def convert_unit(n: Names, units: tuple[str, str], digits: int, negative: str) -> Task:
    f, x = n
    source, target = units
    factor = UNITS[units]
    check = "" if negative == "allowed" else guard(f"{x} < 0", negative, f"{x} is negative")

    def oracle(value: float) -> object:
        return outcome(negative) if value < 0 and negative != "allowed" else round(value * factor, digits)

    return Task(
        says=(
            f"convert `{x}` from {source} to {target}; multiply by {factor}",
            f"return how many {target} `{x}` {source} are (1 is {factor})",
            f"turn `{x}` {source} into {target}, with the factor {factor}",
            f"compute the number of {target} in `{x}` {source}; one of them is {factor} {target}",
            f"change the amount `{x}` from {source} to {target}, using {factor} as the factor",
            f"multiply `{x}` {source} by {factor} to get {target} and return that",
        ),
        rules=(
            rounding(digits),
            *(
                []
                if negative == "allowed"
                else [
                    raising(f"`{x}` is negative", negative)
                    if negative == "ValueError"
                    else (
                        f"Return None if `{x}` is negative.",
                        f"If `{x}` is negative, return None.",
                        f"A negative `{x}` gives None.",
                    )
                ]
            ),
        ),
        code=f"def {f}({x}):\n{check}    return round({x} * {factor}, {digits})",
        oracle=oracle,
        inputs=each(0, -1, 1, 10, 2.5, 100, 42, 0.333, 1234, -7.77),
    )
