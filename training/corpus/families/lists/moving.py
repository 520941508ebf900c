"""Elements moved within a list."""

from __future__ import annotations

from training.corpus.clauses import each, empty_guard, outcome, raising, when_empty
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "rotate_list rotated cycle_list turn_list",
    "items values xs elements",
    "k steps places n",
    direction=("left", "right"),
    empty=("[]", "None", "ValueError"),
)
def rotate_list(n: Names, direction: str, empty: str) -> Task:
    f, xs, k = n
    sign = "" if direction == "left" else "-"

    def oracle(values: list[int], steps: int) -> object:
        if not values:
            return [] if empty == "[]" else outcome(empty)
        for _ in range(steps):
            values = [*values[1:], values[0]] if direction == "left" else [values[-1], *values[:-1]]
        return values

    return Task(
        says=(
            f"return `{xs}` rotated by `{k}` places to the {direction}",
            f"rotate the list `{xs}` `{k}` steps to the {direction} and return the new list",
            f"move every element of `{xs}` `{k}` places to the {direction}, wrapping around at the end",
            f"return the elements of `{xs}` shifted {direction} in a circle by `{k}`",
            f"shift `{xs}` cyclically to the {direction} by `{k}` and return the result",
            f"turn the list `{xs}` `{k}` times to the {direction}; what falls off comes back on the other side",
        ),
        rules=(when_empty(xs, empty if empty != "[]" else "an empty list"),),
        code=(
            f"def {f}({xs}, {k}):\n{empty_guard(xs, empty)}    i = {sign}{k} % len({xs})\n"
            f"    return {xs}[i:] + {xs}[:i]"
        ),
        oracle=oracle,
        inputs=(
            ([], 1),
            ([1], 3),
            ([1, 2, 3], 1),
            ([1, 2, 3, 4], 2),
            ([1, 2, 3], 4),
            ([5, 6], 0),
            ([1, 2, 3, 4, 5], 2),
            (["a", "b", "c"], 5),
            ([9, 8, 7, 6], 3),
        ),
    )


@family(
    "reverse_part flip_part partly_reversed reverse_some",
    "items values xs elements",
    "k n count size",
    side=("first", "last"),
    rest=("keep", "drop"),
    order=("reversed", "sorted"),
)
def reverse_part(n: Names, side: str, rest: str, order: str) -> Task:
    f, xs, k = n
    part = f"{xs}[:{k}]" if side == "first" else f"{xs}[len({xs}) - {k}:]"
    other = f"{xs}[{k}:]" if side == "first" else f"{xs}[:len({xs}) - {k}]"
    changed = f"{part}[::-1]" if order == "reversed" else f"sorted({part})"
    body = changed if rest == "drop" else f"{changed} + {other}" if side == "first" else f"{other} + {changed}"
    ending = "followed by the rest" if side == "first" else "after the rest"
    whole = f", {ending}" if rest == "keep" else " and nothing else"

    def oracle(values: list[int], count: int) -> list[int]:
        cut = count if side == "first" else len(values) - count
        a, b = values[:cut], values[cut:]
        part, other = (a, b) if side == "first" else (b, a)
        part = list(reversed(part)) if order == "reversed" else sorted(part)
        return part if rest == "drop" else part + other if side == "first" else other + part

    return Task(
        says=(
            f"return the {side} `{k}` elements of `{xs}` {order}{whole}",
            f"build a list with the {side} `{k}` items of `{xs}` {order}{whole}",
            f"take `{xs}` and return its {side} `{k}` elements {order}{whole}",
            f"return a new list: the {side} `{k}` elements of `{xs}` {order}{whole}",
            f"give back the {side} `{k}` entries of `{xs}` {order}{whole}",
            f"produce a list of the {side} `{k}` values of `{xs}`, {order}{whole}",
        ),
        rules=(
            (
                f"`{k}` is at most the length of `{xs}`.",
                f"There are at least `{k}` elements.",
                f"You may assume that `{xs}` has `{k}` elements or more.",
            ),
        ),
        code=f"def {f}({xs}, {k}):\n    return {body}",
        oracle=oracle,
        inputs=(
            ([], 0),
            ([1], 1),
            ([1, 2, 3, 4], 2),
            ([4, 3, 2, 1], 2),
            ([3, 1, 2], 3),
            ([9, 7, 8, 6, 5], 3),
            ([2, 5, 1, 4], 3),
            ([5, 6], 0),
            ([8, 1, 9, 2, 7], 4),
        ),
    )


SWAP_ENDS_INPUTS = each(
    [],
    [1],
    [1, 2, 3, 4],
    [5, 6],
    ["a", "b", "c"],
    [0, 9, 8, 7, 6],
    [True, False],
    [3, 3, 4],
    ["x", "y", "z", "w"],
)


@family(
    "swap_ends exchange swap_two switch_places",
    "items values xs elements",
    places=("first and last", "first and second", "second and last", "last two"),
    short=("same", "None", "ValueError"),
)
def swap_ends(n: Names, places: str, short: str) -> Task:
    f, xs = n
    i, j = {"first and last": (0, -1), "first and second": (0, 1), "second and last": (1, -1), "last two": (-2, -1)}[
        places
    ]
    named = f"the {places} elements"
    stop = f"{xs}[:]" if short == "same" else short

    def oracle(values: list[object]) -> object:
        if len(values) < 2:
            return values if short == "same" else outcome(short)
        order = list(range(len(values)))
        order[i], order[j] = order[j], order[i]
        return [values[spot] for spot in order]

    return Task(
        says=(
            f"return a new list like `{xs}` with {named} swapped",
            f"swap {named} of `{xs}` and return the new list",
            f"exchange {named} in a copy of `{xs}` and return it",
            f"return the elements of `{xs}`, but with {named} in each other's place",
            f"copy `{xs}`, let {named} change places and return the copy",
            f"build a list from `{xs}` where {named} are exchanged",
        ),
        rules=(
            (
                f"If `{xs}` has fewer than two elements, return a copy of it.",
                "Fewer than two elements stay as they are.",
                "With fewer than two elements, nothing is swapped.",
            )
            if short == "same"
            else raising(f"`{xs}` has fewer than two elements", short)
            if short == "ValueError"
            else (
                f"If `{xs}` has fewer than two elements, return None.",
                "Return None if there are fewer than two elements.",
                "With fewer than two elements, the result is None.",
            ),
        ),
        code=f"""
def {f}({xs}):
    if len({xs}) < 2:
        {'raise ValueError("too few elements")' if short == "ValueError" else f"return {stop}"}
    out = {xs}[:]
    out[{i}], out[{j}] = out[{j}], out[{i}]
    return out
""",
        oracle=oracle,
        inputs=SWAP_ENDS_INPUTS,
    )


MOVE_ITEM_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 1),
    ([1], 1),
    ([1, 0, 2, 0, 3], 0),
    ([0, 1, 0, 2], 0),
    (["a", "b", "a", "c"], "a"),
    ([3, 4], 5),
    ([2, 2], 2),
    ([5, 4, 7, 4, 8], 4),
    ([9, 8, 9, 7], 9),
    ([6, 1, 6, 2, 6, 3], 6),
)


@family(
    "move_item move_to_end shift_value send_away",
    "items values xs elements",
    "value target item x",
    to=("front", "end"),
    which=("all", "first", "last"),
)
def move_item(n: Names, to: str, which: str) -> Task:
    f, xs, v = n
    named = {"all": f"all elements equal to `{v}`", "first": f"the first `{v}`", "last": f"the last `{v}`"}[which]
    if which == "all":
        body = (
            f"    rest = [e for e in {xs} if e != {v}]\n    moved = [e for e in {xs} if e == {v}]\n"
            f"    return {'moved + rest' if to == 'front' else 'rest + moved'}"
        )
    else:
        index = f"{xs}.index({v})" if which == "first" else f"len({xs}) - 1 - {xs}[::-1].index({v})"
        body = (
            f"    if {v} not in {xs}:\n        return {xs}[:]\n    i = {index}\n    rest = {xs}[:i] + {xs}[i + 1:]\n"
            f"    return {f'[{v}] + rest' if to == 'front' else f'rest + [{v}]'}"
        )

    def oracle(values: list[object], value: object) -> list[object]:
        spots = [i for i, x in enumerate(values) if x == value]
        spots = spots if which == "all" else spots[:1] if which == "first" else spots[-1:]
        rest = [x for i, x in enumerate(values) if i not in spots]
        return [value] * len(spots) + rest if to == "front" else rest + [value] * len(spots)

    return Task(
        says=(
            f"return a new list with {named} moved to the {to} of `{xs}`",
            f"move {named} to the {to} of `{xs}` and return the new list",
            f"return the elements of `{xs}`, but {named} at the {to}",
            f"put {named} in `{xs}` at the {to} and keep the others in order",
            f"bring {named} of `{xs}` to the {to}; the other elements keep their order",
            f"shift {named} of the list `{xs}` to the {to}",
        ),
        rules=(
            (
                f"If `{v}` does not occur, return the same elements.",
                f"A `{v}` that is not in `{xs}` changes nothing.",
                "Nothing changes if it is not there.",
            ),
        ),
        code=f"def {f}({xs}, {v}):\n{body}",
        oracle=oracle,
        inputs=MOVE_ITEM_INPUTS,
    )
