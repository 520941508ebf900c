"""Counting words and lines of a text."""

from __future__ import annotations

from collections.abc import Callable

from training.corpus.clauses import each, ignoring_case, lower
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "count_words word_count num_words words_in",
    "text s sentence line",
    separator=(None, ",", ";", "-"),
    shortest=(1, 2, 3, 4, 5),
)
def count_words(n: Names, separator: str | None, shortest: int) -> Task:
    f, s = n
    split = f"{s}.split({f'{chr(34)}{separator}{chr(34)}' if separator else ''})"
    spaced = f"separated by `{separator}`" if separator else "separated by spaces"
    rule = (
        f"Only words with at least {shortest} characters count.",
        f"Skip words shorter than {shortest} characters.",
        f"A word counts if it has {shortest} or more characters.",
    )
    return Task(
        says=(
            f"count the words in `{s}`, which are {spaced}",
            f"return how many words {spaced} `{s}` has",
            f"return the number of words {spaced} in `{s}`",
            f"tell how many words `{s}` contains; they are {spaced}",
            f"split `{s}` into words {spaced} and count them",
            f"give the word count of `{s}` (words are {spaced})",
        ),
        rules=(rule,),
        code=f"def {f}({s}):\n    return sum(1 for w in {split} if len(w) >= {shortest})",
        oracle=lambda text: len([w for w in text.split(separator) if len(w) >= shortest]),
        inputs=each(
            "",
            "a",
            "a,bb,ccc,dddd,eeeee,ffffff",
            "one two  three",
            "to be or not to be, ok",
            "a;bb;ccc;dddd;eeeee",
            "x-yy-zzz-wwww-vvvvv-u",
            " lots   of   space ",
            "aaaa bbb cc d eeeee ffff",
            "no,,empty;;parts--here",
        ),
    )


@family(
    "count_lines line_count num_lines lines_in",
    "text source content s",
    blank=(True, False),
    comment=("", "#", "//", "--"),
)
def count_lines(n: Names, blank: bool, comment: str) -> Task:
    f, s = n
    conditions = [*([] if blank else ["line.strip()"]), *([f'not line.startswith("{comment}")'] if comment else [])]
    rules = [
        ("Blank lines count too.", "Include blank lines.", "Empty lines are counted as well.")
        if blank
        else ("Skip blank lines.", "Do not count blank lines.", "Lines with only spaces do not count.")
    ]
    if comment:
        rules.append(
            (
                f"Skip lines that start with `{comment}`.",
                f"Lines beginning with `{comment}` do not count.",
                f"Leave out comments, which start with `{comment}`.",
            )
        )
    code = (
        f"sum(1 for line in {s}.splitlines() if {' and '.join(conditions)})" if conditions else f"len({s}.splitlines())"
    )
    return Task(
        says=(
            f"count the lines of `{s}`",
            f"return how many lines `{s}` has",
            f"return the number of lines in `{s}`",
            f"tell how many lines are in `{s}`",
            f"split `{s}` into lines and count them",
            f"give the line count of `{s}`",
        ),
        rules=tuple(rules),
        code=f"def {f}({s}):\n    return {code}",
        oracle=lambda text: len(
            [x for x in text.splitlines() if (blank or x.strip()) and not (comment and x[: len(comment)] == comment)]
        ),
        inputs=each(
            "",
            "one",
            "one\ntwo\n",
            "# a\n\n// b\n// e\n-- c\nd",
            "\n\n\n",
            "x\n  \ny # no\n#\n--z\n//",
            "-- a\n-- b",
            "//\n#\nq",
        ),
    )


@family(
    "count_starting words_matching count_with_prefix matching_words",
    "words items names",
    "prefix part mark",
    place=("start", "end", "any"),
    ignore=(True, False),
)
def count_starting(n: Names, place: str, ignore: bool) -> Task:
    f, ws, p = n
    low = lower(ignore)
    verb = {"start": "start with", "end": "end with", "any": "contain"}[place]
    test = {"start": f"w{low}.startswith({p}{low})", "end": f"w{low}.endswith({p}{low})", "any": f"{p}{low} in w{low}"}[
        place
    ]

    def oracle(words: list[str], part: str) -> int:
        words, part = ([w.lower() for w in words], part.lower()) if ignore else (words, part)
        spots: dict[str, Callable[[str], str]] = {
            "start": lambda w: w[: len(part)],
            "end": lambda w: w[len(w) - len(part) :],
            "any": lambda w: part if w.count(part) else "",
        }
        return sum(len(w) >= len(part) and spots[place](w) == part for w in words)

    return Task(
        says=(
            f"count the strings in `{ws}` that {verb} `{p}`",
            f"return how many of the `{ws}` {verb} `{p}`",
            f"return the number of elements of `{ws}` that {verb} `{p}`",
            f"tell how many entries in `{ws}` {verb} `{p}`",
            f"go through `{ws}` and count those that {verb} `{p}`",
            f"find out how many items of the list `{ws}` {verb} `{p}`",
        ),
        rules=(ignoring_case(ignore),),
        code=f"def {f}({ws}, {p}):\n    return sum(1 for w in {ws} if {test})",
        oracle=oracle,
        inputs=(
            ([], "a"),
            (["a"], "a"),
            (["apple", "Avocado", "banana", "Pea"], "a"),
            (["ing", "Sing", "singer", "KING"], "ing"),
            (["Redo", "undo", "door", "DO"], "do"),
            (["x", "y"], "zz"),
            (["Oslo", "Rome", "Otto"], "O"),
            (["oak", "Koa", "AKO"], "ako"),
        ),
    )
