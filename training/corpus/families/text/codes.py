"""Simple codes: shifted letters, run lengths, character codes."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

CAESAR_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", 3),
    ("abc", 0),
    ("xyz", 3),
    ("Hello, World!", 5),
    ("a-b c", 1),
    ("ZEBRA", 2),
    ("Mix 12", 26),
    ("wrap", 30),
    ("aB", 13),
)


def caesar_oracle(direction: str, others: str, case: str, text: str, shift: int) -> str:
    out = ""
    for c in text.lower() if case == "lower" else text:
        letters = "abcdefghijklmnopqrstuvwxyz" if c.islower() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if c in letters:
            out += letters[(letters.index(c) + (shift if direction == "forward" else -shift)) % 26]
        else:
            out += {"keep": c, "drop": "", "star": "*"}[others]
    return out


def caesar_says(s: str, k: str, direction: str) -> tuple[str, ...]:
    return (
        f"shift each letter of `{s}` `{k}` places {direction} in the alphabet, wrapping around",
        f"return `{s}` with every letter replaced by the one `{k}` places {direction} in the alphabet",
        f"encrypt `{s}` with a Caesar cipher that moves letters {direction} by `{k}`",
        f"move the letters of `{s}` {direction} by `{k}` in the alphabet, from z on to a and so on",
        f"apply a Caesar shift of `{k}` {direction} to the letters of `{s}`",
        f"replace all letters in `{s}` by those `{k}` steps {direction} in the alphabet, in a circle",
    )


@family(
    "caesar shift_letters encrypt rotate_letters",
    "text s message word",
    "k shift steps key",
    direction=("forward", "backward"),
    others=("keep", "drop", "star"),
    case=("both", "lower"),
)
def caesar(n: Names, direction: str, others: str, case: str) -> Task:
    f, s, k = n
    sign = "+" if direction == "forward" else "-"
    rest = {
        "keep": "        else:\n            out += c\n",
        "drop": "",
        "star": '        else:\n            out += "*"\n',
    }[others]
    source = f"{s}.lower()" if case == "lower" else s
    base = (
        '            base = ord("a") if c.islower() else ord("A")\n'
        if case == "both"
        else '            base = ord("a")\n'
    )
    return Task(
        says=caesar_says(s, k, direction),
        rules=(
            {
                "keep": (
                    "Other characters stay the same.",
                    "Keep all other characters.",
                    "Do not change other characters.",
                ),
                "drop": ("Drop other characters.", "Other characters are left out.", "Remove all other characters."),
                "star": (
                    "Other characters become `*`.",
                    "Put `*` for other characters.",
                    "Replace all other characters by `*`.",
                ),
            }[others],
            ("Keep upper and lower case.", "The case of letters stays the same.", "Letters keep their case.")
            if case == "both"
            else ("First convert everything to lower case.", "The result is in lower case.", "Work in lower case."),
        ),
        code=f"""
def {f}({s}, {k}):
    out = ""
    for c in {source}:
        if c.isalpha():
{base}            out += chr((ord(c) - base {sign} {k}) % 26 + base)
{rest}    return out
""",
        oracle=partial(caesar_oracle, direction, others, case),
        inputs=CAESAR_INPUTS,
    )


def run_lengths_oracle(form: str, single: str, least: int, drop: str, text: str) -> object:
    runs: list[list[str]] = []
    for c in text.replace(" ", "") if drop else text:
        if runs and runs[-1][0] == c:
            runs[-1].append(c)
        else:
            runs.append([c])
    runs = [run for run in runs if len(run) >= least]
    if form == "pairs":
        return [(run[0], len(run)) for run in runs]
    counts = ["" if len(run) == 1 and single == "omit" else f"{len(run)}" for run in runs]
    return "".join(run[0] + k if form == "after" else k + run[0] for run, k in zip(runs, counts, strict=True))


def run_lengths_says(s: str, form: str, single: str, least: int) -> tuple[str, ...]:
    example = {
        "after": "`a3b1` for `aaab`" if single == "always" else "`a3b` for `aaab`",
        "before": "`3a1b` for `aaab`" if single == "always" else "`3ab` for `aaab`",
        "pairs": 'the list `[("a", 3), ("b", 1)]` for `aaab`',
    }[form]
    if least == 2:
        example = {
            "after": "`a3` for `aaab`",
            "before": "`3a` for `aaab`",
            "pairs": 'the list `[("a", 3)]` for `aaab`',
        }[form]
    return (
        f"run-length encode `{s}`: {example}",
        f"return the run-length encoding of `{s}`, for example {example}",
        f"replace each run of equal characters in `{s}` by the character and its count, such as {example}",
        f"compress `{s}` by counting equal neighbours, giving {example}",
        f"encode runs of the same character in `{s}`, so that you get {example}",
        f"count the repeated characters of `{s}` in a row and return {example} and the like",
    )


def run_lengths_rules(form: str, single: str, least: int) -> tuple[Rule, ...]:
    rules = (
        [
            (
                "Leave out runs of length 1.",
                "Skip characters that are not repeated.",
                "Runs of only one character are left out.",
            )
        ]
        if least == 2
        else []
    )
    if single == "omit" and form != "pairs" and least == 1:
        rules.append(("A count of 1 is not written.", "Do not write the count 1.", "Omit the number 1."))
    elif single == "omit":
        rules.append(("Ignore spaces.", "Leave out all spaces first.", "Spaces are dropped before."))
    return tuple(rules)


def run_lengths_code(n: Names, form: str, single: str, least: int, drop: str) -> str:
    f, s = n
    if form == "pairs":
        piece, start, result = "(c, k)", "[]", "out"
    else:
        count = 'str(k) if k > 1 else ""' if single == "omit" else "str(k)"
        joined = f"c + ({count})" if single == "omit" else f"c + {count}"
        piece = joined if form == "after" else f"({count}) + c" if single == "omit" else f"{count} + c"
        start, result = '""', "out"
    add = f"out.append({piece})" if form == "pairs" else f"out += {piece}"
    keep = "" if least == 1 else f"        if k >= {least}:\n            {add}\n"
    inner = keep or f"        {add}\n"
    if drop and form != "pairs":
        inner = inner.replace('(str(k) if k > 1 else "")', "str(k)")
    return f"""
def {f}({s}):
{drop}    out = {start}
    i = 0
    while i < len({s}):
        c = {s}[i]
        k = 1
        while i + k < len({s}) and {s}[i + k] == c:
            k += 1
{inner}        i += k
    return {result}
"""


@family(
    "run_lengths encode_runs compress rle",
    "text s letters data",
    form=("after", "before", "pairs"),
    single=("always", "omit"),
    least=(1, 2),
)
def run_lengths(n: Names, form: str, single: str, least: int) -> Task:
    _, s = n
    drop = f'    {s} = {s}.replace(" ", "")\n' if single == "omit" and (form == "pairs" or least == 2) else ""
    return Task(
        says=run_lengths_says(s, form, single, least),
        rules=run_lengths_rules(form, single, least),
        code=run_lengths_code(n, form, single, least, drop),
        oracle=partial(run_lengths_oracle, form, single, least, drop),
        inputs=each("", "a", "aaab", "abc", "aa bb", "zzzz", "a  a", "112333", "xyyx"),
    )


ENCODE_TEXT_INPUTS = each(
    "",
    "aei",
    "Hello 135",
    "größe Übung",
    "f(x) <b>",
    "B00k 531",
    "Ding Dong OI",
    "süß (1)",
    "<0> q",
    "GATTACA c",
)


@family(
    "encode_text translate_chars substitute recode",
    "text s word message",
    table=("vowels", "digits", "umlauts", "brackets", "dna"),
    others=("keep", "drop", "star"),
)
def encode_text(n: Names, table: str, others: str) -> Task:
    f, s = n
    pairs = {
        "dna": {"A": "T", "T": "A", "C": "G", "G": "C"},
        "vowels": {"a": "4", "e": "3", "i": "1", "o": "0"},
        "digits": {"0": "o", "1": "l", "3": "e", "5": "s"},
        "umlauts": {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"},
        "brackets": {"(": "[", ")": "]", "<": "{", ">": "}"},
    }[table]
    shown = ", ".join(f"`{a}` by `{b}`" for a, b in pairs.items())
    default = {"keep": "c", "drop": '""', "star": '"*"'}[others]
    mapping = "{" + ", ".join(f'"{a}": "{b}"' for a, b in pairs.items()) + "}"

    def oracle(text: str) -> str:
        return "".join(pairs[c] if c in pairs else {"keep": c, "drop": "", "star": "*"}[others] for c in text)

    return Task(
        says=(
            f"replace in `{s}` {shown}",
            f"return `{s}` with {shown} replaced",
            f"go through `{s}` and replace {shown}",
            f"exchange characters of `{s}`: {shown}",
            f"translate `{s}` by replacing {shown}",
            f"substitute {shown} in the text `{s}`",
        ),
        rules=(
            {
                "keep": ("All other characters stay.", "Keep other characters.", "Leave other characters as they are."),
                "drop": (
                    "All other characters are dropped.",
                    "Drop other characters.",
                    "Leave out all other characters.",
                ),
                "star": (
                    "All other characters become `*`.",
                    "Put `*` for other characters.",
                    "Replace all other characters by `*`.",
                ),
            }[others],
        ),
        code=f'def {f}({s}):\n    table = {mapping}\n    return "".join(table.get(c, {default}) for c in {s})',
        oracle=oracle,
        inputs=ENCODE_TEXT_INPUTS,
    )
