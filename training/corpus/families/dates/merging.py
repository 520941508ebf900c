"""Joining ranges of time."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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
    [(8, 9), (5, 3)],
    [(4, 1)],
)


def merge_ranges_oracle(near: tuple[bool, int], give: str, bad: str, ranges: list[tuple[int, int]]) -> object:
    touch, gap = near
    wrong = [x for x in ranges if x[0] > x[1]]
    if wrong and bad == "ValueError":
        return outcome(bad)
    out: list[tuple[int, int]] = []
    for low, high in sorted(x for x in ranges if x not in wrong):
        if out and (low < out[-1][1] + gap or (touch and low == out[-1][1] + gap)):
            out[-1] = (out[-1][0], sorted([out[-1][1], high])[1])
        else:
            out.append((low, high))
    return {"list": out, "count": len(out), "longest": max([len(range(*x)) for x in out] + [0])}[give]


def merge_ranges_rules(touch: bool, exact: str, give: str, bad: str) -> tuple[Rule, ...]:
    return (
        (
            f"Ranges that {exact} are merged as well.",
            f"Also merge ranges that {exact}.",
            f"If ranges {exact}, merge them, too.",
        )
        if touch
        else (
            f"Ranges that {exact} stay apart.",
            f"Do not merge ranges that {exact}.",
            f"If ranges {exact}, keep them apart.",
        ),
        *(
            [("The result is sorted.", "Sort the result by start.", "They come in ascending order.")]
            if give == "list"
            else []
        ),
        raising("a start is after its end", bad)
        if bad == "ValueError"
        else (
            "Skip ranges whose start is after their end.",
            "Leave out a range if its start is after its end.",
            "Ignore ranges with a start after their end.",
        ),
    )


@family(
    "merge_ranges join_intervals combine_spans union_of",
    "ranges spans intervals pairs",
    touch=(True, False),
    gap=(0, 1, 2),
    give=("list", "count", "longest"),
    bad=("ValueError", "skip"),
)
def merge_ranges(n: Names, touch: bool, gap: int, give: str, bad: str) -> Task:
    f, xs = n
    sign = "<=" if touch else "<"
    reach = f"out[-1][1] + {gap}" if gap else "out[-1][1]"
    result = {
        "list": "[tuple(x) for x in out]",
        "count": "len(out)",
        "longest": "max((b - a for a, b in out), default=0)",
    }[give]
    what = {
        "list": "the list of merged ranges",
        "count": "the number of merged ranges",
        "longest": "the length of the longest merged range (0 if there is none)",
    }[give]
    action = 'raise ValueError("start after end")' if bad == "ValueError" else "continue"
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
        rules=merge_ranges_rules(touch, exact, give, bad),
        code=f"""
def {f}({xs}):
    out = []
    for a, b in sorted({xs}):
        if a > b:
            {action}
        if out and a {sign} {reach}:
            out[-1][1] = max(out[-1][1], b)
        else:
            out.append([a, b])
    return {result}
""",
        oracle=partial(merge_ranges_oracle, (touch, gap), give, bad),
        inputs=MERGE_RANGES_INPUTS,
    )
