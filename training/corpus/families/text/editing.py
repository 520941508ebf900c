"""Small edits of a text: replace, insert, strip."""

from __future__ import annotations

from training.corpus.clauses import each, guard, ignoring_case, lower, outcome, when_it_fails
from training.corpus.families.text.wordings import WORDS_GIVEN
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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


def replace_word_code(ignore: bool, most: str, whole: bool, n: Names) -> tuple[str, str]:
    """The lines that make the words, and the expression of the words."""
    _, s, old, new = n
    low = lower(ignore)
    test = f"w{low} == {old}{low}" if whole else f"{old}{low} in w{low}"
    if most == "all":
        return "", f"{new} if {test} else w for w in {s}.split()"
    order = "range(len(words))" if most == "first" else "reversed(range(len(words)))"
    lines = (
        f"    words = {s}.split()\n    for i in {order}:\n        w = words[i]\n        if {test}:\n"
        f"            words[i] = {new}\n            break\n"
    )
    return lines, "words"


@family(
    "replace_word swap_word substitute_word change_word",
    "text s sentence line",
    "old word before source",
    "new replacement after target",
    ignore=(True, False),
    most=("all", "first", "last"),
    whole=(True, False),
    give=("text", "list"),
)
def replace_word(n: Names, ignore: bool, most: str, whole: bool, give: str) -> Task:
    f, s, old, new = n
    which = {"all": "every word", "first": "the first word", "last": "the last word"}[most]
    that = "equal to" if whole else "that contains"
    lines, words = replace_word_code(ignore, most, whole, n)
    result = f'" ".join({words})' if give == "text" else f"[{words}]" if most == "all" else words

    def oracle(text: str, a: str, b: str) -> object:
        words = text.split()
        fold = str.lower if ignore else str
        hits = [i for i, w in enumerate(words) if (fold(w) == fold(a) if whole else fold(a) in fold(w))]
        hits = hits if most == "all" else hits[:1] if most == "first" else hits[-1:]
        out = [b if i in hits else w for i, w in enumerate(words)]
        return out if give == "list" else " ".join(out)

    return Task(
        says=(
            f"replace {which} of `{s}` {that} `{old}` by `{new}`",
            f"return the words of `{s}` with {which} {that} `{old}` replaced by `{new}`",
            f"put `{new}` in place of {which} in `{s}` {that} `{old}`",
            f"split `{s}` into words and exchange {which} {that} `{old}` for `{new}`",
            f"write `{new}` for {which} {that} `{old}` in `{s}`",
            f"change {which} {that} `{old}` in the text `{s}` to `{new}`",
        ),
        rules=(ignoring_case(ignore), WORDS_GIVEN[give]),
        code=f"def {f}({s}, {old}, {new}):\n{lines}    return {result}",
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
    ("Test_run", "test_"),
    ("report.TXT", ".txt"),
    ("xx", "x"),
    ("abcab", "ab"),
    ("data.csv.csv", ".csv"),
    ("abcab", "b"),
    (" no ", "no"),
    ("re:  hello ", "re:"),
    (" 5 kg", "kg"),
    ("unused_x", "_x"),
)


def strip_part_missing(s: str, p: str, side: str, missing: str) -> Rule:
    condition = f"`{s}` does not {side} with `{p}`"
    if missing != "same":
        return when_it_fails(condition, missing)
    return (
        f"If {condition}, return `{s}` unchanged.",
        f"When {condition}, return `{s}` as it is.",
        f"Leave `{s}` alone if {condition}.",
    )


@family(
    "strip_part remove_affix without_part trim_part",
    "text s name path",
    "part affix piece mark",
    side=("start", "end"),
    missing=("same", "None", "ValueError"),
    ignore=(False, True),
    spaces=(False, True),
)
def strip_part(n: Names, side: str, missing: str, ignore: bool, spaces: bool) -> Task:
    f, s, p = n
    low = lower(ignore)
    test = f"not {s}{low}.{side}swith({p}{low})"
    rest = f"{s}[len({p}):]" if side == "start" else f"{s}[:len({s}) - len({p})]"
    place = "beginning" if side == "start" else "end"

    def oracle(text: str, part: str) -> object:
        at = 0 if side == "start" else len(text) - len(part)
        found = text[max(at, 0) : max(at, 0) + len(part)]
        if found != part and not (ignore and found.casefold() == part.casefold()):
            return text if missing == "same" else outcome(missing)
        rest = text[:at] + text[at + len(part) :]
        return " ".join(rest.split()) if spaces else rest

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
            strip_part_missing(s, p, side, missing),
            ignoring_case(ignore),
            ("Strip spaces around the rest.", "Remove spaces at both ends of the rest.", "Trim the rest.")
            if spaces
            else ("Keep spaces around the rest.", "Do not trim the rest.", "Do not strip spaces from the rest."),
        ),
        code=(
            f"def {f}({s}, {p}):\n{guard(test, s if missing == 'same' else missing, f'{p} is missing')}"
            f"    return {rest}{'.strip()' * spaces}"
        ),
        oracle=oracle,
        inputs=STRIP_PART_INPUTS,
    )
