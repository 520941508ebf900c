"""Durations and ranges written as text."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import each
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def parse_span_oracle(result: str, sign: bool, values: dict[str, int], name: str, text: str) -> object:
    count = sum(int(a) * values[u] for a, u in re.findall(r"(\d+)([a-z])", text))
    count = -count if sign and text[:1] == "-" else count
    return count if result == "number" else f"{count} {name}"


def parse_span_rules(s: str, sign: bool, name: str) -> tuple[Rule, ...]:
    return (
        (f"An empty `{s}` is 0 {name}.", f"For an empty `{s}` the number is 0.", "Nothing at all counts as 0."),
        *(
            [
                (
                    "A minus in front makes it negative.",
                    "It may begin with a minus; then the result is negative.",
                    "With a `-` in front the number is negative.",
                )
            ]
            if sign
            else []
        ),
    )


def parse_span_code(n: Names, result: str, sign: bool, values: dict[str, int], name: str) -> str:
    f, s = n
    negate = f'    if {s}.startswith("-"):\n        total = -total\n' if sign else ""
    final = "total" if result == "number" else f'f"{{total}} {name}"'
    table = "{" + ", ".join(f'"{u}": {v}' for u, v in values.items()) + "}"
    return f"""
def {f}({s}):
    table = {table}
    total = 0
    number = ""
    for c in {s}:
        if c.isdigit():
            number += c
        elif c in table:
            total += int(number) * table[c]
            number = ""
{negate}    return {final}
"""


@family(
    "parse_span read_duration duration_seconds span_seconds",
    "text s span duration",
    units=("hms", "dhm", "wd"),
    result=("number", "text"),
    sign=(False, True),
)
def parse_span(n: Names, units: str, result: str, sign: bool) -> Task:
    _, s = n
    between = " "
    values = {"hms": {"h": 3600, "m": 60, "s": 1}, "dhm": {"d": 1440, "h": 60, "m": 1}, "wd": {"w": 7, "d": 1}}[units]
    name = {"hms": "seconds", "dhm": "minutes", "wd": "days"}[units]
    letters = list(values)
    example = between.join(f"{i + 1}{u}" for i, u in enumerate(letters[:2]))
    total = sum((i + 1) * values[u] for i, u in enumerate(letters[:2]))
    shown = total if result == "number" else f'"{total} {name}"'
    listed = ", ".join(f"`{u}`" for u in letters)
    texts = [("1", 0), ("2", 1), ("10", -1)]
    single = [f"{a}{letters[i]}" for a, i in texts]
    full = between.join(f"{i + 2}{u}" for i, u in enumerate(letters))
    return Task(
        says=(
            f"return how many {name} `{s}` is, a span like `{example}`, which gives {shown}",
            f"convert a span of time `{s}` such as `{example}` to {name}, here {shown}",
            f"parse `{s}`, for example `{example}`, and return the {name} ({shown})",
            f"turn the text `{s}` like `{example}` into {name}, such as {shown}",
            f"read numbers with the units {listed} from `{s}` and return the {name}; `{example}` is {shown}",
            f"compute the {name} in `{s}`, written like `{example}` ({shown})",
        ),
        rules=parse_span_rules(s, sign, name),
        code=parse_span_code(n, result, sign, values, name),
        oracle=partial(parse_span_oracle, result, sign, values, name),
        inputs=each(
            "",
            *single,
            example,
            full,
            f"-3{letters[0]}",
            f"-{example}",
            f"0{letters[0]}",
            f"45{letters[-1]}",
            f"100{letters[1]}",
        ),
    )


def expand_ranges_oracle(between: str, mark: str, unique: bool, reverse: bool, text: str) -> list[int]:
    out: list[int] = []
    for part in text.split(between):
        ends = [int(x) for x in part.split(mark) if x]
        out += list(range(ends[0], ends[-1] + 1)) if ends else []
    out = sorted(set(out)) if unique else out
    return list(reversed(out)) if reverse else out


@family(
    "expand_ranges parse_ranges page_numbers read_ranges",
    "text s pages source",
    between=(",", ";", " "),
    mark=("-", ":", ".."),
    unique=(True, False),
    reverse=(False, True),
)
def expand_ranges(n: Names, between: str, mark: str, unique: bool, reverse: bool) -> Task:
    f, s = n
    example = f"1{mark}3{between}7"
    result = "sorted(set(out))" if unique else "out"
    result = {"out": "out[::-1]", "sorted(set(out))": "sorted(set(out), reverse=True)"}[result] if reverse else result
    shown = "[7, 3, 2, 1]" if reverse else "[1, 2, 3, 7]"
    texts = ("", "5", "1-3", "1-3,7", "9,2", "4-6,5-7", "3,3", "10-12,1", "2-2,8-9")
    return Task(
        says=(
            f"expand `{s}`, such as `{example}`, to the list of numbers, here {shown}",
            f"return the numbers that `{s}` lists; `{example}` means {shown}",
            f"parse numbers and ranges like `{example}` in `{s}` and return the list {shown}",
            f"turn text such as `{example}` in `{s}` into a list like {shown}",
            f"read `{s}`, made of numbers and ranges like `{example}`, and return a list, for example {shown}",
            f"convert the ranges in `{s}` (`{example}`) to a list of all numbers ({shown})",
        ),
        rules=(
            (
                "Sort the numbers and list each once.",
                "Each number appears once, in order.",
                "Remove duplicates and sort.",
            )
            if unique
            else (
                "Keep duplicates and the order of the text.",
                "Numbers may repeat and are not sorted.",
                "Do not sort and do not remove duplicates.",
            ),
            *(
                [("Then reverse the list.", "The list comes in reverse.", "Return it in reverse order.")]
                if reverse
                else []
            ),
        ),
        code=f"""
def {f}({s}):
    out = []
    for part in {s}.split("{between}"):
        if "{mark}" in part:
            a, b = part.split("{mark}")
            out.extend(range(int(a), int(b) + 1))
        elif part:
            out.append(int(part))
    return {result}
""",
        oracle=partial(expand_ranges_oracle, between, mark, unique, reverse),
        inputs=each(*(text.replace(",", between).replace("-", mark) for text in texts)),
    )
