"""The words of a text: longest, lengths."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, when_it_fails
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task


def longest_word_oracle(which: str, tie: str, empty: str, kind: str, text: str) -> object:
    words = text.split()
    if kind == "letters":
        words = [w for w in words if all(c.isalpha() for c in w)]
    if not words:
        return outcome(empty)
    size = sorted(map(len, words))[-1 if which == "longest" else 0]
    return [w for w in words if len(w) == size][0 if tie == "first" else -1]


@family(
    "longest_word pick_word find_word extreme_word",
    "text s sentence line",
    which=("longest", "shortest"),
    tie=("first", "last"),
    empty=("None", '""', "ValueError"),
    kind=("all", "letters"),
)
def longest_word(n: Names, which: str, tie: str, empty: str, kind: str) -> Task:
    f, s = n
    pick = "max" if which == "longest" else "min"
    words = "words" if tie == "first" else "reversed(words)"
    split = f"{s}.split()" if kind == "all" else f"[w for w in {s}.split() if w.isalpha()]"
    return Task(
        says=(
            f"return the {which} word of `{s}`",
            f"find the {which} word in `{s}`",
            f"split `{s}` into words and return the {which} one",
            f"pick the {which} of the words in `{s}`",
            f"give back the {which} word that `{s}` contains",
            f"tell which word of `{s}` is the {which}",
        ),
        rules=(
            (
                "Words are whatever spaces separate.",
                "Anything between spaces is a word.",
                "Split at spaces; every part is a word.",
            )
            if kind == "all"
            else (
                "Only words made of letters alone count.",
                "Skip words with anything but letters in them.",
                "Ignore words that are not all letters.",
            ),
            (
                f"If several are equally long, take the {tie} one.",
                f"On a tie, the {tie} one wins.",
                f"Return the {tie} of several words with that length.",
            ),
            when_it_fails("there is no such word", empty if empty != '""' else "an empty string"),
        ),
        code=f"def {f}({s}):\n    words = {split}\n{empty_guard('words', empty)}    return {pick}({words}, key=len)",
        oracle=partial(longest_word_oracle, which, tie, empty, kind),
        inputs=each(
            "",
            "one",
            "a bb cc d",
            "the quick brown fox!",
            "  ",
            "same size word here",
            "I am here now",
            "4 tiny enormous gigantic xx yy extra-long",
            "42 -",
        ),
    )


WORD_LENGTHS_INPUTS = each(
    "",
    "a",
    "a bb ccc dddd",
    "a,bb,ccc,dddd",
    "a-bb-ccc-dddd",
    "one two,three-four",
    "x y",
    "red,green blue-pink",
    " spaced  out",
    "to-be,or not",
)


@family(
    "word_lengths lengths_of measure_words sizes",
    "text s sentence words_text",
    shape=("list", "dict"),
    separator=(" ", ",", "-"),
    skip=(0, 1, 2, 3),
)
def word_lengths(n: Names, shape: str, separator: str, skip: int) -> Task:
    f, s = n
    sep = literal(separator)
    spaced = "spaces" if separator == " " else f"`{separator}`"
    result = "a list with the length of each word" if shape == "list" else "a dict from each word to its length"
    condition = f" if len(w) > {skip}"
    body = (
        f"[len(w) for w in {s}.split({sep}){condition}]"
        if shape == "list"
        else f"{{w: len(w) for w in {s}.split({sep}){condition}}}"
    )

    def oracle(text: str) -> object:
        words = [w for w in text.split(separator) if len(w) > skip]
        return list(map(len, words)) if shape == "list" else dict(zip(words, map(len, words), strict=True))

    return Task(
        says=(
            f"return {result} in `{s}`",
            f"split `{s}` at {spaced} and return {result}",
            f"build {result} of `{s}`",
            f"compute {result} that `{s}` contains",
            f"make {result} in the text `{s}`",
            f"give back {result} of the text `{s}`",
        ),
        rules=(
            (
                f"Words are separated by {spaced}.",
                f"The words have {spaced} between them.",
                f"Separate the words at {spaced}.",
            ),
            (
                f"Only words longer than {skip} count.",
                f"Skip words that are not longer than {skip}.",
                f"Leave out words with a length of {skip} or less.",
            ),
        ),
        code=f"def {f}({s}):\n    return {body}",
        oracle=oracle,
        inputs=WORD_LENGTHS_INPUTS,
    )
