"""Totals and indexes over records."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import outcome, raising
from training.corpus.families.records.data import PARTS, PEOPLE, SALES
from training.corpus.registry import family
from training.corpus.types import Names, Task

TOTAL_BY_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a", "b"),
    ([{"a": 1}], "a", "b"),
    (SALES, "item", "amount"),
    (PEOPLE, "city", "age"),
    ([{"g": "x", "n": 4}], "g", "n"),
    ([{"g": 1, "n": 2}, {"g": 1, "n": 6}, {"g": 0, "n": 5}], "g", "n"),
    ([{"k": "p", "v": 9}, {"k": "q", "v": 1}, {"k": "p", "v": -9}], "k", "v"),
    ([{"t": 1, "u": 2}, {"t": 1}], "t", "u"),
    ([{"d": 2, "e": 7}, {"d": 3, "e": 7}, {"d": 2, "e": 8}], "d", "e"),
)


def total_by_oracle(what: str, missing: str, rows: list[dict[str, int]], group: str, value: str) -> object:
    out: dict[object, object] = {}
    if missing == "skip":
        rows = [r for r in rows if group in r and value in r]
    for name in [r[group] for r in rows]:
        x = [r[value] for r in rows if r[group] == name]
        out[name] = {
            "sum": sum(x),
            "count": len(x),
            "largest": sorted(x)[-1],
            "smallest": sorted(x)[0],
            "average": sum(x) / len(x),
            "list": x,
        }[what]
    return out


@family(
    "total_by sum_by group_totals sums_per_group",
    "records rows sales items",
    "group key category by",
    "value field amount number",
    what=("sum", "count", "largest", "smallest", "average", "list"),
    missing=("KeyError", "skip"),
)
def total_by(n: Names, what: str, missing: str) -> Task:
    f, rs, g, v = n
    skip = f"        if {g} not in r or {v} not in r:\n            continue\n" if missing == "skip" else ""
    result = {
        "sum": "{k: sum(x) for k, x in out.items()}",
        "count": "{k: len(x) for k, x in out.items()}",
        "largest": "{k: max(x) for k, x in out.items()}",
        "smallest": "{k: min(x) for k, x in out.items()}",
        "average": "{k: sum(x) / len(x) for k, x in out.items()}",
        "list": "out",
    }[what]
    named = {
        "sum": "the sum of the",
        "count": "the number of",
        "largest": "the largest of the",
        "smallest": "the smallest of the",
        "average": "the average of the",
        "list": "the list of the",
    }[what]
    return Task(
        says=(
            f"group the dicts `{rs}` by `{g}` and return a dict with {named} `{v}` values of each group",
            f"return a dict that maps each value of `{g}` in `{rs}` to {named} `{v}` values there",
            f"compute {named} `{v}` values for every `{g}` in the list of dicts `{rs}`",
            f"build a dict from each `{g}` in `{rs}` to {named} `{v}` values",
            f"go through `{rs}` and return, for each `{g}`, {named} `{v}` values",
            f"determine per `{g}` {named} `{v}` values in `{rs}`, as a dict",
        ),
        rules=(
            raising("a dict lacks one of the keys", "KeyError")
            if missing == "KeyError"
            else (
                "Skip dicts that lack one of the keys.",
                "Ignore dicts in which a key is missing.",
                "Leave out dicts without both keys.",
            ),
        ),
        code=f"""
def {f}({rs}, {g}, {v}):
    out = {{}}
    for r in {rs}:
{skip}        out.setdefault(r[{g}], []).append(r[{v}])
    return {result}
""",
        oracle=partial(total_by_oracle, what, missing),
        inputs=TOTAL_BY_INPUTS,
    )


INDEX_BY_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a"),
    ([{"b": 1}], "a"),
    (PEOPLE, "name"),
    (PEOPLE, "city"),
    (PARTS, "kind"),
    (PARTS, "id"),
    ([{"a": 1, "z": 2}, {"a": 1, "z": 3}], "a"),
    (SALES, "item"),
    ([{"u": "x"}, {"u": "y"}], "u"),
    ([{"m": 1}, {"n": 2}, {"m": 3}], "m"),
    ([{"w": 5}], "w"),
    ([{"h": 1}, {"h": 2}], "h"),
)


def index_by_oracle(twice: str, missing: str, rows: list[dict[str, object]], key: str) -> object:
    if missing == "KeyError" and any(key not in r for r in rows):
        return outcome("KeyError")
    rows = [r for r in rows if key in r]
    out = {r[key]: [s for s in rows if s[key] == r[key]] for r in rows}
    if twice == "ValueError" and any(len(group) > 1 for group in out.values()):
        return outcome("ValueError")
    return out if twice == "list" else {name: group[0 if twice == "first" else -1] for name, group in out.items()}


@family(
    "index_by by_key lookup_table keyed",
    "records rows items people",
    "key field name column",
    twice=("last", "first", "list", "ValueError"),
    missing=("skip", "KeyError"),
)
def index_by(n: Names, twice: str, missing: str) -> Task:
    f, rs, k = n
    skip = f"        if {k} not in r:\n            continue\n" if missing == "skip" else ""
    step = {
        "last": f"out[r[{k}]] = r",
        "first": f"out.setdefault(r[{k}], r)",
        "list": f"out.setdefault(r[{k}], []).append(r)",
        "ValueError": f'if r[{k}] in out:\n            raise ValueError("value occurs twice")\n        out[r[{k}]] = r',
    }[twice]
    return Task(
        says=(
            f"return a dict that maps each value of `{k}` to its dict in `{rs}`",
            f"index the dicts `{rs}` by their `{k}`",
            f"build a dict from the value of `{k}` to the dict in `{rs}` that has it",
            f"turn the list of dicts `{rs}` into a dict keyed by `{k}`",
            f"make a lookup table of the dicts in `{rs}` by the value of `{k}`",
            f"create a dict of the `{rs}`, with the values of `{k}` as keys",
        ),
        rules=(
            {
                "last": (
                    "If a value occurs more than once, the last dict wins.",
                    "Of several dicts with the same value, keep the last.",
                    "On equal values the last dict stays.",
                ),
                "first": (
                    "If a value occurs more than once, the first dict wins.",
                    "Of several dicts with the same value, keep the first.",
                    "On equal values the first dict stays.",
                ),
                "list": (
                    "Each value maps to the list of its dicts.",
                    "Collect the dicts of a value in a list.",
                    "The values of the result are lists of dicts.",
                ),
                "ValueError": raising("a value occurs more than once", "ValueError"),
            }[twice],
            raising("a dict lacks the key", "KeyError")
            if missing == "KeyError"
            else (f"Skip dicts without `{k}`.", "Leave out dicts that lack the key.", "Ignore dicts without the key."),
        ),
        code=f"def {f}({rs}, {k}):\n    out = {{}}\n    for r in {rs}:\n{skip}        {step}\n    return out",
        oracle=partial(index_by_oracle, twice, missing),
        inputs=INDEX_BY_INPUTS,
    )
