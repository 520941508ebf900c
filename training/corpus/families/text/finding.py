"""Finding numbers, tags and marked parts in a text."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task

FIND_NUMBERS_INPUTS = each(
    "",
    "none",
    "7",
    "a1b22",
    "10 -3 5",
    "x-4 y-9",
    "room 101, floor 3",
    "2024-05",
    "-8",
    "price: 30 or 25",
    "12,-7",
)


def find_numbers_oracle(kind: str, negative: bool, give: str, none: str, text: str) -> object:
    words = re.split(r"[^0-9-]+" if negative else r"[^0-9]+", text)
    found: list[str] = []
    for word in words:
        for i, piece in enumerate(word.split("-")):
            if piece:
                found.append(f"-{piece}" if i and negative else piece)
    if not found:
        return outcome(none)
    value: object = {
        "list": list(map(int, found)),
        "sum": sum(map(int, found)),
        "largest": max(map(int, found)),
        "last": int(found[-1]),
    }[give]
    return value if kind == "int" else found if give == "list" else found[-1] if give == "last" else f"{value}"


def find_numbers_says(s: str, kind: str, give: str, pair: bool) -> tuple[str, ...]:
    what = {
        "list": "a list of the whole numbers",
        "sum": "the sum of the whole numbers",
        "largest": "the largest of the whole numbers",
        "last": "the last of the whole numbers",
    }[give]
    as_kind = {
        "list": " as strings" if kind == "text" else " as ints",
        "last": " as a string" if kind == "text" else " as an int",
    }.get(give, "")
    as_kind = " as a string" if pair else as_kind
    return (
        f"return {what} in `{s}`{as_kind}",
        f"find {what} that occur in `{s}` and return the result{as_kind}",
        f"extract {what} from the text `{s}`{as_kind}",
        f"search `{s}` for digits and return {what}{as_kind}",
        f"look for numbers in the text `{s}` and return {what}{as_kind}",
        f"compute {what} written in `{s}`{as_kind}",
    )


@family(
    "find_numbers extract_numbers numbers_in get_numbers",
    "text s line source",
    kind=("int", "text"),
    negative=(False, True),
    give=("list", "sum", "largest", "last"),
    none=("None", "0", "ValueError"),
)
def find_numbers(n: Names, kind: str, negative: bool, give: str, none: str) -> Task:
    f, s = n
    pattern = r"-?\d+" if negative else r"\d+"
    convert = "int(x)" if kind == "int" or give in ("sum", "largest") else "x"
    found = (
        f'[{convert} for x in re.findall(r"{pattern}", {s})]'
        if convert == "int(x)"
        else f're.findall(r"{pattern}", {s})'
    )
    result = {"list": "found", "sum": "sum(found)", "largest": "max(found)", "last": "found[-1]"}[give]
    pair = kind == "text" and give in ("sum", "largest")
    result = f"str({result})" if pair else result
    return Task(
        says=find_numbers_says(s, kind, give, pair),
        rules=(
            (
                "A minus directly before the digits belongs to the number.",
                "Numbers may have a minus in front.",
                "Negative numbers count, too.",
            )
            if negative
            else (
                "Ignore signs.",
                "A minus does not belong to the number.",
                "Only digits make a number, without a sign.",
            ),
            raising("there are no numbers", none)
            if none == "ValueError"
            else (
                f"If there are none, return {none}.",
                f"Return {none} if there are no numbers.",
                f"Text without numbers gives {none}.",
            ),
        ),
        code=(
            f"import re\n\n\ndef {f}({s}):\n    found = {found}\n"
            f"{guard('not found', none, 'no numbers')}    return {result}"
        ),
        oracle=partial(find_numbers_oracle, kind, negative, give, none),
        inputs=FIND_NUMBERS_INPUTS,
    )


def text_between_oracle(which: str, missing: str, last: str, first: str, text: str) -> object:
    found: list[str] = []
    rest = text
    while first in rest:
        rest = rest.split(first, 1)[1]
        if last not in rest:
            break
        piece, after = rest.split(last, 1)
        found.append(piece.rpartition(first)[2] if False else piece)
        rest = after
    if not found:
        return "" if missing == '""' else outcome(missing)
    return {"first": found[0], "last": found[-1], "all": found}[which]


@family(
    "text_between extract_between inside_of between_marks",
    "text s line source",
    marks=("()", "[]", "{}", "<>", "**", '""'),
    which=("first", "last", "all"),
    missing=("None", '""', "ValueError"),
)
def text_between(n: Names, marks: str, which: str, missing: str) -> Task:
    f, s = n
    a, b = (re.escape(c) if c in "()[]{}*" else c for c in marks)
    first, last = marks[0], marks[1]
    pattern = f"{a}([^{last if last not in ']' else chr(92) + last}]*){b}"
    quote = "'" if '"' in marks else '"'
    result = {"first": "found[0]", "last": "found[-1]", "all": "found"}[which]
    what = {"first": "the first text", "last": "the last text", "all": "a list of all texts"}[which]
    named = "an empty string" if missing == '""' else missing
    return Task(
        says=(
            f"return {what} between `{first}` and `{last}` in `{s}`",
            f"find {what} in `{s}` that stands between `{first}` and `{last}`".replace("texts in", "texts in").replace(
                "that stands", "that stands"
            ),
            f"extract {what} enclosed by `{first}` and `{last}` from `{s}`",
            f"search `{s}` for {what} that begins after `{first}` and ends before `{last}`",
            f"get {what} inside `{first}` and `{last}` from the line `{s}`",
            f"look in `{s}` for {what} surrounded by `{first}` and `{last}`",
        ),
        rules=(
            raising("there is none", missing)
            if missing == "ValueError"
            else (
                f"If there is none, return {named}.",
                f"Return {named} if nothing is found.",
                f"Without a match, return {named}.",
            ),
            ("The marks themselves are left out.", "Leave out the marks.", "Do not return the marks."),
        ),
        code=(
            f"import re\n\n\ndef {f}({s}):\n    found = re.findall(r{quote}{pattern}{quote}, {s})\n"
            f"{guard('not found', missing, 'nothing found')}    return {result}"
        ),
        oracle=partial(text_between_oracle, which, missing, last, first),
        inputs=each(
            "",
            "plain",
            f"a {first}b{last} c",
            f"{first}x{last}{first}y{last}",
            f"{first}{last}",
            f"open {first}only",
            f"p {first}q r{last} s {first}t{last} u",
            f"{last}k{first}m{last}",
            f"1 {first}2{last}",
        ),
    )


@family(
    "find_tags hashtags extract_words tagged_words",
    "text s post message",
    mark=("#", "@", "$", "+"),
    give=("list", "set sorted"),
    keep=(True, False),
    lower_case=(True, False),
)
def find_tags(n: Names, mark: str, give: str, keep: bool, lower_case: bool) -> Task:
    f, s = n
    word = "w" if keep else "w[1:]"
    word = f"{word}.lower()" if lower_case else word
    body = {
        "list": f'[{word} for w in {s}.split() if w[0] == "{mark}" and len(w) > 1]',
        "set sorted": f'sorted({{{word} for w in {s}.split() if w[0] == "{mark}" and len(w) > 1}})',
    }[give]
    what = {"list": "a list of the words", "set sorted": "a sorted list of the different words"}[give]

    def oracle(text: str) -> object:
        found = [w if keep else w.removeprefix(mark) for w in text.split() if w.startswith(mark) and w != mark]
        found = [w.lower() for w in found] if lower_case else found
        different = list(dict.fromkeys(found))
        return {"list": found, "set sorted": sorted(different)}[give]

    rules = [
        ("A mark alone is no word.", f"A `{mark}` alone does not count.", f"Ignore a `{mark}` with nothing behind it.")
    ]
    rules.append(
        (f"Keep the `{mark}`.", f"The words keep their `{mark}`.", f"Leave the `{mark}` in front of the words.")
        if keep
        else (f"Remove the `{mark}`.", f"The words come without the `{mark}`.", f"Leave out the `{mark}` itself.")
    )
    rules.append(
        ("Convert the words to lower case.", "Use lower case for the words.", "Make the words lower case.")
        if lower_case
        else ("Do not change the case.", "Keep the case of the words.", "Upper and lower case are different.")
    )
    return Task(
        says=(
            f"return {what} in `{s}` that begin with `{mark}`",
            f"find {what} in `{s}` starting with `{mark}`",
            f"split `{s}` at spaces and return {what} that start with `{mark}`",
            f"extract {what} with a `{mark}` in front from `{s}`",
            f"collect {what} of `{s}` that have `{mark}` as the first character",
            f"look through the words of `{s}` and return {what} that begin with `{mark}`",
        ),
        rules=tuple(rules),
        code=f"def {f}({s}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            "",
            "no tags",
            *(
                x.replace("#", mark)
                for x in ("#one", "#a b #c", "#X #x #y", "# alone #z", "mid#dle #End", "#Q and #q #q", "say #Hi, #hi")
            ),
        ),
    )
