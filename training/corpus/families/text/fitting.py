"""Texts of a wanted length: cut, padded, repeated."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import guard, outcome, raising, when_it_fails
from training.corpus.families.text.wordings import CASES
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

TRUNCATE_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", 4),
    ("abc", 3),
    ("hello world", 9),
    ("hello world", 8),
    ("hello world", 7),
    ("hello world", 6),
    ("exactly", 7),
    ("something long", 10),
    ("wide   gap", 8),
    ("a  b  c  d", 7),
    ("abcdef", 4),
)


def truncate_rules(n: Names, suffix: str, counted: bool, strip: bool, gaps: bool) -> tuple[Rule, ...]:
    _, s, k = n
    return (
        ("Replace every run of spaces by one space first.", "First collapse spaces.", "Collapse runs of spaces first.")
        if gaps
        else (
            f"If `{s}` is short enough, return it as it is.",
            "Text that fits is returned unchanged.",
            f"Do not change `{s}` if it is not too long.",
        ),
        (
            f"When it is cut, end it with `{suffix}`.",
            f"Append `{suffix}` to a cut text.",
            f"A shortened text ends with `{suffix}`.",
        ),
        (
            f"The suffix counts towards `{k}`.",
            f"With the suffix it has at most `{k}` characters.",
            f"The suffix is part of the `{k}` characters.",
        )
        if counted
        else (
            "The suffix does not count.",
            f"The suffix comes on top of `{k}`.",
            f"The suffix comes after the `{k}` characters.",
        ),
        ("Strip spaces before the suffix.", "Leave no space before the suffix.", "Remove spaces before the suffix.")
        if strip
        else ("Keep spaces before the suffix.", "Do not strip anything.", "A space may stand before the suffix."),
    )


@family(
    "truncate shorten cut_text limit_text",
    "text s title value",
    "limit width size max_length",
    suffix=("...", "..", "-"),
    counted=(True, False),
    strip=(True, False),
    gaps=(True, False),
)
def truncate(n: Names, suffix: str, counted: bool, strip: bool, gaps: bool) -> Task:
    f, s, k = n
    first = f'    {s} = " ".join({s}.split())\n' if gaps else ""
    cut = f"{s}[:{k} - {len(suffix)}]" if counted else f"{s}[:{k}]"
    last = f"{'.rstrip()' * strip} + {literal(suffix)}"

    def oracle(text: str, limit: int) -> str:
        shown = " ".join(text.split()) if gaps else text
        if len(shown) <= limit:
            return shown
        end = limit - len(suffix) if counted else limit
        while strip and shown[end - 1] == " ":
            end -= 1
        return shown[:end] + suffix

    return Task(
        says=(
            f"shorten `{s}` to `{k}` characters",
            f"cut `{s}` after `{k}` characters",
            f"return `{s}` limited to `{k}` characters",
            f"truncate `{s}` if it is longer than `{k}`",
            f"cut the end of `{s}` if it has more than `{k}` characters",
            f"return `{s}` cut to `{k}` characters when it is too long",
        ),
        rules=truncate_rules(n, suffix, counted, strip, gaps),
        code=f"def {f}({s}, {k}):\n{first}    if len({s}) <= {k}:\n        return {s}\n    return {cut}{last}",
        oracle=oracle,
        inputs=TRUNCATE_INPUTS,
    )


def pad_oracle(side: str, fill: str, long: str, text: str, width: int) -> object:
    if len(text) > width:
        return {"keep": text, "cut": text[0:width]}[long] if long != "ValueError" else outcome(long)
    return format(text, f"{fill}{ {'left': '>', 'right': '<', 'both': '^'}[side] }{width}")


def pad_long(s: str, w: str, long: str) -> Rule:
    if long == "ValueError":
        return raising(f"`{s}` is longer than `{w}`", long)
    if long == "cut":
        return (
            f"If `{s}` is longer than `{w}`, cut off its end.",
            f"A longer `{s}` is cut to its first `{w}` characters.",
            f"Cut a longer `{s}` after `{w}` characters.",
        )
    return (
        f"If `{s}` is longer than `{w}`, return it unchanged.",
        f"A longer `{s}` stays as it is.",
        f"Do not cut a longer `{s}`.",
    )


@family(
    "pad pad_text fill justify",
    "text s value code",
    "width size length total",
    side=("left", "right", "both"),
    fill=(" ", "0", "*", "-", "."),
    long=("keep", "cut", "ValueError"),
)
def pad(n: Names, side: str, fill: str, long: str) -> Task:
    f, s, w = n
    method = {"left": "rjust", "right": "ljust", "both": "center"}[side]
    where = {"left": "on the left", "right": "on the right", "both": "on both sides"}[side]
    char = "spaces" if fill == " " else f"`{fill}`"
    first = guard(f"len({s}) > {w}", long, f"{s} is too long") if long == "ValueError" else ""
    cut = f"[:{w}]" if long == "cut" else ""
    return Task(
        says=(
            f"pad `{s}` with {char} {where} until it has `{w}` characters",
            f"fill `{s}` up to `{w}` characters with {char} {where}",
            f"return `{s}` padded {where} with {char} to the length `{w}`",
            f"add {char} {where} of `{s}` so that it is `{w}` characters long",
            f"make `{s}` `{w}` characters long by adding {char} {where}",
            f"extend `{s}` {where} with {char} to a total of `{w}` characters",
        ),
        rules=(pad_long(s, w, long),),
        code=f"def {f}({s}, {w}):\n{first}    return {s}{cut}.{method}({w}, {literal(fill)})",
        oracle=partial(pad_oracle, side, fill, long),
        inputs=(("", 2), ("abc", 3), ("7", 5), ("ab", 6), ("hello", 2), ("x", 3), ("42", 6), ("tea", 9), ("long", 3)),
    )


@family(
    "repeat_text repeat repeated times_text",
    "text s word part",
    "times count k n",
    separator=("", " ", ", ", "-"),
    negative=('""', "None", "ValueError"),
    case=("upper", "lower", "keep"),
)
def repeat_text(n: Names, separator: str, negative: str, case: str) -> Task:
    f, s, k = n
    between = f"separated by `{separator}`" if separator.strip() else "separated by single spaces"
    joined = between if separator else "without anything between"
    text = f"{s}.{case}()" if case != "keep" else s
    body = f"{literal(separator)}.join([{text}] * {k})" if separator else f"{text} * {k}"

    def oracle(word: str, times: int) -> object:
        if times < 0:
            return outcome(negative)
        out = separator.join(word for _ in range(times))
        return {"upper": out.upper(), "lower": out.lower(), "keep": out}[case]

    return Task(
        says=(
            f"repeat `{s}` `{k}` times, {joined}",
            f"return `{k}` copies of `{s}`, {joined}",
            f"write `{s}` `{k}` times in a row, {joined}",
            f"return a string with `{s}` repeated `{k}` times, {joined}",
            f"build a text that has `{s}` `{k}` times, {joined}",
            f"put `{k}` copies of `{s}` into one string, {joined}",
        ),
        rules=(
            CASES[case],
            when_it_fails(f"`{k}` is negative", negative if negative != '""' else "an empty string"),
        ),
        code=f"def {f}({s}, {k}):\n{guard(f'{k} < 0', negative, f'{k} is negative')}    return {body}",
        oracle=oracle,
        inputs=(("a", 0), ("", 2), ("a", -1), ("b", -3), ("Ab", 1), ("x", 3), ("Hey", 2), ("NO", 4), ("q", 5)),
    )
