"""Lists brought into another shape: flattened, or filled up to a length."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

FLATTEN_INPUTS = each(
    [],
    [[]],
    [[1], [None, "", 0]],
    [[2, 3], [1]],
    [["a", ""], ["", "b"]],
    [[0, 5], [5, 0]],
    [[None], [8, None]],
    [[4, 4, 4]],
    [[6, 2], [], [6]],
)


def flatten_oracle(skip: str, order: str, empty: str, rows: list[list[object]]) -> object:
    if not rows:
        return outcome(empty)
    unwanted = {"nothing": (), "None": (None,), "empty strings": ("",), "zeros": (0,)}[skip]
    out: list[object] = []
    for row in rows:
        for x in row:
            if not any(x is u or (x == u and type(x) is type(u)) for u in unwanted) and not (
                order == "unique" and x in out
            ):
                out.append(x)
    return out[::-1] if order == "reversed" else out


@family(
    "flatten flat_list unnest join_all",
    "rows lists nested groups",
    skip=("nothing", "None", "empty strings", "zeros"),
    order=("same", "reversed", "unique"),
    empty=("[]", "None", "ValueError"),
)
def flatten(n: Names, skip: str, order: str, empty: str) -> Task:
    f, xs = n
    test = {"nothing": "", "None": " if x is not None", "empty strings": ' if x != ""', "zeros": " if x != 0"}[skip]
    flat = f"[x for row in {xs} for x in row{test}]"
    body = {"same": flat, "reversed": f"{flat}[::-1]", "unique": f"list(dict.fromkeys({flat[1:-1]}))"}[order]
    rules: list[Rule] = (
        []
        if skip == "nothing"
        else [
            (
                f"Leave out {skip}.",
                f"Skip {skip}.",
                f"{skip[0].upper() + skip[1:]} are dropped.".replace("None are", "None is"),
            )
        ]
    )
    if order != "same":
        rules.append(
            {
                "reversed": ("Reverse the result.", "The result is in reverse order.", "Return it in reverse order."),
                "unique": (
                    "Keep only the first of equal elements.",
                    "Remove duplicates but keep the order.",
                    "Each element appears once, in order of appearance.",
                ),
            }[order]
        )
    if empty != "[]":
        rules.append(when_empty(xs, empty))
    check = "" if empty == "[]" else empty_guard(xs, empty)
    return Task(
        says=(
            f"flatten the list of lists `{xs}` into one list",
            f"return one list with all elements of the lists in `{xs}`",
            f"join the inner lists of `{xs}` into a single list",
            f"turn `{xs}`, a list of lists, into a flat list",
            f"collect the elements of every list in `{xs}` in one list",
            f"remove one level of nesting from `{xs}`",
        ),
        rules=tuple(rules),
        code=f"def {f}({xs}):\n{check}    return {body}",
        oracle=partial(flatten_oracle, skip, order, empty),
        inputs=FLATTEN_INPUTS,
    )


@family(
    "pad_list fill_list extend_to resize",
    "items values xs elements",
    "length size n width",
    fill=("0", "None", '""', "-1"),
    side=("start", "end"),
    long=("keep", "cut"),
)
def pad_list(n: Names, fill: str, side: str, long: str) -> Task:
    f, xs, k = n
    padding = f"[{fill}] * ({k} - len({xs}))"
    body = f"{padding} + {xs}" if side == "start" else f"{xs} + {padding}"
    cut = f"({body})[:{k}]" if long == "cut" else body
    named = "empty strings" if fill == '""' else fill

    def oracle(values: list[object], length: int) -> list[object]:
        values = list(values)
        while len(values) < length:
            values.insert(0 if side == "start" else len(values), {"0": 0, "None": None, '""': "", "-1": -1}[fill])
        return values[:length] if long == "cut" else values

    return Task(
        says=(
            f"return `{xs}` with {named} added at the {side} until it has `{k}` elements",
            f"pad the list `{xs}` with {named} at the {side} to the length `{k}`",
            f"fill `{xs}` up to `{k}` elements by adding {named} at the {side}",
            f"add {named} at the {side} of a copy of `{xs}` so that it has `{k}` elements",
            f"extend `{xs}` at its {side} with {named} to `{k}` elements and return the new list",
            f"make a list of `{k}` elements from `{xs}`, with {named} at the {side} for the missing ones",
        ),
        rules=(
            (
                f"If it is longer, cut it to `{k}` elements.",
                f"A longer list is cut after `{k}` elements.",
                f"Return only the first `{k}` elements of a longer list.",
            )
            if long == "cut"
            else ("A longer list stays as it is.", "If it is longer, return all of it.", "Never shorten it."),
        ),
        code=f"def {f}({xs}, {k}):\n    return {cut}",
        oracle=oracle,
        inputs=(
            ([], 2),
            ([], 0),
            ([1], 3),
            ([1, 2, 3], 2),
            ([1, 2], 2),
            (["a"], 2),
            ([7, 8, 9, 10], 1),
            ([5, 6], 5),
            ([3], 1),
        ),
    )
