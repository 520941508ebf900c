"""Parts of sentences: lists of names, plurals."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task

JOIN_NAMES_INPUTS = each(
    [],
    ["Ann"],
    ["Ann", "Bob"],
    ["a", "b", "c"],
    ["x", "y", "z", "w"],
    ["one"],
    ["p", "q"],
    ["tea", "milk", "jam"],
)


def join_names_oracle(word: str, empty: str, last: str, names: list[str]) -> object:
    if not names:
        return {'""': "", '"nobody"': "nobody"}[empty] if empty[0] == '"' else outcome(empty)
    if len(names) < 3:
        return f" {word} ".join(names)
    return ", ".join(names[:-1]) + last + names[-1]


@family(
    "join_names list_names enumerate_names sentence_list",
    "names items words people",
    word=("and", "or", "&"),
    comma=(True, False),
    empty=('""', "None", '"nobody"', "ValueError"),
)
def join_names(n: Names, word: str, comma: bool, empty: str) -> Task:
    f, xs = n
    last = f", {word} " if comma else f" {word} "
    early = (
        f'    if len({xs}) < 3:\n        return " {word} ".join({xs})\n'
        if comma
        else f"    if len({xs}) == 1:\n        return {xs}[0]\n"
    )
    named = {'""': "an empty string", '"nobody"': '"nobody"'}.get(empty, empty)
    return Task(
        says=(
            f"join the strings in `{xs}` with commas and `{word}` before the last one",
            f"return `{xs}` as one text, separated by commas, with `{word}` before the last",
            f"list the strings of `{xs}` in a sentence: commas in between and `{word}` before the final one",
            f"combine `{xs}` into one string with commas, the last one after `{word}`",
            f"write the elements of `{xs}` with commas between them and `{word}` in front of the last",
            f"make one text of the strings `{xs}`, putting `{word}` before the last and commas between the others",
        ),
        rules=(
            (
                f"With three or more, a comma comes before `{word}`.",
                f"Put a comma before `{word}` if there are at least three.",
                f"There is a comma before `{word}`, too, unless there are only two.",
            )
            if comma
            else (
                f"No comma comes before `{word}`.",
                f"Do not put a comma before `{word}`.",
                f"There is no comma before `{word}`.",
            ),
            raising(f"`{xs}` is empty", empty)
            if empty == "ValueError"
            else (
                f"If `{xs}` is empty, return {named}.",
                f"Return {named} for an empty `{xs}`.",
                f"An empty `{xs}` gives {named}.",
            ),
        ),
        code=(
            f'def {f}({xs}):\n{guard(f"not {xs}", empty, f"{xs} is empty")}{early}    return ", ".join({xs}[:-1]) + '
            f'"{last}" + {xs}[-1]'
        ),
        oracle=partial(join_names_oracle, word, empty, last),
        inputs=JOIN_NAMES_INPUTS,
    )


@family(
    "plural count_text quantity amount_text",
    "count n number k",
    "noun word thing name",
    zero=("no", "0", "none"),
    ending=("s", "es", "en"),
    one=("1", "one", "a"),
)
def plural(n: Names, zero: str, ending: str, one: str) -> Task:
    f, k, w = n
    early = (
        f'    if {k} == 0:\n        return "none"\n'
        if zero == "none"
        else f'    if {k} == 0:\n        return f"no {{{w}}}{ending}"\n'
        if zero == "no"
        else ""
    )

    def oracle(count: int, noun: str) -> str:
        if count == 0 and zero == "none":
            return "none"
        return f"{one} {noun}" if count == 1 else f"{'no' if count == 0 and zero == 'no' else count} {noun}{ending}"

    example = f"`{one} box`, `3 box{ending}`"
    return Task(
        says=(
            f"return the text for `{k}` things called `{w}`, with `{ending}` added unless there is one: {example}",
            (
                f"write a count and its noun: {example} for the numbers 1 and 3 and the noun box, and so on for `{k}` "
                f"and `{w}`"
            ),
            f"return `{k}` and `{w}` as a text like {example}, adding `{ending}` for the plural",
            f"make a phrase of `{k}` and `{w}` such as {example}; the plural has `{ending}`",
            f"combine the number `{k}` with the noun `{w}`, adding `{ending}` unless `{k}` is 1, as in {example}",
            f"give the phrase for `{k}` of `{w}`: {example} and the like, where the plural ends with `{ending}`",
        ),
        rules=(
            {
                "no": ("For 0 write `no` instead of the number.", "Use `no` in place of 0.", "0 is written as `no`."),
                "0": ("0 takes the plural as well.", "For 0 use the plural.", "0 is written like other numbers."),
                "none": ("For 0 return `none`.", "0 gives just `none`.", "Return only `none` for 0."),
            }[zero],
        ),
        code=(
            f'def {f}({k}, {w}):\n{early}    if {k} == 1:\n        return f"{one} {{{w}}}"\n'
            f'    return f"{{{k}}} {{{w}}}{ending}"'
        ),
        oracle=oracle,
        inputs=((0, "box"), (1, "box"), (2, "fox"), (10, "bus"), (0, "item"), (1, "apple"), (100, "dish"), (3, "kiss")),
    )
