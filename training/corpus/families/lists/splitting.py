"""One list cut into several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from training.corpus.clauses import guard, keeping_order, outcome, when_it_fails
from training.corpus.conditions import CONDITIONS, NUMBERS
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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


def chunk_oracle(rest: str, invalid: str, turn: bool, values: list[int], size: int) -> object:
    if size < 1:
        return outcome(invalid)
    out: list[list[int | None]] = []
    for i, x in enumerate(values):
        if i % size == 0:
            out.append([])
        out[-1].append(x)
    if rest == "drop":
        out = [part for part in out if len(part) == size]
    elif rest != "keep" and out:
        out[-1] += [0 if rest == "pad with 0" else None] * (size - len(out[-1]))
    return list(reversed(out)) if turn else out


def chunk_says(xs: str, k: str) -> tuple[str, ...]:
    return (
        f"split `{xs}` into lists of `{k}` elements",
        f"cut `{xs}` into pieces of length `{k}` and return the list of pieces",
        f"return a list of chunks of `{xs}`, each with `{k}` elements",
        f"divide the list `{xs}` into groups of `{k}`",
        f"group the elements of `{xs}` in lists of size `{k}`",
        f"break `{xs}` up into parts that have `{k}` elements each",
    )


def chunk_rules(k: str, rest: str, invalid: str, turn: bool) -> tuple[Rule, ...]:
    filler = rest.removeprefix("pad with ")
    return (
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
        when_it_fails(f"`{k}` is less than 1", invalid),
        (
            "Then reverse the list of pieces.",
            "Finally, reverse the order of the pieces.",
            "The last piece comes first, then the one before it.",
        )
        if turn
        else keeping_order(),
    )


@family(
    "chunk split_into chunks batches",
    "items values xs elements",
    "size n k length",
    rest=("keep", "drop", "pad with None", "pad with 0"),
    invalid=("ValueError", "[]", "None"),
    turn=(False, True),
)
def chunk(n: Names, rest: str, invalid: str, turn: bool) -> Task:
    f, xs, k = n
    end = f"len({xs}) - {k} + 1" if rest == "drop" else f"len({xs})"
    pieces, fill = f"[{xs}[i:i + {k}] for i in range(0, {end}, {k})]", ""
    if rest.startswith("pad"):
        filler = rest.removeprefix("pad with ")
        fill = f"    out = {pieces}\n    if out:\n        out[-1] = out[-1] + [{filler}] * ({k} - len(out[-1]))\n"
    return Task(
        says=chunk_says(xs, k),
        rules=chunk_rules(k, rest, invalid, turn),
        code=(
            f"def {f}({xs}, {k}):\n{guard(f'{k} < 1', invalid, f'{k} is less than 1')}{fill}"
            f"    return {'out' if fill else pieces}{'[::-1]' if turn else ''}"
        ),
        oracle=partial(chunk_oracle, rest, invalid, turn),
        inputs=CHUNK_INPUTS,
    )


SPLIT_LIST_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 0),
    ([0], 0),
    ([1, 0, 2, 3], 0),
    ([1, 2], 0),
    ([5, 3, 8, 3], 3),
    ([0, 0, 5, 1], 0),
    ([9, 8, 7], 8),
    ([6, 6, 2, -1, 6, 6], 6),
    ([3, 4, 3, 1, 2, 7, 3], 3),
)
BORDERS: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "equal to": ("==", lambda x, y: not (x < y or x > y)),
    "greater than": (">", lambda x, y: x not in range(-100, y + 1)),
    "less than": ("<", lambda x, y: x in range(-100, y)),
}


def split_list_oracle(keep: str, parts: str, border: str, values: list[int], limit: int) -> object:
    out: list[list[int]] = [[]]
    for x in values:
        cut = BORDERS[border][1](x, limit)
        if cut and keep == "after":
            out.append([])
        if not cut or keep != "no":
            out[-1].append(x)
        if cut and keep != "after":
            out.append([])
    least = {"all": 0, "filled": 1, "long": 2}[parts]
    return [part for part in out if len(part) >= least]


def split_list_rules(keep: str, parts: str) -> tuple[Rule, ...]:
    return (
        {
            "no": (
                "Leave out the borders themselves.",
                "The borders are in none of the parts.",
                "The borders are dropped.",
            ),
            "before": (
                "A border stays at the end of its part.",
                "Each border is the last element of the part before it.",
                "Keep a border as the last element of the part before.",
            ),
            "after": (
                "A border begins the next part.",
                "Each border is the first element of the part after it.",
                "Keep a border as the first element of the next part.",
            ),
        }[keep],
        {
            "all": ("Keep empty parts.", "Parts may be empty.", "Empty parts stay."),
            "filled": ("Drop empty parts.", "Leave out empty parts.", "Parts must not be empty."),
            "long": (
                "Drop parts with fewer than 2 elements.",
                "Leave out parts of one element or none.",
                "Only parts of at least 2 elements count.",
            ),
        }[parts],
    )


@family(
    "split_list cut_list split_at break_list",
    "numbers values xs elements",
    "limit separator marker x",
    keep=("no", "before", "after"),
    parts=("all", "filled", "long"),
    border=tuple(BORDERS),
)
def split_list(n: Names, keep: str, parts: str, border: str) -> Task:
    f, xs, v = n
    step = {
        "no": "out.append([])",
        "before": "out[-1].append(e)\n            out.append([])",
        "after": "out.append([e])",
    }[keep]
    result = {"all": "out", "filled": "[p for p in out if p]", "long": "[p for p in out if len(p) > 1]"}[parts]
    return Task(
        says=(
            f"split `{xs}` into lists, with each number {border} `{v}` as a border",
            f"cut the list `{xs}` wherever a number {border} `{v}` occurs, the border, and return the parts",
            f"return the parts of `{xs}` between borders, which are the numbers {border} `{v}`",
            f"break `{xs}` into a list of lists, using every number {border} `{v}` as a border",
            f"divide `{xs}` at every number {border} `{v}` (a border) and return a list of lists",
            f"separate the numbers of `{xs}` into lists; a number {border} `{v}` is a border",
        ),
        rules=split_list_rules(keep, parts),
        code=f"""
def {f}({xs}, {v}):
    out = [[]]
    for e in {xs}:
        if e {BORDERS[border][0]} {v}:
            {step}
        else:
            out[-1].append(e)
    return {result}
""",
        oracle=partial(split_list_oracle, keep, parts, border),
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
