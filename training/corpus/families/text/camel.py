"""Camel case: made of words, and split into words again."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, when_empty
from training.corpus.families.text.wordings import CASES
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

TO_CAMEL_INPUTS = each(
    "",
    "a",
    "user_name-id here",
    "first-second_third part",
    "one two_three-four",
    "MAX_SIZE",
    "get-http-URL",
    "big Red DoG",
    "X_y_z",
    "Ab-cD e",
)


def to_camel_oracle(separator: str, first: str, rest: str, empty: str, text: str) -> object:
    if not text:
        return outcome(empty)
    out = ""
    for i, c in enumerate(text):
        if c != separator:
            begins = i == 0 or text[i - 1] == separator
            out += c.upper() if begins and (out or first == "upper") else c.lower() if begins or rest == "lower" else c
    return out


@family(
    "to_camel camel_case snake_to_camel camelize",
    "name s text key",
    separator=("_", "-", " "),
    first=("lower", "upper"),
    rest=("lower", "keep"),
    empty=("None", "ValueError"),
)
def to_camel(n: Names, separator: str, first: str, rest: str, empty: str) -> Task:
    f, s = n
    style = "camelCase" if first == "lower" else "PascalCase"
    spaced = {"_": "underscores", "-": "hyphens", " ": "spaces"}[separator]
    word = "w.capitalize()" if rest == "lower" else "w[:1].upper() + w[1:]"
    result = "out[:1].lower() + out[1:]" if first == "lower" else "out"
    return Task(
        says=(
            f"convert `{s}` to {style}; its words are separated by {spaced}",
            f"turn `{s}`, whose words have {spaced} between them, into {style}",
            f"return `{s}` in {style} (the words are separated by {spaced})",
            f"rewrite `{s}` from words with {spaced} to {style}",
            f"change `{s}` to {style} by removing the {spaced} and capitalizing the words",
            f"join the words of `{s}`, separated by {spaced}, in {style}",
        ),
        rules=(
            (
                "The other letters become lower case.",
                "Make the other letters lower case.",
                "All other letters are lowercased.",
            )
            if rest == "lower"
            else (
                "The other letters of a word stay as they are.",
                "Do not change the other letters.",
                "Leave all other letters alone.",
            ),
            when_empty(s, empty),
        ),
        code=(
            f"def {f}({s}):\n{empty_guard(s, empty)}"
            f'    out = "".join({word} for w in {s}.split({literal(separator)}))\n    return {result}'
        ),
        oracle=partial(to_camel_oracle, separator, first, rest, empty),
        inputs=TO_CAMEL_INPUTS,
    )


SPLIT_DIGITS: dict[bool, Rule] = {
    True: (
        "Every digit begins a word too.",
        "Treat each digit like a capital letter.",
        "Do the same before every digit.",
    ),
    False: ("Digits do not begin a word.", "Digits stay with the word before them.", "Do not split at digits."),
}


def split_camel_oracle(separator: str, case: str, digits: bool, text: str) -> str:
    pieces = [""]
    for c in text:
        if (c.isupper() or (digits and c in "0123456789")) and pieces != [""]:
            pieces.append("")
        pieces[-1] += c
    joined = separator.join(pieces)
    return {"lower": joined.lower(), "upper": joined.upper(), "keep": joined}[case]


@family(
    "split_camel camel_to_snake from_camel decamelize",
    "name s text identifier",
    separator=("_", "-", " ", "."),
    case=("lower", "upper", "keep"),
    digits=(False, True),
)
def split_camel(n: Names, separator: str, case: str, digits: bool) -> Task:
    f, s = n
    spaced = "spaces" if separator == " " else f"`{separator}`"
    change = {"lower": "out.lower()", "upper": "out.upper()", "keep": "out"}[case]
    starts = "(c.isupper() or c.isdigit())" if digits else "c.isupper()"

    return Task(
        says=(
            f"put `{separator}` before each capital letter of `{s}`, except at the start"
            if separator != " "
            else f"put a space before each capital letter of `{s}`, except at the start",
            f"split the camelCase name `{s}` into words joined by {spaced}",
            f"convert `{s}` from camelCase to words separated by {spaced}",
            f"return the camelCase text `{s}` with {spaced} between its words",
            f"separate the words of `{s}`, which is in camelCase, by {spaced}",
            f"turn the camelCase `{s}` into words with {spaced} between them",
        ),
        rules=(
            CASES[case],
            SPLIT_DIGITS[digits],
        ),
        code=f"""
def {f}({s}):
    out = ""
    for c in {s}:
        if {starts} and out:
            out += {literal(separator)}
        out += c
    return {change}
""",
        oracle=partial(split_camel_oracle, separator, case, digits),
        inputs=each(
            "",
            "a",
            "userName",
            "UserNameId",
            "parseHTML",
            "X",
            "line2Text",
            "simple",
            "aB",
            "HelloBig3World",
            "7Up12",
        ),
    )
