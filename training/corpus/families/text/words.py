"""The words of a text: longest, lengths, order, repetitions."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, ignoring_case, lower, outcome, when_empty
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "longest_word pick_word find_word extreme_word",
    "text s sentence line",
    which=("longest", "shortest"),
    tie=("first", "last"),
    empty=("None", '""', "ValueError"),
)
def longest_word(n: Names, which: str, tie: str, empty: str) -> Task:
    f, s = n
    pick = "max" if which == "longest" else "min"
    words = "words" if tie == "first" else "reversed(words)"

    def oracle(text: str) -> object:
        words = text.split()
        if not words:
            return outcome(empty)
        size = sorted(map(len, words))[-1 if which == "longest" else 0]
        return [w for w in words if len(w) == size][0 if tie == "first" else -1]

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
                f"If several are equally long, take the {tie} one.",
                f"On a tie, the {tie} one wins.",
                f"Return the {tie} of several words with that length.",
            ),
            when_empty(s, empty if empty != '""' else "an empty string")
            if empty != "ValueError"
            else (
                "Raise a ValueError if there are no words.",
                "If there are no words, raise ValueError.",
                "No words at all is a ValueError.",
            ),
        ),
        code=(
            f"def {f}({s}):\n    words = {s}.split()\n{empty_guard('words', empty)}    return {pick}({words}, key=len)"
        ),
        oracle=oracle,
        inputs=each(
            "",
            "one",
            "a bb cc d",
            "the quick brown fox",
            "  ",
            "same size word here",
            "I am here now",
            "tiny enormous gigantic xx yy",
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


@family(
    "sort_words ordered_words arrange_words words_sorted",
    "text s sentence line",
    key=("alphabet", "length", "last"),
    reverse=(False, True),
    unique=(False, True),
)
def sort_words(n: Names, key: str, reverse: bool, unique: bool) -> Task:
    f, s = n
    by = {"alphabet": "alphabetically", "length": "by length", "last": "by their last letter"}[key]
    function = {"alphabet": "", "length": ", key=len", "last": ", key=lambda w: w[-1]"}[key]
    words = f"dict.fromkeys({s}.split())" if unique else f"{s}.split()"
    backwards = ", reverse=True" if reverse else ""

    def oracle(text: str) -> str:
        words = list(dict.fromkeys(text.split())) if unique else text.split()
        keys = {"alphabet": lambda w: w, "length": len, "last": lambda w: w[len(w) - 1]}
        return " ".join(sorted(words, key=keys[key], reverse=reverse))

    return Task(
        says=(
            f"sort the words of `{s}` {by} and return them as one string",
            f"return the words of `{s}` sorted {by}, joined by spaces",
            f"put the words in `{s}` in order, {by}, and join them with spaces",
            f"split `{s}` into words, sort them {by} and join them again",
            f"order the words of `{s}` {by}, with spaces between them",
            f"return a string with the words of `{s}` arranged {by}",
        ),
        rules=(
            ("Sort in descending order.", "The order is descending.", "Use reverse order.")
            if reverse
            else ("Sort in ascending order.", "The order is ascending.", "Use ascending order."),
            ("Each word appears only once.", "Drop repeated words.", "Remove duplicates.")
            if unique
            else ("Repeated words stay.", "Keep repeated words.", "Keep duplicates."),
        ),
        code=f'def {f}({s}):\n    return " ".join(sorted({words}{function}{backwards}))',
        oracle=oracle,
        inputs=each(
            "",
            "one",
            "pear fig apple fig",
            "bb a ccc a",
            "zoo abc bca cab zoo",
            "d c b a",
            "hi there hi you",
            "xa yb za yb w",
            "three is a three of",
        ),
    )


UNIQUE_WORDS_INPUTS = each(
    "",
    "one",
    "b a B a",
    "The cat the dog",
    "x yy X zzz yy a",
    "pear Fig apple fig",
    "same same",
    "Go go GO stop an",
)


def unique_words_oracle(ignore: bool, order: str, text: str) -> list[str]:
    seen: list[str] = []
    for w in (text.lower() if ignore else text).split():
        if w not in seen:
            seen.append(w)
    return seen if order == "first" else sorted(seen) if order == "sorted" else sorted(seen, key=len)


@family(
    "unique_words distinct_words different_words word_set",
    "text s sentence line",
    ignore=(True, False),
    order=("first", "sorted", "length"),
)
def unique_words(n: Names, ignore: bool, order: str) -> Task:
    f, s = n
    words = f"{s}{lower(ignore)}.split()"
    body = {
        "first": f"list(dict.fromkeys({words}))",
        "sorted": f"sorted(set({words}))",
        "length": f"sorted(dict.fromkeys({words}), key=len)",
    }[order]
    return Task(
        says=(
            f"return a list of the different words in `{s}`",
            f"list every word of `{s}` once",
            f"collect the distinct words of `{s}` in a list",
            f"return the words of `{s}` without repetitions",
            f"find the unique words that `{s}` contains",
            f"split `{s}` into words and return each word only once",
        ),
        rules=(
            (
                "Convert everything to lower case first.",
                "Treat upper and lower case as the same and return lower case.",
                "Ignore case and return the words in lower case.",
            )
            if ignore
            else ignoring_case(False),
            {
                "first": (
                    "They are in the order of their first appearance.",
                    "Keep the order in which they first appear.",
                    "The order is that of the text.",
                ),
                "sorted": (
                    "They are sorted alphabetically.",
                    "Return them in alphabetical order.",
                    "Sort them alphabetically.",
                ),
                "length": ("They are sorted by length.", "Return the shortest first.", "Sort them from short to long."),
            }[order],
        ),
        code=f"def {f}({s}):\n    return {body}",
        oracle=partial(unique_words_oracle, ignore, order),
        inputs=UNIQUE_WORDS_INPUTS,
    )
