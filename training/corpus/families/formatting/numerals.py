"""Numbers as text: grouped digits, ordinals, Roman numerals, percent."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


def group_digits_oracle(separator: str, sign: str, number: int) -> str:
    digits = str(number).lstrip("-")
    groups: list[str] = []
    while digits:
        digits, groups = digits[:-3], [digits[-3:], *groups]
    text = separator.join(groups)
    return (
        {"minus": f"-{text}", "always": f"-{text}", "parentheses": f"({text})"}[sign]
        if number < 0
        else {"always": "+"}.get(sign, "") + text
    )


@family(
    "group_digits thousands format_number with_separators",
    "number n value amount",
    separator=(",", ".", " ", "_", "'"),
    sign=("minus", "always", "parentheses"),
)
def group_digits(n: Names, separator: str, sign: str) -> Task:
    f, x = n
    digits = f'f"{{abs({x}):,}}"' + (f'.replace(",", "{separator}")' if separator != "," else "")
    named = "a space" if separator == " " else f"`{separator}`"
    body = {
        "minus": f'    return "-" + text if {x} < 0 else text',
        "always": f'    return "-" + text if {x} < 0 else "+" + text',
        "parentheses": f'    return "(" + text + ")" if {x} < 0 else text',
    }[sign]
    return Task(
        says=(
            f"return the integer `{x}` as text with {named} between groups of three digits",
            f"format the whole number `{x}` with {named} as the thousands separator",
            f"write `{x}` as a string in which {named} separates thousands",
            f"put {named} between each three digits of the integer `{x}` and return the text",
            f"turn `{x}` into a string, with {named} after every three digits from the right",
            f"convert the integer `{x}` to text, separating the thousands by {named}",
        ),
        rules=(
            {
                "minus": (
                    "A negative number begins with a minus.",
                    "Negative numbers have a `-` in front.",
                    "Put `-` before negative numbers.",
                ),
                "always": (
                    "Always write the sign, `+` or `-`.",
                    "Put `+` in front unless the number is negative, then `-`.",
                    "The sign is always there; 0 has a `+`.",
                ),
                "parentheses": (
                    "Negative numbers stand in parentheses, without a minus.",
                    "Put negative numbers in parentheses instead of a minus.",
                    "A negative number is written in parentheses.",
                ),
            }[sign],
        ),
        code=f"def {f}({x}):\n    text = {digits}\n{body}",
        oracle=partial(group_digits_oracle, separator, sign),
        inputs=each(0, -5, 7, 999, 1000, -1234, 1234567, -100, 50000),
    )


@family(
    "ordinal nth_text position_text rank_text",
    "n number rank k",
    style=("plain", "with word", "in brackets"),
    word=("place", "floor", "try"),
    low=("ValueError", "None"),
)
def ordinal(n: Names, style: str, word: str, low: str) -> Task:
    f, x = n
    text = f"{{{x}}}{{end}}"
    result = {"plain": f'f"{text}"', "with word": f'f"{text} {word}"', "in brackets": f'f"[{text}] {word}"'}[style]
    example = {"plain": "21st", "with word": f"21st {word}", "in brackets": f"[21st] {word}"}[style]
    if style == "plain":
        result = {"place": result, "floor": f'f"the {text}"', "try": f'f"{text}!"'}[word]
        example = {"place": "21st", "floor": "the 21st", "try": "21st!"}[word]

    def oracle(number: int) -> object:
        if number < 1:
            return outcome(low)
        end = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return example.replace("21st", f"{number}{end}")

    return Task(
        says=(
            f"return `{x}` as an English ordinal number like `{example}`",
            f"write the number `{x}` with its English ending st, nd, rd or th, as in `{example}`",
            f"turn `{x}` into an ordinal such as `{example}`",
            f"format the integer `{x}` as an ordinal in the form `{example}`",
            f"convert `{x}` to text in the style `{example}`, with the right ordinal ending",
            f"give the English ordinal for `{x}`, written like `{example}`",
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
{guard(f"{x} < 1", low, f"{x} is less than 1")}    end = {{1: "st", 2: "nd", 3: "rd"}}.get({x} % 10, "th")
    if {x} % 100 in (11, 12, 13):
        end = "th"
    return {result}
""",
        oracle=oracle,
        inputs=each(0, -2, 1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111, 50),
    )


ROMAN = (
    '[(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), '
    '(10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]'
)


@family(
    "to_roman roman roman_numeral as_roman",
    "number n value year",
    case=("upper", "lower"),
    high=(3999, 1000, 100),
    bad=("ValueError", "None", '""'),
)
def to_roman(n: Names, case: str, high: int, bad: str) -> Task:
    f, x = n
    lower = ".lower()" if case == "lower" else ""

    def oracle(number: int) -> object:
        if number < 1 or number > high:
            return "" if bad == '""' else outcome(bad)
        digits = [
            ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"),
            ("", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"),
            ("", "C", "CC", "CCC", "CD", "D", "DC", "DCC", "DCCC", "CM"),
            ("", "M", "MM", "MMM"),
        ]
        text = "".join(digits[i][number // 10**i % 10] for i in (3, 2, 1, 0))
        return text if case == "upper" else text.lower()

    named = "an empty string" if bad == '""' else bad
    return Task(
        says=(
            f"return the Roman numeral for `{x}` in {case} case",
            f"convert the integer `{x}` to a Roman numeral in {case} case letters",
            f"write `{x}` as a Roman numeral, in {case} case",
            f"turn the number `{x}` into Roman numerals ({case} case)",
            f"give `{x}` in Roman numerals, using {case} case letters",
            f"compute the {case} case Roman numeral of `{x}`",
        ),
        rules=(
            raising(f"`{x}` is not between 1 and {high}", bad)
            if bad == "ValueError"
            else (
                f"If `{x}` is not between 1 and {high}, return {named}.",
                f"Return {named} for numbers outside 1 to {high}.",
                f"Numbers below 1 or above {high} give {named}.",
            ),
        ),
        code=f"""
def {f}({x}):
{guard(f"{x} < 1 or {x} > {high}", bad, f"{x} is out of range")}    out = ""
    for step, letters in {ROMAN}:
        while {x} >= step:
            out += letters
            {x} -= step
    return out{lower}
""",
        oracle=oracle,
        inputs=each(0, 4000, 1, 4, 9, 14, 99, 100, 101, 1000, 1001, 1994, 40, 3999),
    )


@family(
    "percent_text as_percent show_percent percentage",
    "part count done x",
    "whole total all y",
    digits=(0, 1, 2),
    sign=("%", " %", " percent"),
    zero=("0", "None", "ValueError"),
)
def percent_text(n: Names, digits: int, sign: str, zero: str) -> Task:
    f, a, b = n
    zero_result = f'"{0:.{digits}f}{sign}"' if zero == "0" else zero
    check = guard(f"{b} == 0", zero_result, f"{b} is 0")

    def oracle(part: int, whole: int) -> object:
        if whole == 0:
            return zero_result.strip('"') if zero == "0" else outcome(zero)
        return f"{part * 100 / whole:.{digits}f}{sign}"

    example = f"{12.5:.{digits}f}{sign}" if digits else f"12{sign}"
    return Task(
        says=(
            f"return how many percent of `{b}` the number `{a}` is, as text like `{example}`",
            f"compute the percentage of `{a}` in `{b}` and format it like `{example}`",
            f"write the share of `{a}` in `{b}` as a percentage in the form `{example}`",
            f"turn `{a}` out of `{b}` into a text such as `{example}`",
            f"calculate `{a}` as a percentage of `{b}` and return a string like `{example}`",
            f"show which percentage of `{b}` is `{a}`, written as `{example}`",
        ),
        rules=(
            (
                f"Use {digits} decimal places.",
                f"There are {digits} decimal places.",
                f"The number has {digits} decimals.",
            ),
            raising(f"`{b}` is 0", zero)
            if zero == "ValueError"
            else (
                f"If `{b}` is 0, return {zero_result if zero == '0' else zero}.",
                f"Return {zero_result if zero == '0' else zero} when `{b}` is 0.",
                f"A `{b}` of 0 gives {zero_result if zero == '0' else zero}.",
            ),
        ),
        code=f'def {f}({a}, {b}):\n{check}    return f"{{100 * {a} / {b}:.{digits}f}}{sign}"',
        oracle=oracle,
        inputs=((0, 5), (1, 0), (1, 8), (1, 2), (3, 7), (10, 10), (150, 100), (2, 3), (0, 0), (33, 40)),
    )
