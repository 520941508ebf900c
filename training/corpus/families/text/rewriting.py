"""A text in another shape: reversed, rotated, abbreviated."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, guard, outcome, raising, when_empty
from training.corpus.families.text.wordings import CASES
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def reverse_text_oracle(unit: str, separator: str, case: str, text: str) -> str:
    words = text.split(separator)
    out = {
        "text": "".join(reversed("".join(words))),
        "words": separator.join(reversed(words)),
        "each word": separator.join("".join(reversed(w)) for w in words),
    }[unit]
    return {"upper": out.upper(), "lower": out.lower(), "keep": out}[case]


@family(
    "reverse_text reversed_text flip backwards",
    "text s line value",
    unit=("text", "words", "each word"),
    separator=(" ", ",", "-"),
    case=("upper", "lower", "keep"),
)
def reverse_text(n: Names, unit: str, separator: str, case: str) -> Task:
    f, s = n
    sep = literal(separator)
    spaced = "spaces" if separator == " " else f"`{separator}`"
    text = f"{s}.{case}()" if case != "keep" else s
    what, code = {
        "text": (f"the characters of `{s}` in reverse order", f'{text}.replace({sep}, "")[::-1]'),
        "words": (f"the words of `{s}` in reverse order", f"{sep}.join({text}.split({sep})[::-1])"),
        "each word": (
            f"`{s}` with the letters of each word reversed",
            f"{sep}.join(w[::-1] for w in {text}.split({sep}))",
        ),
    }[unit]
    return Task(
        says=(
            f"return {what}",
            f"build {what} and return the result",
            f"produce {what}",
            f"give back {what}",
            f"take `{s}` and return {what.replace(f'`{s}`', 'it')}",
            f"compute {what}",
        ),
        rules=(
            (f"Leave out all {spaced}.", f"Remove all {spaced} first.", f"Drop {spaced} from the result.")
            if unit == "text"
            else (
                f"Words are separated by {spaced}.",
                f"The words are joined by {spaced}.",
                f"Between words there are {spaced}.",
            ),
            CASES[case],
        ),
        code=f"def {f}({s}):\n    return {code}",
        oracle=partial(reverse_text_oracle, unit, separator, case),
        inputs=each(
            "", "a", "ab Cd", "one,Two,three", "x-yZ-abc", "A b,c-d", "hello world", "no-stop,go On", "1 2,3-4 5"
        ),
    )


def rotate_text_oracle(direction: str, empty: str, negative: str, text: str, steps: int) -> object:
    if not text:
        return outcome(empty)
    if steps < 0 and negative != "back":
        return text if negative == "same" else outcome(negative)
    for _ in range(abs(steps)):
        text = text[1:] + text[0] if (direction == "left") == (steps > 0) else text[-1] + text[:-1]
    return text


def rotate_text_negative(s: str, k: str, direction: str, negative: str) -> Rule:
    if negative == "ValueError":
        return raising(f"`{k}` is negative", negative)
    if negative == "same":
        return (
            f"If `{k}` is negative, return `{s}` unchanged.",
            f"Return `{s}` as it is for a negative `{k}`.",
            f"A negative `{k}` changes nothing.",
        )
    other = "right" if direction == "left" else "left"
    return (
        f"A negative `{k}` goes to the {other}.",
        f"If `{k}` is negative, it goes to the {other}.",
        f"For a negative `{k}`, go to the {other} instead.",
    )


@family(
    "rotate_text rotate shift_text spin",
    "text s word",
    "k steps places n",
    direction=("left", "right"),
    empty=('""', "None", "ValueError"),
    negative=("back", "same", "ValueError"),
)
def rotate_text(n: Names, direction: str, empty: str, negative: str) -> Task:
    f, s, k = n
    sign = "" if direction == "left" else "-"
    stop = s if negative == "same" else negative
    check = guard(f"{k} < 0", stop, f"{k} is negative") if negative != "back" else ""
    return Task(
        says=(
            f"rotate `{s}` by `{k}` characters to the {direction}",
            f"move the characters of `{s}` `{k}` places to the {direction}, wrapping around",
            f"return `{s}` shifted {direction} in a circle by `{k}`",
            f"turn `{s}` `{k}` steps to the {direction}; what falls off comes back on the other side",
            f"shift `{s}` cyclically to the {direction} by `{k}`",
            f"return `{s}` after `{k}` rotations to the {direction}",
        ),
        rules=(
            when_empty(s, empty if empty != '""' else "an empty string"),
            rotate_text_negative(s, k, direction, negative),
        ),
        code=(
            f"def {f}({s}, {k}):\n{empty_guard(s, empty)}{check}"
            f"    k = {sign}{k} % len({s})\n    return {s}[k:] + {s}[:k]"
        ),
        oracle=partial(rotate_text_oracle, direction, empty, negative),
        inputs=(("", 2), ("a", 3), ("abc", 1), ("abcdef", -2), ("abc", 4), ("hello", 0), ("xyz", -1), ("12345", 7)),
    )


@family(
    "initials make_initials first_letters abbreviation",
    "name text s full_name",
    dot=("", ".", "-"),
    case=("upper", "keep", "lower"),
    limit=(0, 2, 3),
)
def initials(n: Names, dot: str, case: str, limit: int) -> Task:
    f, s = n
    change = {"upper": ".upper()", "lower": ".lower()", "keep": ""}[case]
    words = f"{s}.split()[:{limit}]" if limit else f"{s}.split()"
    body = {
        "": f'"".join(w[0]{change} for w in {words})',
        ".": f'"".join(w[0]{change} + "." for w in {words})',
        "-": f'"-".join(w[0]{change} for w in {words})',
    }[dot]
    first = f"the first {limit} words" if limit else "each word"
    style = {"": "without anything between", ".": "each followed by a `.`", "-": "joined by `-`"}[dot]

    def oracle(text: str) -> str:
        letters = [{"upper": w[0].upper(), "lower": w[0].lower(), "keep": w[0]}[case] for w in text.split()]
        letters = letters[:limit] if limit else letters
        return "-".join(letters) if dot == "-" else "".join(c + dot for c in letters)

    return Task(
        says=(
            f"return the first letter of {first} in `{s}`, {style}",
            f"build the initials of `{s}` from the first letter of {first}, {style}",
            f"make an abbreviation of `{s}`: the first letter of {first}, {style}",
            f"take the first letter of {first} of `{s}` and return them {style}",
            f"shorten `{s}` to the first letter of {first}, {style}",
            f"give the initials of {first} in `{s}`, {style}",
        ),
        rules=(
            {
                "upper": ("Use capital letters.", "They are in upper case.", "Make them upper case."),
                "lower": ("Use small letters.", "They are in lower case.", "Make them lower case."),
                "keep": ("Do not change their case.", "They keep their case.", "Keep the case as it is."),
            }[case],
        ),
        code=f"def {f}({s}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            "",
            "Ada",
            "ada lovelace",
            "Grace Brewster Hopper",
            "John ronald Reuel tolkien",
            "x y",
            "  Two  Spaces ",
            "The Lord of the Rings",
        ),
    )
