"""Counting characters and parts of a text."""

from __future__ import annotations

from collections import Counter

from training.corpus.clauses import (
    each,
    empty_guard,
    guard,
    ignoring_case,
    lower,
    outcome,
    when_empty,
    when_it_fails,
)
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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
    empty=("None", "ValueError"),
)
def count_kind(n: Names, kind: str, distinct: bool, empty: str) -> Task:
    f, s = n
    members, condition = KINDS[kind]
    different = "different " if distinct else ""
    text = f"{s}.lower()" if kind == "vowels" else s
    chosen = f"for c in {text} if {condition}"

    def oracle(text: str) -> object:
        if not text:
            return outcome(empty)
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
        rules=(*([ignoring_case(True)] if kind == "vowels" else []), when_empty(s, empty)),
        code=f"""
def {f}({s}):
{empty_guard(s, empty)}    return {f"len({{c {chosen}}})" if distinct else f"sum(1 {chosen})"}
""",
        oracle=oracle,
        inputs=each("", "a", "Hello, World!", "AbAb 11 2; ok? ok!", "rhythm", "  Queue  ", "Z9z9.X,,", "aAeE ssS"),
    )


@family(
    "count_letter letter_count count_char occurrences",
    "text s word phrase",
    "letter char c symbol",
    ignore=(True, False),
    most=(0, 2, 3, 5),
    wrong=("0", "None", "ValueError"),
)
def count_letter(n: Names, ignore: bool, most: int, wrong: str) -> Task:
    f, s, c = n
    counted = f"{s}{lower(ignore)}.count({c}{lower(ignore)})"
    limit = f"Never return more than {most}.", f"The result is at most {most}.", f"Stop counting at {most}."

    def oracle(text: str, letter: str) -> object:
        if len(letter) != 1:
            return outcome(wrong)
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
        rules=(
            ignoring_case(ignore),
            *([limit] if most else []),
            when_it_fails(f"`{c}` is not exactly one character long", wrong),
        ),
        code=f"""
def {f}({s}, {c}):
{guard(f"len({c}) != 1", wrong, f"{c} is not one character")}    return {f"min({counted}, {most})" if most else counted}
""",
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
            ("noon", ""),
            ("papaya", "pa"),
        ),
    )


COUNT_PART_INPUTS: tuple[tuple[object, ...], ...] = (
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
)


@family(
    "count_part count_substring substring_count count_matches",
    "text s haystack",
    "part piece needle sub",
    overlap=(True, False),
    ignore=(True, False),
    empty=("0", "ValueError"),
    none=("0", "-1", "None"),
)
def count_part(n: Names, overlap: bool, ignore: bool, empty: str, none: str) -> Task:
    f, s, p = n
    fold = f"    {s}, {p} = {s}.lower(), {p}.lower()\n" if ignore else ""
    body = f"sum(1 for i in range(len({s})) if {s}.startswith({p}, i))" if overlap else f"{s}.count({p})"
    default = "" if none == "0" else f" or {none}"

    def oracle(text: str, part: str) -> object:
        if not part:
            return outcome(empty)
        text, part = (text.lower(), part.lower()) if ignore else (text, part)
        count = i = 0
        while i <= len(text) - len(part):
            hit = text[i : i + len(part)] == part
            count, i = count + hit, i + (len(part) if hit and not overlap else 1)
        return count if count else outcome(none)

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
            {
                True: ("Matches may overlap.", "Overlapping matches count.", "Count overlapping matches too."),
                False: (
                    "Matches do not overlap.",
                    "Count no overlapping matches.",
                    "Do not count overlapping matches.",
                ),
            }[overlap],
            ignoring_case(ignore),
            when_empty(p, empty),
            when_it_fails("there is no match", none),
        ),
        code=f"def {f}({s}, {p}):\n{empty_guard(p, empty)}{fold}    return {body}{default}",
        oracle=oracle,
        inputs=COUNT_PART_INPUTS,
    )


TIES: dict[str, Rule] = {
    "first": (
        "On a tie, take the one that comes first.",
        "If several are equally common, return the first of them.",
        "Ties go to the earliest character.",
    ),
    "last": (
        "On a tie, take the one that occurs last.",
        "If several are equally common, return the one whose last occurrence is latest.",
        "Ties go to the character that is nearest to the end.",
    ),
    "smallest": (
        "On a tie, take the smallest in alphabetical order.",
        "If several are equally common, return the alphabetically first.",
        "Ties go to the smallest character.",
    ),
    "largest": (
        "On a tie, take the largest in alphabetical order.",
        "If several are equally common, return the alphabetically last.",
        "Ties go to the largest character.",
    ),
}
MOST_COMMON_CASE: dict[bool, Rule] = {
    True: (
        "Ignore case and return it in lower case.",
        "First convert everything to lower case.",
        "Upper and lower case count as the same; the result is in lower case.",
    ),
    False: ignoring_case(False),
}


@family(
    "most_common_char top_char frequent_letter most_used",
    "text s word",
    tie=TIES,
    empty=("None", '""', "ValueError"),
    ignore=(True, False),
)
def most_common_char(n: Names, tie: str, empty: str, ignore: bool) -> Task:
    f, s = n
    fold = f"    {s} = {s}.lower()\n" if ignore else ""
    source = {
        "first": s,
        "last": f"{s}[::-1]",
        "smallest": f"sorted({s})",
        "largest": f"sorted({s}, reverse=True)",
    }[tie]

    def oracle(text: str) -> object:
        if not text:
            return outcome(empty)
        text = text.lower() if ignore else text
        counts = Counter(text)
        best = [c for c in counts if counts[c] == max(counts.values())]
        return {"first": best[0], "last": max(best, key=text.rindex), "smallest": min(best), "largest": max(best)}[tie]

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
            TIES[tie],
            MOST_COMMON_CASE[ignore],
            when_empty(s, empty),
        ),
        code=f"def {f}({s}):\n{empty_guard(s, empty)}{fold}    return max({source}, key={s}.count)",
        oracle=oracle,
        inputs=each("", "b", "banana", "zza aa zz", "AaBb bB", "cabcab", "bcaacb", "Zebra zZ ee", "tTtT uU", "dcba"),
    )
