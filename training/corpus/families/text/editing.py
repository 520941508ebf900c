"""Small edits of a text: replace, insert, strip, repeat."""

from __future__ import annotations

from training.corpus.clauses import each, guard, ignoring_case, lower, outcome, raising
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task

REPLACE_WORD_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", "a", "b"),
    ("cat", "dog", "x"),
    ("a b a", "a", "c"),
    ("The cat the end", "the", "a"),
    ("tea steam tea", "tea", "milk"),
    ("Go go GO", "go", "stop"),
    ("one two one", "one", "1"),
    ("seat at sea", "SEA", "lake"),
    ("an  and An", "an", "or"),
    ("steam tea steamy", "tea", "x"),
    ("Steam TEA", "tea", "y"),
    ("ends endless end ending", "end", "z"),
)


@family(
    "replace_word swap_word substitute_word change_word",
    "text s sentence line",
    "old word before source",
    "new replacement after target",
    ignore=(True, False),
    most=("all", "first", "last"),
    whole=(True, False),
)
def replace_word(n: Names, ignore: bool, most: str, whole: bool) -> Task:
    f, s, old, new = n
    low = lower(ignore)
    test = f"w{low} == {old}{low}" if whole else f"{old}{low} in w{low}"
    which = {"all": "every word", "first": "the first word", "last": "the last word"}[most]
    that = "equal to" if whole else "that contains"
    if most == "all":
        body = f'    return " ".join({new} if {test} else w for w in {s}.split())'
    else:
        order = "range(len(words))" if most == "first" else "reversed(range(len(words)))"
        body = (
            f"    words = {s}.split()\n    for i in {order}:\n        w = words[i]\n        if {test}:\n"
            f'            words[i] = {new}\n            break\n    return " ".join(words)'
        )

    def oracle(text: str, a: str, b: str) -> str:
        words = text.split()
        fold = str.lower if ignore else str
        hits = [i for i, w in enumerate(words) if (fold(w) == fold(a) if whole else fold(a) in fold(w))]
        hits = hits if most == "all" else hits[:1] if most == "first" else hits[-1:]
        return " ".join(b if i in hits else w for i, w in enumerate(words))

    return Task(
        says=(
            f"replace {which} of `{s}` {that} `{old}` by `{new}`",
            f"return `{s}` with {which} {that} `{old}` replaced by `{new}`",
            f"put `{new}` in place of {which} in `{s}` {that} `{old}`",
            f"split `{s}` into words and exchange {which} {that} `{old}` for `{new}`",
            f"write `{new}` for {which} {that} `{old}` in `{s}`",
            f"change {which} {that} `{old}` in the text `{s}` to `{new}`",
        ),
        rules=(
            ignoring_case(ignore),
            (
                "Words are separated by spaces; join them with single spaces.",
                "Join the words with single spaces again.",
                "The result has single spaces between the words.",
            ),
        ),
        code=f"def {f}({s}, {old}, {new}):\n{body}",
        oracle=oracle,
        inputs=REPLACE_WORD_INPUTS,
    )


@family(
    "insert_every break_text add_separator group_chars",
    "text s digits value",
    size=(2, 3, 4),
    separator=(" ", "-", ":", "\n"),
    side=("left", "right"),
)
def insert_every(n: Names, size: int, separator: str, side: str) -> Task:
    f, s = n
    sep = '"\\n"' if separator == "\n" else f'"{separator}"'
    named = {" ": "a space", "\n": "a newline"}.get(separator, f"`{separator}`")
    if side == "left":
        body = f"    return {sep}.join({s}[i:i + {size}] for i in range(0, len({s}), {size}))"
    else:
        body = (
            f"    first = len({s}) % {size}\n    parts = [{s}[i:i + {size}] for i in range(first, len({s}), {size})]\n"
            f"    if first:\n        parts.insert(0, {s}[:first])\n    return {sep}.join(parts)"
        )

    def oracle(text: str) -> str:
        parts = []
        while text:
            parts.append(text[:size] if side == "left" else text[-size:])
            text = text[size:] if side == "left" else text[:-size]
        return separator.join(parts if side == "left" else parts[::-1])

    return Task(
        says=(
            f"put {named} after every {size} characters of `{s}`, counting from the {side}, but not at the ends",
            f"group the characters of `{s}` by {size} from the {side}, with {named} between groups",
            f"return `{s}` in groups of {size} characters, from the {side}, separated by {named}",
            f"insert {named} between each {size} characters of `{s}`, counted from the {side}",
            f"break `{s}` into pieces of {size} characters from the {side} and join them with {named}",
            f"split `{s}` from the {side} into parts of {size} and join these by {named}",
        ),
        rules=(
            (
                f"The {'last' if side == 'left' else 'first'} group may be shorter.",
                f"A shorter group may be left at the {'end' if side == 'left' else 'start'}.",
                f"Only the {'last' if side == 'left' else 'first'} one may be shorter.",
            ),
        ),
        code=f"def {f}({s}):\n{body}",
        oracle=oracle,
        inputs=each("", "a", "ab", "abc", "abcd", "1234567", "12345678", "hello world", "123456789012"),
    )


STRIP_PART_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", "x"),
    ("abc", "abc"),
    ("v1.2", "v"),
    ("test_run", "test_"),
    ("report.txt", ".txt"),
    ("xx", "x"),
    ("abcab", "ab"),
    ("data.csv.csv", ".csv"),
    ("abcab", "b"),
    ("no-no", "no"),
    ("-a-", "-"),
    ("unused_x", "_x"),
)


@family(
    "strip_part remove_affix without_part trim_part",
    "text s name path",
    "part affix piece mark",
    side=("start", "end"),
    missing=("same", "None", "ValueError"),
)
def strip_part(n: Names, side: str, missing: str) -> Task:
    f, s, p = n
    test = f"{s}.startswith({p})" if side == "start" else f"{s}.endswith({p})"
    rest = f"{s}[len({p}):]" if side == "start" else f"{s}[:len({s}) - len({p})]"
    verb = "starts" if side == "start" else "ends"
    place = "beginning" if side == "start" else "end"
    stop = s if missing == "same" else missing

    def oracle(text: str, part: str) -> object:
        ends = text[: len(part)] if side == "start" else text[len(text) - len(part) :]
        if ends != part or len(part) > len(text):
            return text if missing == "same" else outcome(missing)
        return text.removeprefix(part) if side == "start" else text.removesuffix(part)

    return Task(
        says=(
            f"remove `{p}` from the {place} of `{s}`",
            f"return `{s}` without `{p}` at its {place}",
            f"cut `{p}` off the {place} of `{s}`",
            f"take `{p}` away from the {place} of `{s}` and return the rest",
            f"strip `{p}` once from the {place} of `{s}`",
            f"return what is left of `{s}` when `{p}` is dropped from its {place}",
        ),
        rules=(
            (
                f"If `{s}` does not {verb[:-1]} with `{p}`, return it unchanged.",
                f"When `{p}` is not there, return `{s}` as it is.",
                f"Leave `{s}` alone if it does not {verb[:-1]} with `{p}`.",
            )
            if missing == "same"
            else raising(f"`{s}` does not {verb[:-1]} with `{p}`", missing)
            if missing == "ValueError"
            else (
                f"If `{s}` does not {verb[:-1]} with `{p}`, return None.",
                f"When `{p}` is not there, return None.",
                f"Return None if `{s}` does not {verb[:-1]} with `{p}`.",
            ),
        ),
        code=f"def {f}({s}, {p}):\n{guard('not ' + test, stop, f'{p} is missing')}    return {rest}",
        oracle=oracle,
        inputs=STRIP_PART_INPUTS,
    )


@family(
    "repeat_text repeat repeated times_text",
    "text s word part",
    "times count k n",
    separator=("", " ", ", ", "-"),
    negative=('""', "ValueError"),
)
def repeat_text(n: Names, separator: str, negative: str) -> Task:
    f, s, k = n
    joined = (
        f"separated by `{separator}`"
        if separator.strip()
        else "separated by single spaces"
        if separator
        else "without anything between"
    )
    body = f"{literal(separator)}.join([{s}] * {k})" if separator else f"{s} * {k}"

    def oracle(text: str, times: int) -> object:
        return separator.join(text for _ in range(times)) if times >= 0 else outcome(negative)

    return Task(
        says=(
            f"repeat `{s}` `{k}` times, {joined}",
            f"return `{k}` copies of `{s}`, {joined}",
            f"write `{s}` `{k}` times in a row, {joined}",
            f"return a string with `{s}` repeated `{k}` times, {joined}",
            f"build a text that has `{s}` `{k}` times, {joined}",
            f"put `{k}` copies of `{s}` into one string, {joined}",
        ),
        rules=(
            raising(f"`{k}` is negative", negative)
            if negative == "ValueError"
            else (
                f"A negative `{k}` gives an empty string.",
                f"Return an empty string if `{k}` is negative.",
                f"If `{k}` is below 0, the result is empty.",
            ),
        ),
        code=f"def {f}({s}, {k}):\n{guard(f'{k} < 0', negative, f'{k} is negative')}    return {body}",
        oracle=oracle,
        inputs=(("a", 0), ("", 2), ("a", -1), ("b", -3), ("ab", 1), ("x", 3), ("hey", 2), ("no", 4), ("q", 5)),
    )
