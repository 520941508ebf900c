"""Records and fields chosen from a list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from training.corpus.clauses import empty_guard, outcome, raising, when_empty
from training.corpus.conditions import COMPARED
from training.corpus.families.records.data import PARTS, PEOPLE, SALES
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def pluck_oracle(missing: str, unique: bool, order: str, rows: list[dict[str, object]], key: str) -> object:
    out: list[object] = []
    for row in rows:
        if key not in row and missing == "skip":
            continue
        value = row[key] if key in row else outcome(missing)
        if not (unique and value in out):
            out.append(value)
    return sorted(out, key=str if missing == "None" else None) if order == "sorted" else out  # type: ignore[type-var,arg-type] # mixed values


def pluck_says(rs: str, k: str) -> tuple[str, ...]:
    return (
        f"return a list of the values of `{k}` in the dicts `{rs}`",
        f"collect the value of `{k}` from each dict in `{rs}`",
        f"take `{k}` from every dict in the list `{rs}` and return the values",
        f"return what stands under `{k}` in each of the `{rs}`",
        f"go through the dicts in `{rs}` and return the values for `{k}`",
        f"extract the values of the key `{k}` from the list of dicts `{rs}`",
    )


def pluck_rules(k: str, missing: str, unique: bool, order: str) -> tuple[Rule, ...]:
    return (
        {
            "None": (
                f"Dicts without `{k}` give None.",
                "If the key is missing, use None.",
                "A missing key counts as None.",
            ),
            "skip": (
                f"Skip dicts without `{k}`.",
                "Leave out dicts that lack the key.",
                "Ignore dicts without the key.",
            ),
            "0": (f"Dicts without `{k}` give 0.", "If the key is missing, use 0.", "A missing key counts as 0."),
            "KeyError": raising("a dict lacks the key", "KeyError"),
        }[missing],
        *([("Each value appears once.", "Remove duplicates.", "Do not repeat values.")] if unique else []),
        *(
            [
                (
                    "Sort them by their text, as str gives it." if missing == "None" else "Sort the values.",
                    "The result is sorted by the text of the values." if missing == "None" else "The result is sorted.",
                )
            ]
            if order == "sorted"
            else []
        ),
    )


@family(
    "pluck column values_of extract_field",
    "records rows items people",
    "key field name column_name",
    missing=("None", "skip", "0", "KeyError"),
    unique=(False, True),
    order=("same", "sorted"),
)
def pluck(n: Names, missing: str, unique: bool, order: str) -> Task:
    f, rs, k = n
    each_value = {
        "None": f"r.get({k}) for r in {rs}",
        "skip": f"r[{k}] for r in {rs} if {k} in r",
        "0": f"r.get({k}, 0) for r in {rs}",
        "KeyError": f"r[{k}] for r in {rs}",
    }[missing]
    body = f"[{each_value}]"
    if unique:
        body = f"list(dict.fromkeys({each_value}))"
    if order == "sorted":
        values = f"set({each_value})" if unique else f"[{each_value}]"
        body = f"sorted({values}{', key=str' if missing == 'None' else ''})"
    inputs = [
        ([], "a"),
        (PEOPLE, "name"),
        (PEOPLE, "city"),
        ([{"a": 2}, {"a": 1}, {"a": 2}], "a"),
        ([{"b": 7}], "b"),
        ([{"x": "q"}, {"x": "p"}], "x"),
        ([{"a": 3, "b": 1}, {"b": 0}, {"a": 3}], "a"),
        ([{"m": 4}, {"n": 2}], "m"),
        ([{"k": 9}, {"k": 9}, {"k": 8}], "k"),
    ]
    return Task(
        says=pluck_says(rs, k),
        rules=pluck_rules(k, missing, unique, order),
        code=f"def {f}({rs}, {k}):\n    return {body}",
        oracle=partial(pluck_oracle, missing, unique, order),
        inputs=tuple(inputs),
    )


FILTER_RECORDS_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a", 1),
    ([{"b": 1}], "a", 1),
    (PEOPLE, "age", 30),
    (PEOPLE, "age", 25),
    (PARTS, "price", 5),
    ([{"a": 1}, {"a": 2}, {"a": 3}], "a", 2),
    (SALES, "amount", 10),
    (SALES, "amount", 7),
    ([{"n": 4, "m": 1}, {"n": 6}], "n", 5),
)


@family(
    "filter_records find_records matching select_rows",
    "records rows items people",
    "key field name column",
    "value wanted target limit",
    op=("equal to", "different from", *COMPARED),
    give=("records", "count", "first"),
)
def filter_records(n: Names, op: str, give: str) -> Task:
    f, rs, k, v = n
    symbol = {"equal to": "==", "different from": "!="}.get(op) or COMPARED[op][0]
    test = f"{k} in r and r[{k}] {symbol} {v}"
    body = {
        "records": f"    return [r for r in {rs} if {test}]",
        "count": f"    return sum(1 for r in {rs} if {test})",
        "first": f"    for r in {rs}:\n        if {test}:\n            return r\n    return None",
    }[give]
    what = {"records": "the dicts", "count": "the number of dicts", "first": "the first dict"}[give]

    def oracle(rows: list[dict[str, int]], key: str, value: int) -> object:
        rank: dict[str, Callable[[int], bool]] = {
            "equal to": lambda x: x == value,
            "different from": lambda x: x != value,
        }
        hits = [r for r in rows if key in r and (rank[op](r[key]) if op in rank else COMPARED[op][1](r[key], value))]
        return len(hits) if give == "count" else hits if give == "records" else next(iter(hits), None)

    return Task(
        says=(
            f"return {what} in `{rs}` whose `{k}` is {op} `{v}`",
            f"find {what} in the list `{rs}` whose value for `{k}` is {op} `{v}`",
            f"search the dicts `{rs}` and return {what} whose `{k}` is {op} `{v}`",
            f"go through `{rs}` and return {what} whose entry `{k}` is {op} `{v}`",
            f"give {what} of `{rs}` in which `{k}` is {op} `{v}`",
            f"select {what} from `{rs}` whose `{k}` is {op} `{v}`",
        ),
        rules=(
            (
                f"Dicts without `{k}` do not match.",
                "A dict that lacks the key does not match.",
                f"Ignore dicts without `{k}`.",
            ),
            *(
                [("If there is none, return None.", "Return None if nothing matches.", "Without a match, return None.")]
                if give == "first"
                else []
            ),
        ),
        code=f"def {f}({rs}, {k}, {v}):\n{body}",
        oracle=oracle,
        inputs=FILTER_RECORDS_INPUTS,
    )


@family(
    "best_record pick_record extreme_row top_record",
    "records rows items people",
    "key field name column",
    which=("largest", "smallest"),
    tie=("first", "last"),
    empty=("None", "ValueError", "{}"),
)
def best_record(n: Names, which: str, tie: str, empty: str) -> Task:
    f, rs, k = n
    pick = "max" if which == "largest" else "min"
    source = rs if tie == "first" else f"reversed({rs})"

    def oracle(rows: list[dict[str, int]], key: str) -> object:
        if not rows:
            return {} if empty == "{}" else outcome(empty)
        wanted = sorted(r[key] for r in rows)[-1 if which == "largest" else 0]
        return [r for r in rows if r[key] == wanted][0 if tie == "first" else -1]

    return Task(
        says=(
            f"return the dict in `{rs}` with the {which} `{k}`",
            f"find the dict of the list `{rs}` whose `{k}` is the {which}",
            f"pick from `{rs}` the dict that has the {which} value for `{k}`",
            f"search the dicts `{rs}` for the one with the {which} `{k}`",
            f"determine which dict in `{rs}` has the {which} `{k}` and return it",
            f"give back the dict of `{rs}` in which `{k}` is {which}",
        ),
        rules=(
            (
                f"On a tie, take the {tie} one.",
                f"Of several, return the {tie}.",
                f"If there are several, the {tie} one wins.",
            ),
            when_empty(rs, empty if empty != "{}" else "an empty dict"),
        ),
        code=f"def {f}({rs}, {k}):\n{empty_guard(rs, empty)}    return {pick}({source}, key=lambda r: r[{k}])",
        oracle=oracle,
        inputs=(
            ([], "a"),
            ([{"a": 1}], "a"),
            (PEOPLE, "age"),
            (PEOPLE, "name"),
            (SALES, "amount"),
            (SALES, "item"),
            ([{"n": 2, "id": 1}, {"n": 2, "id": 2}, {"n": 3, "id": 3}, {"n": 3, "id": 4}], "n"),
            ([{"w": 0, "c": "x"}, {"w": -4, "c": "y"}, {"w": -4, "c": "z"}, {"w": 0, "c": "q"}], "w"),
        ),
    )
