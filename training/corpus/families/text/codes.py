"""Simple codes: shifted letters, run lengths, character codes."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import (
    each,
    empty_guard,
    guard,
    ignoring_case,
    lower,
    outcome,
    when_empty,
    when_negative,
)
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

OTHERS: dict[str, tuple[str, ...]] = {
    "keep": ("Other characters stay the same.", "Keep all other characters.", "Do not change other characters."),
    "drop": ("Drop other characters.", "Other characters are left out.", "Remove all other characters."),
    "star": ("Other characters become `*`.", "Put `*` for other characters.", "Replace all other characters by `*`."),
}

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
    ("Up, down", -2),
    ("", -1),
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
    negative=("None", "ValueError"),
)
def caesar(n: Names, direction: str, others: str, case: str, negative: str) -> Task:
    f, s, k = n
    sign = "+" if direction == "forward" else "-"
    rest = {
        "keep": "        else:\n            out += c\n",
        "drop": "",
        "star": '        else:\n            out += "*"\n',
    }[others]
    source = f"{s}.lower()" if case == "lower" else s

    def oracle(text: str, shift: int) -> object:
        return outcome(negative) if shift < 0 else caesar_oracle(direction, others, case, text, shift)

    base = (
        '            base = ord("a") if c.islower() else ord("A")\n'
        if case == "both"
        else '            base = ord("a")\n'
    )
    return Task(
        says=caesar_says(s, k, direction),
        rules=(
            OTHERS[others],
            ("Keep upper and lower case.", "The case of letters stays the same.", "Letters keep their case.")
            if case == "both"
            else ("First convert everything to lower case.", "The result is in lower case.", "Work in lower case."),
            when_negative(k, negative),
        ),
        code=f"""
def {f}({s}, {k}):
{guard(f"{k} < 0", negative, f"{k} is negative")}    out = ""
    for c in {source}:
        if c.isalpha():
{base}            out += chr((ord(c) - base {sign} {k}) % 26 + base)
{rest}    return out
""",
        oracle=oracle,
        inputs=CAESAR_INPUTS,
    )


RUN_FORMS: dict[str, tuple[str, str]] = {
    "after": ("`a3b3` for `aaabbb`", 'f"{c}{k}"'),
    "before": ("`3a3b` for `aaabbb`", 'f"{k}{c}"'),
    "pairs": ('the list `[("a", 3), ("b", 3)]` for `aaabbb`', "(c, k)"),
}


def run_lengths_oracle(form: str, least: int, spaces: str, ignore: bool, text: str) -> object:
    runs: list[list[str]] = []
    for c in text:
        c = c.lower() if ignore else c
        if runs and runs[-1][0] == c:
            runs[-1].append(c)
        elif c != " " or spaces == "keep":
            runs.append([c])
    counted = [(run[0], len(run)) for run in runs if len(run) >= least]
    if form == "pairs":
        return counted
    return "".join(c + str(k) if form == "after" else str(k) + c for c, k in counted)


def run_lengths_says(s: str, example: str) -> tuple[str, ...]:
    return (
        f"run-length encode `{s}`: {example}",
        f"return the run-length encoding of `{s}`, for example {example}",
        f"replace each run of equal characters in `{s}` by the character and its count, such as {example}",
        f"compress `{s}` by counting equal neighbours, giving {example}",
        f"encode runs of the same character in `{s}`, so that you get {example}",
        f"count the repeated characters of `{s}` in a row and return {example} and the like",
    )


def run_lengths_rules(least: int, spaces: str, ignore: bool) -> tuple[Rule, ...]:
    return (
        ("Every run counts.", "Encode runs of only one character, too.", "A run may be a single character.")
        if least == 1
        else (
            f"Leave out runs of fewer than {least} characters.",
            f"Skip runs shorter than {least}.",
            f"Only runs of at least {least} characters count.",
        ),
        ("First remove all spaces.", "Leave out all spaces first.", "Spaces are dropped before.")
        if spaces == "drop"
        else ("Spaces count as characters.", "Spaces matter.", "Treat spaces like other characters."),
        ("First convert everything to lower case.", "The result is in lower case.", "Work in lower case.")
        if ignore
        else ignoring_case(ignore),
    )


@family(
    "run_lengths encode_runs compress rle",
    "text s letters data",
    form=RUN_FORMS,
    least=(1, 2, 3),
    spaces=("keep", "drop"),
    ignore=(True, False),
)
def run_lengths(n: Names, form: str, least: int, spaces: str, ignore: bool) -> Task:
    f, s = n
    example, piece = RUN_FORMS[form]
    source = f"{s}{lower(ignore)}" + ('.replace(" ", "")' if spaces == "drop" else "")
    test = f" if k >= {least}" if least > 1 else ""
    listed = f"{piece} for c, k in runs{test}"
    return Task(
        says=run_lengths_says(s, example),
        rules=run_lengths_rules(least, spaces, ignore),
        code=f"""
from itertools import groupby


def {f}({s}):
    runs = [(c, len(list(run))) for c, run in groupby({source})]
    return {f"[{listed}]" if form == "pairs" else f'"".join({listed})'}
""",
        oracle=partial(run_lengths_oracle, form, least, spaces, ignore),
        inputs=each("", "a", "aaab", "aAbBB", "aa bb", "zzzz", "a  a", "112333", "x  xyyY", "   Q"),
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


TABLES = {
    "vowels": {"a": "4", "e": "3", "i": "1", "o": "0"},
    "digits": {"0": "o", "1": "l", "3": "e", "5": "s"},
    "umlauts": {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"},
    "brackets": {"(": "[", ")": "]", "<": "{", ">": "}"},
    "dna": {"A": "T", "T": "A", "C": "G", "G": "C"},
}


@family(
    "encode_text translate_chars substitute recode",
    "text s word message",
    table=TABLES,
    others=("keep", "drop", "star"),
    empty=("None", "ValueError"),
)
def encode_text(n: Names, table: str, others: str, empty: str) -> Task:
    f, s = n
    pairs = TABLES[table]
    shown = ", ".join(f"`{a}` by `{b}`" for a, b in pairs.items())
    default = {"keep": "c", "drop": '""', "star": '"*"'}[others]
    mapping = "{" + ", ".join(f'"{a}": "{b}"' for a, b in pairs.items()) + "}"

    def oracle(text: str) -> object:
        if not text:
            return outcome(empty)
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
            OTHERS[others],
            when_empty(s, empty),
        ),
        code=f"""
def {f}({s}):
{empty_guard(s, empty)}    table = {mapping}
    return "".join(table.get(c, {default}) for c in {s})
""",
        oracle=oracle,
        inputs=ENCODE_TEXT_INPUTS,
    )
