"""Entries chosen from a dict."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, outcome, raising, when_empty
from training.corpus.conditions import COMPARED
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


@family(
    "filter_dict select_entries keep_entries pick_entries",
    "d mapping scores prices",
    op=COMPARED,
    limit=(0, 3, 5, 10, 50),
    give=("dict", "keys", "values"),
)
def filter_dict(n: Names, op: str, limit: int, give: str) -> Task:
    f, d = n
    symbol, holds = COMPARED[op]
    body = {
        "dict": f"{{k: v for k, v in {d}.items() if v {symbol} {limit}}}",
        "keys": f"[k for k, v in {d}.items() if v {symbol} {limit}]",
        "values": f"[v for v in {d}.values() if v {symbol} {limit}]",
    }[give]
    what = {"dict": "a dict of the entries", "keys": "a list of the keys", "values": "a list of the values"}[give]
    whose = "that are" if give == "values" else "with a value"

    def oracle(mapping: dict[str, int]) -> object:
        out = {k: mapping[k] for k in mapping if holds(mapping[k], limit)}
        return {"dict": out, "keys": list(out), "values": [out[k] for k in out]}[give]

    return Task(
        says=(
            f"return {what} in `{d}` {whose} {op} {limit}",
            f"build {what} of `{d}` {whose} {op} {limit}",
            f"go through `{d}` and return {what} {whose} {op} {limit}",
            f"filter the dict `{d}` and return {what} {whose} {op} {limit}",
            f"select {what} from `{d}` {whose} {op} {limit}",
            f"collect {what} of the dict `{d}` {whose} {op} {limit}",
        ),
        code=f"def {f}({d}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            {},
            {"a": limit},
            {"a": limit - 1, "b": limit, "c": limit + 1},
            {"x": 100, "y": -100},
            {"p": limit + 2, "q": limit + 2},
            {"k": limit - 2},
            {"m": 7, "n": 2, "o": 60},
            {"s": limit, "t": limit + 1, "u": 4},
        ),
    )


@family(
    "best_key key_of_max top_key winner",
    "d mapping scores votes",
    which=("largest", "smallest"),
    tie=("first", "alphabet"),
    empty=("None", '""', "ValueError"),
)
def best_key(n: Names, which: str, tie: str, empty: str) -> Task:
    f, d = n
    pick = "max" if which == "largest" else "min"
    source = d if tie == "first" else f"sorted({d})"

    def oracle(mapping: dict[str, int]) -> object:
        if not mapping:
            return outcome(empty)
        wanted = sorted(mapping.values())[-1 if which == "largest" else 0]
        keys = [k for k, v in mapping.items() if v == wanted]
        return keys[0] if tie == "first" else sorted(keys)[0]

    return Task(
        says=(
            f"return the key of `{d}` with the {which} value",
            f"find the key that has the {which} value in `{d}`",
            f"return which key of the dict `{d}` belongs to the {which} value",
            f"look up the {which} value in `{d}` and return its key",
            f"determine the key with the {which} value in the dict `{d}`",
            f"give the key whose value in `{d}` is the {which}",
        ),
        rules=(
            (
                "On a tie, take the first key.",
                "If there are several, return the first.",
                "Of several keys, the first one wins.",
            )
            if tie == "first"
            else (
                "On a tie, take the alphabetically first key.",
                "If there are several, return the smallest key.",
                "Of several keys, the first in alphabetical order wins.",
            ),
            when_empty(d, empty if empty != '""' else "an empty string"),
        ),
        code=f"def {f}({d}):\n{empty_guard(d, empty)}    return {pick}({source}, key={d}.get)",
        oracle=oracle,
        inputs=each(
            {},
            {"a": 1},
            {"b": 2, "a": 2, "c": 1},
            {"z": 0, "y": 0, "x": 5},
            {"m": 3, "l": 9, "k": 9},
            {"q": -1, "p": -1},
            {"one": 1, "two": 2},
            {"t": 4, "s": 8, "r": 4, "u": 8},
        ),
    )


PICK_KEYS_INPUTS: tuple[tuple[object, ...], ...] = (
    ({}, []),
    ({"a": 1}, []),
    ({"a": 1, "b": 2}, ["a"]),
    ({"a": 0, "b": None, "c": 3}, ["a", "c"]),
    ({"x": 1}, ["y"]),
    ({"p": 1, "q": 2, "r": ""}, ["q", "r"]),
    ({"k": "v"}, ["k"]),
    ({"m": 5}, ["m", "n"]),
    ({"s": [], "t": [1], "u": 7}, ["u"]),
)


def pick_keys_oracle(mode: str, missing: str, falsy: bool, mapping: dict[str, object], keys: list[str]) -> object:
    if missing == "KeyError" and set(keys) - set(mapping):
        return outcome("KeyError")
    if (mode, missing, keys) == ("drop", "None", []):
        return None
    if mode == "drop":
        picked = {k: v for k, v in mapping.items() if k not in keys}
    else:
        picked = {k: mapping.get(k) for k in keys if k in mapping or missing == "None"}
    return {k: v for k, v in picked.items() if falsy or v or k not in mapping}


def pick_keys_says(d: str, ks: str, mode: str) -> tuple[str, ...]:
    return (
        (
            f"return a new dict with only the `{ks}` of `{d}`",
            f"return the part of the dict `{d}` whose keys are in `{ks}`",
            f"pick the entries of `{d}` named in the list `{ks}`",
            f"select `{ks}` from `{d}` and return them as a dict",
            f"copy from `{d}` only the entries for `{ks}`",
            f"build a dict of those entries of `{d}` whose key is in `{ks}`",
        )
        if mode == "keep"
        else (
            f"return a new dict without the `{ks}` of `{d}`",
            f"return the part of the dict `{d}` whose keys are not in `{ks}`",
            f"remove the entries of `{d}` named in the list `{ks}` and return the new dict",
            f"drop `{ks}` from a copy of `{d}` and return it",
            f"copy from `{d}` everything except the entries for `{ks}`",
            f"build a dict of those entries of `{d}` whose key is not in `{ks}`",
        )
    )


def pick_keys_rules(d: str, ks: str, mode: str, missing: str, falsy: bool) -> tuple[Rule, ...]:
    rules: list[Rule] = (
        [
            (
                "Entries with a falsy value are left out.",
                "Leave out entries whose value is falsy.",
                "Also drop entries with a falsy value.",
            )
        ]
        if not falsy
        else []
    )
    if missing == "KeyError":
        rules.insert(0, raising(f"one of `{ks}` is not in `{d}`", "KeyError"))
    elif mode == "drop":
        rules.insert(
            0,
            (f"If `{ks}` is empty, return None.", f"Return None for an empty `{ks}`.", f"An empty `{ks}` gives None.")
            if missing == "None"
            else (f"Keys that `{d}` does not have are ignored.", "Ignore unknown keys.", "Unknown keys do not matter."),
        )
    else:
        rules.insert(
            0,
            (
                "Missing keys get the value None.",
                "A key that is missing is mapped to None.",
                "Use None for missing keys.",
            )
            if missing == "None"
            else ("Skip missing keys.", "Keys that are missing are left out.", "Ignore missing keys."),
        )
    return tuple(rules)


@family(
    "pick_keys select_keys subset only_keys",
    "d mapping data record",
    "keys names fields wanted",
    mode=("keep", "drop"),
    missing=("skip", "None", "KeyError"),
    falsy=(True, False),
)
def pick_keys(n: Names, mode: str, missing: str, falsy: bool) -> Task:
    f, d, ks = n
    check = ""
    if mode == "drop":
        body = f"{{k: v for k, v in {d}.items() if k not in {ks}{'' if falsy else ' and v'}}}"
        if missing == "KeyError":
            check = f"    for k in {ks}:\n        if k not in {d}:\n            raise KeyError(k)\n"
        elif missing == "None":
            check = f"    if not {ks}:\n        return None\n"
    else:
        source = {
            "skip": f"{d}[k] for k in {ks} if k in {d}{'' if falsy else f' and {d}[k]'}",
            "None": f"{d}.get(k) for k in {ks}{'' if falsy else f' if {d}.get(k, 1)'}",
            "KeyError": f"{d}[k] for k in {ks}{'' if falsy else f' if {d}[k]'}",
        }[missing]
        body = f"{{k: {source}}}"
    return Task(
        says=pick_keys_says(d, ks, mode),
        rules=pick_keys_rules(d, ks, mode, missing, falsy),
        code=f"def {f}({d}, {ks}):\n{check}    return {body}",
        oracle=partial(pick_keys_oracle, mode, missing, falsy),
        inputs=PICK_KEYS_INPUTS,
    )
