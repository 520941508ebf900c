"""The words of a text in order, with or without repetitions."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, ignoring_case, lower
from training.corpus.families.text.wordings import WORDS_GIVEN
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def sort_words_oracle(key: str, reverse: bool, unique: bool, give: str, text: str) -> object:
    words: list[str] = []
    for w in text.split():
        if not (unique and w in words):
            words.append(w)
    keys = [w if key == "alphabet" else w[len(w) - 1] if key == "last" else "x" * len(w) for w in words]
    order = sorted(set(keys))[:: -1 if reverse else 1]
    out = [w for k in order for w, its in zip(words, keys, strict=True) if its == k]
    return out if give == "list" else " ".join(out)


@family(
    "sort_words ordered_words arrange_words words_sorted",
    "text s sentence line",
    key=("alphabet", "length", "last"),
    reverse=(False, True),
    unique=(False, True),
    give=("text", "list"),
)
def sort_words(n: Names, key: str, reverse: bool, unique: bool, give: str) -> Task:
    f, s = n
    by = {"alphabet": "alphabetically", "length": "by length", "last": "by their last letter"}[key]
    function = {"alphabet": "", "length": ", key=len", "last": ", key=lambda w: w[-1]"}[key]
    words = f"dict.fromkeys({s}.split())" if unique else f"{s}.split()"
    result = f"sorted({words}{function}{', reverse=True' * reverse})"
    return Task(
        says=(
            f"sort the words of `{s}` {by}",
            f"return the words of `{s}` sorted {by}",
            f"put the words in `{s}` in order, {by}",
            f"split `{s}` into words and sort them {by}",
            f"order the words of `{s}` {by}",
            f"return the words of `{s}` arranged {by}",
        ),
        rules=(
            ("Sort in descending order.", "The order is descending.", "Use descending order.")
            if reverse
            else ("Sort in ascending order.", "The order is ascending.", "Use ascending order."),
            ("Each word appears only once.", "Drop repeated words.", "Remove duplicates.")
            if unique
            else ("Repeated words stay.", "Keep repeated words.", "Keep duplicates."),
            WORDS_GIVEN[give],
        ),
        code=f"def {f}({s}):\n    return " + (f'" ".join({result})' if give == "text" else result),
        oracle=partial(sort_words_oracle, key, reverse, unique, give),
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
    "big Red zoo a red of",
)
UNIQUE_WORDS_ORDER: dict[str, Rule] = {
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
}


def unique_words_oracle(ignore: bool, order: str, give: str, limit: int, text: str) -> object:
    seen: list[str] = []
    for w in (text.lower() if ignore else text).split():
        if w not in seen:
            seen.append(w)
    seen = seen if order == "first" else sorted(seen) if order == "sorted" else sorted(seen, key=len)
    while limit and len(seen) > limit:
        seen.pop()
    return seen if give == "list" else " ".join(seen)


def unique_words_rules(ignore: bool, order: str, give: str, limit: int) -> tuple[Rule, ...]:
    lowered = (
        "Convert everything to lower case first.",
        "Treat upper and lower case as the same and return lower case.",
        "Ignore case and return the words in lower case.",
    )
    few = (
        f"Return only the first {limit} of them.",
        f"Give at most the first {limit}.",
        f"Leave out all but the first {limit}.",
    )
    return (
        lowered if ignore else ignoring_case(False),
        UNIQUE_WORDS_ORDER[order],
        *([few] if limit else []),
        WORDS_GIVEN[give],
    )


@family(
    "unique_words distinct_words different_words word_set",
    "text s sentence line",
    ignore=(True, False),
    order=("first", "sorted", "length"),
    give=("list", "text"),
    limit=(0, 2, 3),
)
def unique_words(n: Names, ignore: bool, order: str, give: str, limit: int) -> Task:
    f, s = n
    words = f"{s}{lower(ignore)}.split()"
    listed = {
        "first": f"list(dict.fromkeys({words}))",
        "sorted": f"sorted(set({words}))",
        "length": f"sorted(dict.fromkeys({words}), key=len)",
    }[order]
    some = f"{listed}[:{limit}]" if limit else listed
    return Task(
        says=(
            f"return the different words in `{s}`",
            f"give every word of `{s}` once",
            f"collect the distinct words of `{s}`",
            f"return the words of `{s}` without repetitions",
            f"find the unique words that `{s}` contains",
            f"split `{s}` into words and return each word only once",
        ),
        rules=unique_words_rules(ignore, order, give, limit),
        code=f"def {f}({s}):\n    return " + (f'" ".join({some})' if give == "text" else some),
        oracle=partial(unique_words_oracle, ignore, order, give, limit),
        inputs=UNIQUE_WORDS_INPUTS,
    )
