"""One list cut into several."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import guard, outcome, raising
from training.corpus.conditions import CONDITIONS, NUMBERS
from training.corpus.registry import family
from training.corpus.types import Names, Task

CHUNK_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 2),
    ([1, 2], 0),
    ([1], -1),
    ([1, 2, 3, 4], 2),
    ([1, 2, 3, 4, 5], 2),
    ([1, 2], 3),
    ([1, 2, 3], 1),
    ([5, 6, 7, 8], 3),
    ([9, 9, 9, 9, 9, 9, 9], 3),
)


def chunk_oracle(rest: str, invalid: str, filler: str, values: list[int], size: int) -> object:
    if size < 1:
        return [] if invalid == "[]" else outcome(invalid)
    out: list[list[int | None]] = []
    for i, x in enumerate(values):
        if i % size == 0:
            out.append([])
        out[-1].append(x)
    if rest == "drop":
        return [part for part in out if len(part) == size]
    if rest != "keep" and out:
        out[-1] += [outcome(filler)] * (size - len(out[-1]))  # type: ignore[list-item] # None or 0
    return out


def chunk_says(xs: str, k: str) -> tuple[str, ...]:
    return (
        f"split `{xs}` into lists of `{k}` elements",
        f"cut `{xs}` into pieces of length `{k}` and return the list of pieces",
        f"return a list of chunks of `{xs}`, each with `{k}` elements",
        f"divide the list `{xs}` into groups of `{k}`",
        f"group the elements of `{xs}` in lists of size `{k}`",
        f"break `{xs}` up into parts that have `{k}` elements each",
    )


@family(
    "chunk split_into chunks batches",
    "items values xs elements",
    "size n k length",
    rest=("keep", "drop", "pad with None", "pad with 0"),
    invalid=("ValueError", "[]"),
)
def chunk(n: Names, rest: str, invalid: str) -> Task:
    f, xs, k = n
    slices = f"[{xs}[i:i + {k}] for i in range(0, len({xs}), {k})]"
    filler = rest.removeprefix("pad with ")
    body = {
        "keep": f"    return {slices}",
        "drop": f"    return [{xs}[i:i + {k}] for i in range(0, len({xs}) - {k} + 1, {k})]",
    }.get(
        rest,
        (
            f"    out = {slices}\n    if out:\n        out[-1] = out[-1] + [{filler}] * ({k} - len(out[-1]))\n"
            "    return out"
        ),
    )
    return Task(
        says=chunk_says(xs, k),
        rules=(
            {
                "keep": (
                    "The last one may be shorter.",
                    "Keep a shorter last piece.",
                    "If elements are left, they form a shorter last piece.",
                ),
                "drop": (
                    "Drop a last piece that is too short.",
                    "Leave out an incomplete last piece.",
                    "Elements that do not fill a piece are dropped.",
                ),
            }.get(
                rest,
                (
                    f"Fill up the last one with {filler}.",
                    f"If the last piece is too short, pad it with {filler}.",
                    f"An incomplete last piece is filled with {filler}.",
                ),
            ),
            raising(f"`{k}` is less than 1", invalid)
            if invalid == "ValueError"
            else (
                f"If `{k}` is less than 1, return an empty list.",
                f"Return an empty list if `{k}` is less than 1.",
                f"A `{k}` below 1 gives an empty list.",
            ),
        ),
        code=f"def {f}({xs}, {k}):\n{guard(f'{k} < 1', invalid, 'size is less than 1')}{body}",
        oracle=partial(chunk_oracle, rest, invalid, filler),
        inputs=CHUNK_INPUTS,
    )


SPLIT_LIST_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 0),
    ([0], 0),
    ([1, 0, 2], 0),
    ([1, 2], 0),
    (["a", "-", "b", "-"], "-"),
    ([0, 0, 5], 0),
    ([9, 8, 7], 8),
    (["x", "x", "y"], "x"),
    ([3, 4, 3], 3),
)


def split_list_oracle(keep: str, empty: bool, values: list[object], marker: object) -> object:
    out: list[list[object]] = [[]]
    for x in values:
        if x == marker and keep == "after":
            out.append([])
        if x != marker or keep != "no":
            out[-1].append(x)
        if x == marker and keep != "after":
            out.append([])
    return [part for part in out if empty or part]


@family(
    "split_list cut_list split_at break_list",
    "items values xs elements",
    "value separator marker x",
    keep=("no", "before", "after"),
    empty=(True, False),
)
def split_list(n: Names, keep: str, empty: bool) -> Task:
    f, xs, v = n
    step = {
        "no": "out.append([])",
        "before": "out[-1].append(e)\n            out.append([])",
        "after": "out.append([e])",
    }[keep]
    result = "out" if empty else "[part for part in out if part]"
    return Task(
        says=(
            f"split `{xs}` into lists at each element equal to `{v}`",
            f"cut the list `{xs}` wherever `{v}` occurs and return the parts",
            f"return the parts of `{xs}` between the elements `{v}`",
            f"break `{xs}` into a list of lists, using `{v}` as the border",
            f"divide `{xs}` at every `{v}` and return a list of lists",
            f"separate the elements of `{xs}` into lists; a `{v}` ends a list",
        ),
        rules=(
            {
                "no": (f"Leave out `{v}` itself.", f"`{v}` is in none of them.", f"The element `{v}` is dropped."),
                "before": (
                    f"`{v}` stays at the end of its part.",
                    f"Each part ends with its `{v}`.",
                    f"Keep `{v}` as the last element of the part before.",
                ),
                "after": (
                    f"`{v}` begins the next part.",
                    f"Each part but the first begins with `{v}`.",
                    f"Keep `{v}` as the first element of the next part.",
                ),
            }[keep],
            ("Keep empty parts.", "Parts may be empty.", "Empty parts stay.")
            if empty
            else ("Drop empty parts.", "Leave out empty parts.", "Parts must not be empty."),
        ),
        code=f"""
def {f}({xs}, {v}):
    out = [[]]
    for e in {xs}:
        if e == {v}:
            {step}
        else:
            out[-1].append(e)
    return {result}
""",
        oracle=partial(split_list_oracle, keep, empty),
        inputs=SPLIT_LIST_INPUTS,
    )


def partition_says(xs: str, kind: str, swap: bool, give: str) -> tuple[str, ...]:
    yes, no = ("second", "first") if swap else ("first", "second")
    if give == "lists":
        says = (
            (
                f"split `{xs}` into two lists and return both: the {yes} has the numbers that are {kind}, the {no} the "
                "others"
            ),
            f"return two lists: numbers of `{xs}` that are {kind} go into the {yes}, all others into the {no}",
            f"divide `{xs}` into a pair of lists, with the {kind} numbers in the {yes} and the rest in the {no}",
            (
                f"separate the {kind} numbers in `{xs}` from the others and return two lists; they come {yes}, the "
                f"others {no}"
            ),
            f"return a tuple of two lists; the {yes} holds what is {kind} in `{xs}`, the {no} what is not",
            f"sort the elements of `{xs}` into two lists, the {yes} for {kind} numbers and the {no} for the rest",
        )
    else:
        says = (
            f"return two counts: the {yes} says how many numbers of `{xs}` are {kind}, the {no} how many are not",
            (
                f"count the numbers in `{xs}` and return a pair; the {yes} is the number of {kind} ones, the {no} that "
                "of the others"
            ),
            f"return a tuple of two numbers; the {yes} tells how many of `{xs}` are {kind}, the {no} counts the rest",
            f"count {kind} numbers and others in `{xs}` separately and return both counts, the {kind} ones {yes}",
            (
                f"determine how many numbers in `{xs}` are {kind} and how many are not; the {kind} count comes {yes} "
                "in the tuple"
            ),
            f"give a tuple of counts for `{xs}`, with the {kind} numbers {yes} and all others {no}",
        )
    return says


@family(
    "partition split_by divide separate",
    "numbers values xs nums",
    kind=CONDITIONS,
    swap=(False, True),
    give=("lists", "counts"),
)
def partition(n: Names, kind: str, swap: bool, give: str) -> Task:
    f, xs = n
    test, holds = CONDITIONS[kind]
    pair = ("yes", "no") if give == "lists" else ("len(yes)", "len(no)")

    def oracle(values: list[int]) -> object:
        lists = [x for x in values if holds(x)], [x for x in values if not holds(x)]
        both = lists if give == "lists" else tuple(map(len, lists))
        return both[::-1] if swap else both

    return Task(
        says=partition_says(xs, kind, swap, give),
        code=f"""
def {f}({xs}):
    yes = [x for x in {xs} if {test}]
    no = [x for x in {xs} if not {test}]
    return {", ".join(pair[::-1] if swap else pair)}
""",
        oracle=oracle,
        inputs=NUMBERS,
    )
