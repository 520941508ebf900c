"""Distances, rectangles and triangles."""

from __future__ import annotations

import math
from functools import partial

from training.corpus.clauses import guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


def distance_oracle(kind: str, digits: int | None, size: str, a: tuple[float, ...], b: tuple[float, ...]) -> object:
    if len(a) != len(b) and size == "any":
        return outcome("ValueError")
    gaps = [max(a[i] - b[i], b[i] - a[i]) for i in range(len(a) if size == "any" else 2)]
    result = {
        "Euclidean": sum(g**2 for g in gaps) ** 0.5,
        "Manhattan": sum(gaps),
        "Chebyshev": sorted(gaps)[-1],
        "squared Euclidean": sum(g**2 for g in gaps),
    }[kind]
    return round(result, digits) if digits else result


def distance_says(p: str, q: str, kind: str, size: str) -> tuple[str, ...]:
    points = "the points" if size == "any" else "the points (tuples that begin with x and y, the rest is ignored)"
    return (
        f"return the {kind} distance between {points} `{p}` and `{q}`",
        f"compute the {kind} distance from `{p}` to `{q}`, {points.removeprefix('the ')}",
        f"calculate the {kind} distance of {points} `{p}` and `{q}`",
        f"determine how far {points} `{p}` and `{q}` are apart ({kind} distance)",
        f"take {points} `{p}` and `{q}` and return their {kind} distance",
        f"give the {kind} distance for {points} `{p}` and `{q}`",
    )


@family(
    "distance dist gap_between measure",
    "p a first start",
    "q b second end",
    kind=("Euclidean", "Manhattan", "Chebyshev", "squared Euclidean"),
    digits=(None, 1, 2, 3),
    size=("two", "any"),
)
def distance(n: Names, kind: str, digits: int | None, size: str) -> Task:
    f, p, q = n
    pairs = f"zip({p}, {q})" if size == "any" else f"zip({p}[:2], {q}[:2])"
    value = {
        "Euclidean": f"sum((x - y) ** 2 for x, y in {pairs}) ** 0.5",
        "Manhattan": f"sum(abs(x - y) for x, y in {pairs})",
        "Chebyshev": f"max(abs(x - y) for x, y in {pairs})",
        "squared Euclidean": f"sum((x - y) ** 2 for x, y in {pairs})",
    }[kind]
    value = f"round({value}, {digits})" if digits else value
    check = guard(f"len({p}) != len({q})", "ValueError", "dimensions differ") if size == "any" else ""
    more = (
        (((1, 2, 3), (1, 2)), ((0, 0, 0), (2, 3, 6))) if size == "any" else (((5, 5, 9), (1, 2, 3)), ((0, 1), (0, 7)))
    )
    return Task(
        says=distance_says(p, q, kind, size),
        rules=(
            *(
                [
                    (
                        f"Round to {digits} decimal place{'s' * (digits > 1)}.",
                        f"Round the result to {digits} decimal place{'s' * (digits > 1)}.",
                        f"The result has {digits} decimal place{'s' * (digits > 1)}.",
                    )
                ]
                if digits
                else []
            ),
            *([raising("they differ in length", "ValueError")] if size == "any" else []),
        ),
        code=f"def {f}({p}, {q}):\n{check}    return {value}",
        oracle=partial(distance_oracle, kind, digits, size),
        inputs=(
            ((0, 0), (0, 0)),
            ((1, 1), (4, 5)),
            ((-1, 2), (2, -2)),
            ((0, 0), (1, 1)),
            ((2, 7), (2, 3)),
            ((0.5, 1.25), (2.125, 3.0625)),
            ((10, 0), (0, 3)),
            *more,
        ),
    )


@family(
    "rectangle box_value rectangle_measure of_rectangle",
    "width w a breadth",
    "height h b length",
    what=("area", "perimeter", "diagonal", "aspect ratio", "half of the area"),
    bad=("ValueError", "None", "0"),
)
def rectangle(n: Names, what: str, bad: str) -> Task:
    f, w, h = n
    value = {
        "area": f"{w} * {h}",
        "perimeter": f"2 * ({w} + {h})",
        "diagonal": f"({w} ** 2 + {h} ** 2) ** 0.5",
        "aspect ratio": f"{w} / {h}",
        "half of the area": f"{w} * {h} / 2",
    }[what]
    named = {"aspect ratio": f"the ratio of `{w}` to `{h}`"}.get(what, f"{'the ' if what[0] != 'h' else ''}{what}")

    def oracle(x: float, y: float) -> object:
        if not (x > 0 and y > 0):
            return outcome(bad)
        return {
            "area": y * x,
            "perimeter": x + x + y + y,
            "diagonal": math.sqrt(x * x + y * y),
            "aspect ratio": x / y,
            "half of the area": x * y / 2,
        }[what]

    return Task(
        says=(
            f"return {named} of a rectangle with the sides `{w}` and `{h}`",
            f"compute {named} of the rectangle that is `{w}` wide and `{h}` high",
            f"calculate {named} of a rectangle from `{w}` and `{h}`",
            f"determine {named} of a rectangle measuring `{w}` by `{h}`",
            f"take the sides `{w}` and `{h}` of a rectangle and return {named}",
            f"give {named} for a rectangle of `{w}` times `{h}`",
        ),
        rules=(
            raising("a side is not positive", bad)
            if bad == "ValueError"
            else (
                f"If a side is not positive, return {bad}.",
                f"Return {bad} if a side is 0 or negative.",
                f"Sides that are not positive give {bad}.",
            ),
        ),
        code=f"def {f}({w}, {h}):\n{guard(f'{w} <= 0 or {h} <= 0', bad, 'sides must be positive')}    return {value}",
        oracle=oracle,
        inputs=((0, 1), (3, -2), (1, 1), (3, 4), (2, 5), (6, 8), (1.5, 2), (10, 1), (5, 12)),
    )


TRIANGLE_KIND_INPUTS: tuple[tuple[object, ...], ...] = (
    (0, 1, 1),
    (1, 2, 3),
    (2, 2, 2),
    (3, 3, 5),
    (3, 4, 5),
    (5, 4, 5),
    (-1, 2, 2),
    (7, 3, 3),
    (7, 5, 9),
    (6, 6, 6),
    (2, 8, 8),
)


def triangle_kind_says(n: Names, two: str, three: str, one: str) -> tuple[str, ...]:
    _, a, b, c = n
    return (
        (
            f"return {three} if all of the sides `{a}`, `{b}`, `{c}` are equal, {two} if two are equal and {one} "
            "if all differ"
        ),
        (
            f"classify the triangle with the sides `{a}`, `{b}` and `{c}`: {three} for three equal sides, {two} "
            f"for two, else {one}"
        ),
        (
            f"tell the kind of triangle that `{a}`, `{b}` and `{c}` form: {one} if no sides are equal, {two} if "
            f"two are, {three} if all three are"
        ),
        (
            f"look at the sides `{a}`, `{b}`, `{c}` of a triangle and return {three} (all equal), {two} (two "
            f"equal) or {one} (none equal)"
        ),
        (
            f"determine whether a triangle with sides `{a}`, `{b}` and `{c}` has three equal sides ({three}), two "
            f"({two}) or none ({one})"
        ),
        (
            f"give {three}, {two} or {one} for a triangle whose sides `{a}`, `{b}`, `{c}` are all equal, equal in "
            "two cases, or all different"
        ),
    )


@family(
    "triangle_kind triangle_type classify_triangle kind_of",
    "a x side1 first",
    "b y side2 second",
    "c z side3 third",
    names=("words", "numbers", "letters"),
    bad=("ValueError", "None", '"none"'),
)
def triangle_kind(n: Names, names: str, bad: str) -> Task:
    f, a, b, c = n
    three, two, one = {
        "words": ('"equilateral"', '"isosceles"', '"scalene"'),
        "numbers": ("3", "2", "0"),
        "letters": ('"E"', '"I"', '"S"'),
    }[names]

    def oracle(x: int, y: int, z: int) -> object:
        short, middle, long = sorted((x, y, z))
        if short <= 0 or short + middle <= long:
            return "none" if bad == '"none"' else outcome(bad)
        label = {1: three, 2: two, 3: one}[len({x, y, z})].strip('"')
        return int(label) if names == "numbers" else label

    return Task(
        says=triangle_kind_says(n, two, three, one),
        rules=(
            raising("they form no triangle", bad)
            if bad == "ValueError"
            else (
                f"If they form no triangle, return {bad}.",
                f"Return {bad} when there is no such triangle.",
                f"Sides that form no triangle give {bad}.",
            ),
        ),
        code=f"""
def {f}({a}, {b}, {c}):
    s = sorted([{a}, {b}, {c}])
    if s[0] <= 0 or s[0] + s[1] <= s[2]:
        {'raise ValueError("no triangle")' if bad == "ValueError" else f"return {bad}"}
    different = len(set(s))
    if different == 1:
        return {three}
    return {two} if different == 2 else {one}
""",
        oracle=oracle,
        inputs=TRIANGLE_KIND_INPUTS,
    )
