"""Texts compared: palindromes, anagrams, common beginnings."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, ignoring_case, lower, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "is_palindrome palindrome reads_same mirrored",
    "text s word phrase",
    ignore=(True, False),
    skip=("nothing", "spaces", "others"),
    empty=(True, False),
)
def is_palindrome(n: Names, ignore: bool, skip: str, empty: bool) -> Task:
    f, s = n
    low = lower(ignore)
    clean = {
        "nothing": f"{s}{low}",
        "spaces": f'{s}{low}.replace(" ", "")',
        "others": f"[c for c in {s}{low} if c.isalnum()]",
    }[skip]

    def oracle(text: str) -> bool:
        if not text:
            return empty
        letters = [
            c.lower() if ignore else c
            for c in text
            if skip == "nothing" or (c != " " if skip == "spaces" else c.isalnum())
        ]
        return all(a == b for a, b in zip(letters, reversed(letters), strict=True))

    return Task(
        says=(
            f"return whether `{s}` is a palindrome",
            f"check whether `{s}` reads the same backwards",
            f"return True if `{s}` is the same forwards and backwards, else False",
            f"tell whether `{s}` equals its own reverse",
            f"test if `{s}` is a palindrome and return a bool",
            f"decide whether reading `{s}` from the end gives the same text",
        ),
        rules=(
            ignoring_case(ignore),
            {
                "nothing": ("Every character counts.", "All characters matter, spaces too.", "Compare all characters."),
                "spaces": ("Ignore spaces.", "Spaces do not count.", "Leave out spaces."),
                "others": (
                    "Only letters and digits count.",
                    "Ignore everything but letters and digits.",
                    "Skip characters that are neither letters nor digits.",
                ),
            }[skip],
            when_empty(s, str(empty)),
        ),
        code=f"def {f}({s}):\n    if not {s}:\n        return {empty}\n    t = {clean}\n    return t == t[::-1]",
        oracle=oracle,
        inputs=each(
            "", "a", "Anna", "never odd or even", "Was it a car?", "abc", "no, on", "level", "Ab a", "12 21", "a, b a"
        ),
    )


@family(
    "is_anagram anagrams same_letters are_anagrams",
    "a first left word",
    "b second right other",
    ignore=(True, False),
    spaces=(True, False),
    same=(True, False),
)
def is_anagram(n: Names, ignore: bool, spaces: bool, same: bool) -> Task:
    f, a, b = n
    prepared = [
        f"{x}{lower(ignore)}{'.replace(' + chr(34) + ' ' + chr(34) + ', ' + chr(34) * 2 + ')' if spaces else ''}"
        for x in (a, b)
    ]
    differ = "" if same else f" and {a} != {b}"

    def oracle(x: str, y: str) -> bool:
        one, two = (sorted((t.lower() if ignore else t).replace(" ", "" if spaces else " ")) for t in (x, y))
        return one == two and (same or x != y)

    return Task(
        says=(
            f"return whether `{a}` and `{b}` are anagrams",
            f"check whether `{a}` and `{b}` have the same letters in any order",
            f"return True if `{b}` is an anagram of `{a}`",
            f"tell whether the letters of `{a}` can be rearranged to `{b}`",
            f"test if `{a}` and `{b}` consist of the same characters",
            f"decide whether `{b}` uses exactly the characters of `{a}`",
        ),
        rules=(
            ignoring_case(ignore),
            ("Ignore spaces.", "Spaces do not count.", "Leave out spaces.")
            if spaces
            else ("Spaces count as characters.", "Spaces matter.", "Treat spaces like other characters."),
            ("Two equal texts are anagrams.", "Equal texts count.", "The texts may be equal.")
            if same
            else ("Two equal texts are not anagrams.", "Equal texts do not count.", "The texts must differ."),
        ),
        code=f"def {f}({a}, {b}):\n    return sorted({prepared[0]}) == sorted({prepared[1]}){differ}",
        oracle=oracle,
        inputs=(
            ("", ""),
            ("a", "a"),
            ("listen", "silent"),
            ("Listen", "Silent"),
            ("a b", "ba"),
            ("abc", "abd"),
            ("Dirty room", "dormitory"),
            ("same", "same"),
            ("aab", "abb"),
            ("tea", "eat"),
        ),
    )


COMMON_START_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", ""),
    ("abc", "abc"),
    ("flower", "flow"),
    ("Test", "teapot"),
    ("coming", "goING"),
    ("walking", "talking"),
    ("a", "b"),
    ("reDo", "undo"),
    ("prefix", "preFAB"),
    ("x", ""),
)


def common_start_oracle(side: str, ignore: bool, result: str, one: str, two: str) -> object:
    best = 0
    for size in range(min(len(one), len(two)) + 1):
        p, q = (one[:size], two[:size]) if side == "start" else (one[len(one) - size :], two[len(two) - size :])
        if (p.lower() == q.lower()) if ignore else p == q:
            best = size
    return best if result == "length" else one[:best] if side == "start" else one[len(one) - best :]


@family(
    "common_start shared_prefix common_part overlap",
    "a first left one",
    "b second right two",
    side=("start", "end"),
    ignore=(True, False),
    result=("text", "length"),
)
def common_start(n: Names, side: str, ignore: bool, result: str) -> Task:
    f, a, b = n
    low = lower(ignore)
    x, y = (a, b) if side == "start" else (f"{a}[::-1]", f"{b}[::-1]")
    part = f"{a}[:i]" if side == "start" else f"{a}[len({a}) - i:]"
    what = {
        "text": f"the longest common {side} of `{a}` and `{b}`",
        "length": f"the length of the longest common {side} of `{a}` and `{b}`",
    }[result]
    return Task(
        says=(
            f"return {what}",
            f"find {what}",
            f"compute {what}",
            f"determine {what} and return it",
            f"compare the two strings and return {what}",
            f"give {what}",
        ),
        rules=(
            ignoring_case(ignore),
            *(
                [
                    (
                        f"Return it as it is written in `{a}`.",
                        f"Take the characters from `{a}`.",
                        f"Use the spelling of `{a}`.",
                    )
                ]
                if ignore and result == "text"
                else []
            ),
        ),
        code=f"""
def {f}({a}, {b}):
    i = 0
    for x, y in zip({x}, {y}):
        if x{low} != y{low}:
            break
        i += 1
    return {part if result == "text" else "i"}
""",
        oracle=partial(common_start_oracle, side, ignore, result),
        inputs=COMMON_START_INPUTS,
    )
