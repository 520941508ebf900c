"""Several lists put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from training.corpus.clauses import guard, outcome, raising, when_it_fails
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

LONGER = {
    "keep": (
        "What is left of the longer one goes to the end.",
        "Append the rest of the longer one.",
        "The rest of the longer one follows at the end.",
    ),
    "drop": (
        "Stop when the shorter one ends.",
        "What is left of the longer one is dropped.",
        "Leave out the rest of the longer one.",
    ),
}


def interleave_oracle(rest: str, start: str, one: Sequence[str], two: Sequence[str]) -> list[str]:
    k = min(len(one), len(two))
    out: list[str] = []
    for i in range(k):
        out += [one[i], two[i]] if start == "first" else [two[i], one[i]]
    return [*out, *one[k:], *two[k:]] if rest == "keep" else out


@family(
    "interleave alternate zip_lists weave",
    "a first left xs",
    "b second right ys",
    rest=("keep", "drop"),
    start=("first", "second"),
    kind=("list", "text"),
    alone=("join", "None", "ValueError"),
)
def interleave(n: Names, rest: str, start: str, kind: str, alone: str) -> Task:
    f, a, b = n
    x, y = (a, b) if start == "first" else (b, a)
    thing = "lists" if kind == "list" else "strings"
    collect = "out += [x, y]" if kind == "list" else "out += x + y"
    tail = f" + {a}[k:] + {b}[k:]" if rest == "keep" else ""
    head = f"    k = min(len({a}), len({b}))\n" if rest == "keep" else ""
    check = "" if alone == "join" else guard(f"not {a} or not {b}", alone, f"{a} or {b} is empty")

    def oracle(one: Sequence[str], two: Sequence[str]) -> object:
        if alone != "join" and min(len(one), len(two)) == 0:
            return outcome(alone)
        out = interleave_oracle(rest, start, one, two)
        return out if kind == "list" else "".join(out)

    pairs = (("", ""), ("a", ""), ("ab", "xy"), ("abc", "x"), ("a", "xyz"), ("", "pq"), ("12", "345"), ("hello", "HE"))
    return Task(
        says=(
            f"take elements from the {thing} `{a}` and `{b}` in turn, beginning with `{x}`, and return the result",
            f"interleave the {thing} `{a}` and `{b}`, starting with `{x}`",
            f"return the {thing} `{a}` and `{b}` woven into one, `{x}` first",
            f"alternate between the {thing} `{a}` and `{b}`; the first element comes from `{x}`",
            f"mix the {thing} `{a}` and `{b}` one by one, `{x}` going first",
            f"combine the {thing} `{a}` and `{b}` by alternating, with `{x}` in the lead",
        ),
        rules=(
            LONGER[rest],
            *(() if alone == "join" else (when_it_fails(f"`{a}` or `{b}` is empty", alone),)),
        ),
        code=f"""
def {f}({a}, {b}):
{check}    out = {"[]" if kind == "list" else '""'}
{head}    for x, y in zip({x}, {y}):
        {collect}
    return out{tail}
""",
        oracle=oracle,
        inputs=tuple((list(p), list(q)) if kind == "list" else (p, q) for p, q in pairs),
    )


COMBINE_TO_DICT_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], []),
    ([], [1]),
    (["a"], [1]),
    (["a", "b"], [1, 2]),
    (["a", "b"], [1]),
    (["x", "y", "z"], [7, 8]),
    (["a"], [3, 4]),
    (["Key", "key"], [5, 6]),
    (["p", "q"], []),
    (["r", "S"], [0, 9]),
    (["one", "two", "three"], [1, 2, 3]),
    (["", "Be"], [7, 1]),
    (["it", ""], [2]),
)


CASES: dict[str, Callable[[str], str]] = {"keep": str, "upper": str.upper, "lower": str.lower}


def combine_to_dict_oracle(missing: str, case: str, skip: bool, keys: list[str], values: list[int]) -> object:
    if missing == "ValueError" and len(keys) != len(values):
        return outcome(missing)
    filled = (
        values
        if missing in ("drop", "ValueError")
        else values + [{"None": None, "0": 0, '""': ""}[missing]] * len(keys)
    )
    pairs = {CASES[case](k): v for k, v in zip(keys, filled, strict=False)}
    if skip:
        pairs.pop("", None)
    return pairs


KEYS: dict[str, tuple[Rule, ...]] = {
    "keep": (),
    "upper": (("Write the keys in upper case.", "The keys become upper case.", "Convert keys to upper case."),),
    "lower": (("Write the keys in lower case.", "The keys become lower case.", "Convert keys to lower case."),),
}


@family(
    "combine_to_dict zip_dict pair_up make_mapping",
    "keys names labels fields",
    "values items numbers data",
    missing=("None", "0", '""', "drop", "ValueError"),
    case=("keep", "upper", "lower"),
    skip=(False, True),
)
def combine_to_dict(n: Names, missing: str, case: str, skip: bool) -> Task:
    f, ks, vs = n
    key = {"keep": "k", "upper": "k.upper()", "lower": "k.lower()"}[case]
    test = " if k" if skip else ""
    if missing in ("drop", "ValueError"):
        check = (
            f'    if len({ks}) != len({vs}):\n        raise ValueError("lengths differ")\n'
            if missing == "ValueError"
            else ""
        )
        body = f"{check}    return {{{key}: v for k, v in zip({ks}, {vs}){test}}}"
    else:
        body = f"    return {{{key}: {vs}[i] if i < len({vs}) else {missing} for i, k in enumerate({ks}){test}}}"
    wording = {
        "drop": (
            "If one list is longer, ignore the rest of it.",
            "Stop at the shorter list.",
            "What one list has too much is ignored.",
        ),
        "ValueError": raising("the lists differ in length", "ValueError"),
    }
    return Task(
        says=(
            f"return a dict that maps each of `{ks}` to the element of `{vs}` at the same position",
            f"combine the lists `{ks}` and `{vs}` into a dict",
            f"build a dict with `{ks}` as keys and `{vs}` as values",
            f"pair the elements of `{ks}` with those of `{vs}` in a dict",
            f"make a dict whose keys come from `{ks}` and whose values come from `{vs}`",
            f"turn `{ks}` and `{vs}` into one dict, key by key",
        ),
        rules=(
            wording.get(
                missing,
                (
                    f"Keys without a value get {missing}.",
                    f"If there are too few values, use {missing}.",
                    f"Where `{vs}` is too short, the value is {missing}.",
                ),
            ),
            *KEYS[case],
            ("Leave out empty keys.", "Skip keys that are empty.", "Drop empty keys.")
            if skip
            else ("Keep empty keys too.", "An empty key is a key too.", "Empty keys are allowed."),
        ),
        code=f"def {f}({ks}, {vs}):\n{body}",
        oracle=partial(combine_to_dict_oracle, missing, case, skip),
        inputs=COMBINE_TO_DICT_INPUTS,
    )
