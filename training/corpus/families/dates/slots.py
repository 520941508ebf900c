"""Ranges of time: overlaps, merges, free slots."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task

OVERLAPS_INPUTS: tuple[tuple[object, ...], ...] = (
    ((0, 0), (0, 0)),
    ((1, 3), (3, 5)),
    ((1, 4), (2, 6)),
    ((0, 10), (3, 7)),
    ((1, 2), (5, 6)),
    ((5, 9), (1, 5)),
    ((4, 8), (0, 6)),
    ((3, 1), (0, 9)),
    ((0, 9), (4, 2)),
)


def overlaps_oracle(touch: bool, give: str, bad: str, x: tuple[int, int], y: tuple[int, int]) -> object:
    if bad == "ValueError" and (x[0] > x[1] or y[0] > y[1]):
        return outcome(bad)
    low, high = sorted([x[0], y[0]])[1], sorted([x[1], y[1]])[0]
    hit = low < high or (touch and low == high)
    return {
        "bool": hit,
        "overlap": (low, high) if hit else None,
        "length": high - low if hit else -1 if touch else 0,
    }[give]


@family(
    "overlaps intersects ranges_overlap collide",
    "a first left span",
    "b second right other",
    touch=(True, False),
    give=("bool", "overlap", "length"),
    bad=("ValueError", "nothing"),
)
def overlaps(n: Names, touch: bool, give: str, bad: str) -> Task:
    f, a, b = n
    sign = "<=" if touch else "<"
    check = guard(f"{a}[0] > {a}[1] or {b}[0] > {b}[1]", "ValueError", "start after end") if bad == "ValueError" else ""
    low, high = f"max({a}[0], {b}[0])", f"min({a}[1], {b}[1])"
    body = {
        "bool": f"    return {low} {sign} {high}",
        "overlap": f"    low, high = {low}, {high}\n    return (low, high) if low {sign} high else None",
        "length": f"    low, high = {low}, {high}\n    return high - low if low {sign} high else {-1 if touch else 0}",
    }[give]
    what = {"bool": "whether", "overlap": "the part in which", "length": "the length of the part in which"}[give]
    none = {
        "bool": [],
        "overlap": [
            ("If they do not, return None.", "Return None if they do not.", "Without an overlap the result is None.")
        ],
        "length": [
            (
                f"If they do not, return {-1 if touch else 0}.",
                f"Return {-1 if touch else 0} if they do not.",
                f"Without an overlap the result is {-1 if touch else 0}.",
            )
        ],
    }[give]
    return Task(
        says=(
            f"return {what} the ranges `{a}` and `{b}` overlap; each is a (start, end) tuple",
            f"tell {what} two (start, end) tuples, `{a}` and `{b}`, overlap",
            f"compute {what} the intervals `{a}` and `{b}`, tuples of start and end, overlap",
            f"determine {what} `{a}` and `{b}`, two ranges given as (start, end), overlap",
            f"find out {what} the time spans `{a}` and `{b}` (tuples of start and end) overlap",
            f"look at the (start, end) tuples `{a}` and `{b}` and return {what} they overlap",
        ),
        rules=(
            *none,
            ("Ranges that only touch overlap.", "Touching counts as overlapping.", "A common end point is an overlap.")
            if touch
            else (
                "Ranges that only touch do not overlap.",
                "Touching does not count as overlapping.",
                "A common end point is no overlap.",
            ),
            *([raising("a start is after its end", "ValueError")] if bad == "ValueError" else []),
        ),
        code=f"def {f}({a}, {b}):\n{check}{body}",
        oracle=partial(overlaps_oracle, touch, give, bad),
        inputs=OVERLAPS_INPUTS,
    )


MERGE_RANGES_INPUTS = each(
    [],
    [(1, 2)],
    [(1, 3), (2, 5)],
    [(1, 2), (2, 4)],
    [(5, 6), (1, 2)],
    [(1, 2), (3, 4), (6, 7)],
    [(0, 10), (2, 3)],
    [(1, 4), (6, 8), (9, 11)],
    [(0, 1), (2, 3), (5, 6), (9, 9)],
)


def merge_ranges_oracle(touch: bool, gap: int, give: str, ranges: list[tuple[int, int]]) -> object:
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and (low < out[-1][1] + gap or (touch and low == out[-1][1] + gap)):
            out[-1] = (out[-1][0], sorted([out[-1][1], high])[1])
        else:
            out.append((low, high))
    return {"list": out, "count": len(out)}[give]


@family(
    "merge_ranges join_intervals combine_spans union_of",
    "ranges spans intervals pairs",
    touch=(True, False),
    gap=(0, 1, 2),
    give=("list", "count"),
)
def merge_ranges(n: Names, touch: bool, gap: int, give: str) -> Task:
    f, xs = n
    sign = "<=" if touch else "<"
    reach = f"out[-1][1] + {gap}" if gap else "out[-1][1]"
    result = {"list": "[tuple(x) for x in out]", "count": "len(out)"}[give]
    what = {"list": "the list of merged ranges", "count": "the number of merged ranges"}[give]
    near = "overlap" if gap == 0 else f"overlap or are less than {gap} apart"
    exact = "touch" if gap == 0 else f"are exactly {gap} apart"
    return Task(
        says=(
            f"merge the (start, end) tuples in `{xs}` that {near} and return {what}",
            f"join ranges of `{xs}` that {near}; each is a (start, end) tuple; return {what}",
            f"combine all intervals in `{xs}` (tuples of start and end) which {near} and return {what}",
            f"return {what} when those of the (start, end) tuples `{xs}` that {near} are joined",
            f"unite the ranges `{xs}`, tuples of start and end, where they {near}, and return {what}",
            f"compute {what} after joining the intervals in `{xs}` that {near}",
        ),
        rules=(
            (
                f"Ranges that {exact} are merged as well.",
                f"Also merge ranges that {exact}.",
                f"If ranges {exact}, merge them, too.",
            )
            if touch
            else (
                f"Ranges that only {exact} stay apart.",
                f"Do not merge ranges that {exact}.",
                f"If ranges {exact}, keep them apart.",
            ),
            *(
                [("The result is sorted.", "Sort the result by start.", "They come in ascending order.")]
                if give == "list"
                else []
            ),
        ),
        code=f"""
def {f}({xs}):
    out = []
    for a, b in sorted({xs}):
        if out and a {sign} {reach}:
            out[-1][1] = max(out[-1][1], b)
        else:
            out.append([a, b])
    return {result}
""",
        oracle=partial(merge_ranges_oracle, touch, gap, give),
        inputs=MERGE_RANGES_INPUTS,
    )


NEXT_SLOT_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 1),
    ([(0, 24)], 1),
    ([(9, 10)], 2),
    ([(8, 9), (10, 12)], 1),
    ([(0, 9), (11, 24)], 2),
    ([(10, 11)], 30),
    ([(0, 11)], 1),
    ([(9, 16)], 3),
    ([(12, 13), (8, 10)], 2),
    ([(0, 16)], 1),
    ([(8, 12)], 4),
    ([(0, 17)], 1),
    ([(0, 12)], 3),
    ([(8, 9), (11, 20)], 2),
)


def next_slot_oracle(start: int, end: int, missing: str, busy: list[tuple[int, int]], length: int) -> object:
    for hour in range(start, end - length + 1):
        if all(hour + length <= a or hour >= b for a, b in busy):
            return hour
    return outcome(missing)


@family(
    "next_slot first_free free_time find_gap",
    "busy meetings spans taken",
    "length minutes duration size",
    start=(0, 8, 9),
    end=(12, 17, 20),
    missing=("None", "-1", "ValueError"),
)
def next_slot(n: Names, start: int, end: int, missing: str) -> Task:
    f, xs, k = n
    final = f'raise {missing}("no room")' if missing == "ValueError" else f"return {missing}"
    return Task(
        says=(
            (
                f"return the first hour from {start} on at which `{k}` hours are free before {end}; `{xs}` has the "
                "busy (start, end) hours"
            ),
            (
                f"find the earliest start of `{k}` free hours between {start} and {end}, given the busy (start, end) "
                f"tuples `{xs}`"
            ),
            (
                f"look for `{k}` hours in a row between {start} and {end} that do not overlap the (start, end) tuples "
                f"in `{xs}` and return their start"
            ),
            (
                f"return when `{k}` free hours begin at the earliest, between {start} and {end}, if `{xs}` are the "
                "busy hours as (start, end)"
            ),
            (
                f"search the day from {start} to {end} for `{k}` hours outside the busy (start, end) ranges `{xs}` and "
                "return the first start"
            ),
            (
                f"determine the first start hour, {start} or later, of `{k}` hours that end by {end} and avoid the "
                f"ranges in `{xs}`"
            ),
        ),
        rules=(
            raising("there is no such time", missing)
            if missing == "ValueError"
            else (
                f"If there is none, return {missing}.",
                f"Return {missing} if no time is free.",
                f"Without a free time the result is {missing}.",
            ),
        ),
        code=f"""
def {f}({xs}, {k}):
    for t in range({start}, {end} - {k} + 1):
        if all(t + {k} <= a or t >= b for a, b in {xs}):
            return t
    {final}
""",
        oracle=partial(next_slot_oracle, start, end, missing),
        inputs=NEXT_SLOT_INPUTS,
    )
