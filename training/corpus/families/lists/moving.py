"""Elements moved within a list."""

from __future__ import annotations

from collections import deque

from training.corpus.clauses import (
    empty_guard,
    guard,
    outcome,
    when_empty,
    when_it_fails,
    when_negative,
)
from training.corpus.registry import family
from training.corpus.types import Names, Task

ROTATE_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 1),
    ([1], 3),
    ([1, 2, 3], 1),
    ([1, 2, 3, 4], 2),
    ([1, 2, 3], 4),
    ([5, 6], 0),
    ([1, 2, 3, 4, 5], 2),
    (["a", "b", "c"], 5),
    ([9, 8, 7, 6], 3),
    ([4, 6, 8], -1),
    ([1, 2, 3, 4, 5], -7),
)


@family(
    "rotate_list rotated cycle_list turn_list",
    "items values xs elements",
    "k steps places n",
    direction=("left", "right"),
    empty=("[]", "None", "ValueError"),
    negative=("the other way", "None", "ValueError"),
)
def rotate_list(n: Names, direction: str, empty: str, negative: str) -> Task:
    f, xs, k = n
    other_way = negative == "the other way"
    check = "" if other_way else guard(f"{k} < 0", negative, f"{k} is negative")
    sign = "" if direction == "left" else "-"

    def oracle(values: list[int], steps: int) -> object:
        if not values:
            return [] if empty == "[]" else outcome(empty)
        if steps < 0 and not other_way:
            return outcome(negative)
        ring = deque(values)
        ring.rotate(steps if direction == "right" else -steps)
        return list(ring)

    return Task(
        says=(
            f"return `{xs}` rotated by `{k}` places to the {direction}",
            f"rotate the list `{xs}` `{k}` steps to the {direction} and return the new list",
            f"move every element of `{xs}` `{k}` places to the {direction}, wrapping around at the end",
            f"return the elements of `{xs}` shifted {direction} in a circle by `{k}`",
            f"shift `{xs}` cyclically to the {direction} by `{k}` and return the result",
            f"turn the list `{xs}` `{k}` times to the {direction}; what falls off comes back on the other side",
        ),
        rules=(
            when_empty(xs, empty if empty != "[]" else "an empty list"),
            (
                f"A negative `{k}` rotates the other way.",
                f"If `{k}` is negative, turn in the opposite direction.",
                f"With a negative `{k}`, go the other way round.",
            )
            if other_way
            else when_negative(k, negative),
        ),
        code=(
            f"def {f}({xs}, {k}):\n{empty_guard(xs, empty)}{check}    i = {sign}{k} % len({xs})\n"
            f"    return {xs}[i:] + {xs}[:i]"
        ),
        oracle=oracle,
        inputs=ROTATE_INPUTS,
    )


REVERSE_PART_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 0),
    ([1], 1),
    ([1, 2, 3, 4], 2),
    ([4, 3, 2, 1], 2),
    ([3, 1, 2], 3),
    ([9, 7, 8, 6, 5], 3),
    ([2, 5, 1, 4], 3),
    ([5, 6], 0),
    ([8, 1, 9, 2, 7], 4),
    ([6, 2, 4], 5),
    ([3, 9], 3),
)


def reverse_part_oracle(side: str, rest: str, order: str, values: list[int], count: int) -> list[int]:
    spots = range(count) if side == "first" else range(len(values) - count, len(values))
    part = [(i, x) for i, x in enumerate(values) if i in spots]
    part.sort(key=lambda pair: pair[1] if order == "sorted" else -pair[0])
    changed = [x for _, x in part]
    if rest == "drop":
        return changed
    others = [x for i, x in enumerate(values) if i not in spots]
    return changed + others if side == "first" else others + changed


@family(
    "reverse_part flip_part partly_reversed reverse_some",
    "items values xs elements",
    "k n count size",
    side=("first", "last"),
    rest=("keep", "drop"),
    order=("reversed", "sorted"),
    short=("all", "None", "ValueError"),
)
def reverse_part(n: Names, side: str, rest: str, order: str, short: str) -> Task:
    f, xs, k = n
    too_large = f"{k} > len({xs})"
    check = f"    {k} = min({k}, len({xs}))\n" if short == "all" else guard(too_large, short, f"{k} is too large")
    part = f"{xs}[:{k}]" if side == "first" else f"{xs}[len({xs}) - {k}:]"
    other = f"{xs}[{k}:]" if side == "first" else f"{xs}[:len({xs}) - {k}]"
    changed = f"{part}[::-1]" if order == "reversed" else f"sorted({part})"
    body = changed if rest == "drop" else f"{changed} + {other}" if side == "first" else f"{other} + {changed}"
    ending = "followed by the rest" if side == "first" else "after the rest"
    whole = f", {ending}" if rest == "keep" else " and nothing else"

    def oracle(values: list[int], count: int) -> object:
        if count not in range(len(values) + 1) and short != "all":
            return outcome(short)
        return reverse_part_oracle(side, rest, order, values, count)

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
                f"If there are fewer than `{k}` elements, take all of them.",
                f"If `{xs}` has fewer than `{k}` elements, this means all of them.",
                f"A `{k}` greater than the length means all elements.",
            )
            if short == "all"
            else when_it_fails(f"`{k}` is greater than the length of `{xs}`", short),
        ),
        code=f"def {f}({xs}, {k}):\n{check}    return {body}",
        oracle=oracle,
        inputs=REVERSE_PART_INPUTS,
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
    missing=("same", "None", "ValueError"),
)
def move_item(n: Names, to: str, which: str, missing: str) -> Task:
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
            f"    i = {index}\n    rest = {xs}[:i] + {xs}[i + 1:]\n"
            f"    return {f'[{v}] + rest' if to == 'front' else f'rest + [{v}]'}"
        )

    check = guard(f"{v} not in {xs}", f"{xs}[:]" if missing == "same" else missing, f"{v} is missing")

    def oracle(values: list[object], value: object) -> object:
        spots = [i for i, x in enumerate(values) if x == value]
        if not spots and missing != "same":
            return outcome(missing)
        spots = {"all": spots, "first": spots[:1], "last": spots[-1:]}[which]
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
            )
            if missing == "same"
            else when_it_fails(f"`{v}` is not in `{xs}`", missing),
        ),
        code=f"def {f}({xs}, {v}):\n{check}{body}",
        oracle=oracle,
        inputs=MOVE_ITEM_INPUTS,
    )
