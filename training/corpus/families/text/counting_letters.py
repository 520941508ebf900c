"""Counting characters and parts of a text."""

from __future__ import annotations

from collections import Counter

from training.corpus.clauses import each, empty_guard, ignoring_case, lower, outcome, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Task

KINDS = {
    "vowels": ("aeiou", 'c in "aeiou"'),
    "digits": ("0123456789", "c.isdigit()"),
    "spaces": (" ", 'c == " "'),
    "uppercase letters": ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "c.isupper()"),
    "lowercase letters": ("abcdefghijklmnopqrstuvwxyz", "c.islower()"),
    "punctuation marks": (".,;:!?", 'c in ".,;:!?"'),
}


@family(
    "count_kind count_chars count_matching num_chars char_count",
    "text s sentence line",
    kind=KINDS,
    distinct=(False, True),
)
def count_kind(n: Names, kind: str, distinct: bool) -> Task:
    f, s = n
    members, condition = KINDS[kind]
    different = "different " if distinct else ""
    text = f"{s}.lower()" if kind == "vowels" else s

    def oracle(text: str) -> int:
        found = [c for c in (text.lower() if kind == "vowels" else text) if c in members]
        return len(set(found)) if distinct else len(found)

    return Task(
        says=(
            f"count the {different}{kind} in `{s}`",
            f"return how many {different}{kind} `{s}` has",
            f"return the number of {different}{kind} in `{s}`",
            f"tell how many {different}{kind} occur in `{s}`",
            f"go through `{s}` and count its {different}{kind}",
            f"compute the count of {different}{kind} that `{s}` contains",
        ),
        code=(
            f"def {f}({s}):\n    return "
            f"{f'len({{c for c in {text} if {condition}}})' if distinct else f'sum(1 for c in {text} if {condition})'}"
        ),
        oracle=oracle,
        inputs=each("", "a", "Hello, World!", "AbAb 11 2; ok? ok!", "rhythm", "  Queue  ", "Z9z9.X,,", "aAeE ssS"),
    )


@family(
    "count_letter letter_count count_char occurrences",
    "text s word phrase",
    "letter char c symbol",
    ignore=(True, False),
    most=(0, 2, 3, 5),
)
def count_letter(n: Names, ignore: bool, most: int) -> Task:
    f, s, c = n
    counted = f"{s}{lower(ignore)}.count({c}{lower(ignore)})"
    limit = f"Never return more than {most}.", f"The result is at most {most}.", f"Stop counting at {most}."

    def oracle(text: str, letter: str) -> int:
        count = sum((a.lower() == letter.lower()) if ignore else a == letter for a in text)
        return min(count, most) if most else count

    return Task(
        says=(
            f"count how often `{c}` occurs in `{s}`",
            f"return the number of times `{c}` appears in `{s}`",
            f"return how many times `{s}` contains `{c}`",
            f"find out how many characters of `{s}` are `{c}`",
            f"count the occurrences of `{c}` in `{s}`",
            f"give the count of `{c}` within `{s}`",
        ),
        rules=(ignoring_case(ignore), *([limit] if most else [])),
        code=f"def {f}({s}, {c}):\n    return {f'min({counted}, {most})' if most else counted}",
        oracle=oracle,
        inputs=(
            ("", "a"),
            ("banana", "a"),
            ("AaAaAaA", "a"),
            ("Mississippi", "S"),
            ("bbbbbbb", "b"),
            ("Look", "l"),
            ("abc", "z"),
            ("eEe", "E"),
        ),
    )


@family(
    "count_part count_substring substring_count count_matches",
    "text s haystack",
    "part piece needle sub",
    overlap=(True, False),
    ignore=(True, False),
    empty=("0", "ValueError"),
)
def count_part(n: Names, overlap: bool, ignore: bool, empty: str) -> Task:
    f, s, p = n
    fold = f"    {s}, {p} = {s}.lower(), {p}.lower()\n" if ignore else ""
    body = f"sum(1 for i in range(len({s})) if {s}.startswith({p}, i))" if overlap else f"{s}.count({p})"

    def oracle(text: str, part: str) -> object:
        if not part:
            return outcome(empty)
        text, part = (text.lower(), part.lower()) if ignore else (text, part)
        count = i = 0
        while i <= len(text) - len(part):
            hit = text[i : i + len(part)] == part
            count, i = count + hit, i + (len(part) if hit and not overlap else 1)
        return count

    return Task(
        says=(
            f"count how often `{p}` occurs in `{s}`",
            f"return the number of occurrences of `{p}` in `{s}`",
            f"return how many times the text `{p}` is found in `{s}`",
            f"find how many times `{s}` contains `{p}`",
            f"tell how often `{p}` appears inside `{s}`",
            f"search `{s}` for `{p}` and count the matches",
        ),
        rules=(
            ("Matches may overlap.", "Overlapping matches count.", "Count overlapping matches too.")
            if overlap
            else (
                "Matches do not overlap.",
                "Count only matches that do not overlap.",
                "Overlapping matches count once.",
            ),
            ignoring_case(ignore),
            when_empty(p, empty),
        ),
        code=f"def {f}({s}, {p}):\n{empty_guard(p, empty)}{fold}    return {body}",
        oracle=oracle,
        inputs=(
            ("abc", ""),
            ("", ""),
            ("aaaa", "aa"),
            ("AaaA", "aa"),
            ("banana", "ana"),
            ("Banana", "B"),
            ("", "x"),
            ("xXxXx", "xx"),
            ("one two", "o"),
            ("tttt", "ttt"),
        ),
    )


@family(
    "most_common_char top_char frequent_letter most_used",
    "text s word",
    tie=("first", "alphabet"),
    empty=("None", '""', "ValueError"),
    ignore=(True, False),
)
def most_common_char(n: Names, tie: str, empty: str, ignore: bool) -> Task:
    f, s = n
    fold = f"    {s} = {s}.lower()\n" if ignore else ""
    source = s if tie == "first" else f"sorted({s})"

    def oracle(text: str) -> object:
        if not text:
            return outcome(empty)
        counts = Counter(text.lower() if ignore else text)
        best = [c for c in counts if counts[c] == max(counts.values())]
        return best[0] if tie == "first" else min(best)

    return Task(
        says=(
            f"return the character that occurs most often in `{s}`",
            f"find the most common character of `{s}`",
            f"return the most frequent character in `{s}`",
            f"tell which character appears most in `{s}`",
            f"pick the character with the highest count in `{s}`",
            f"give the character that `{s}` uses most",
        ),
        rules=(
            (
                "On a tie, take the one that comes first.",
                "If several are equally common, return the first of them.",
                "Ties go to the earliest character.",
            )
            if tie == "first"
            else (
                "On a tie, take the smallest in alphabetical order.",
                "If several are equally common, return the alphabetically first.",
                "Ties go to the smallest character.",
            ),
            ignoring_case(ignore),
            when_empty(s, empty),
        ),
        code=f"def {f}({s}):\n{empty_guard(s, empty)}{fold}    return max({source}, key={s}.count)",
        oracle=oracle,
        inputs=each("", "b", "banana", "zza aa zz", "AaBb bB", "cabcab", "Zebra zZ ee", "tTtT uU", "dcba"),
    )
