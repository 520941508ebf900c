"""Keys that may be missing, also in nested dicts."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def get_path_oracle(separator: str, missing: str, lists: bool, data: object, path: str) -> object:
    for part in path.split(separator):
        if lists and isinstance(data, list) and part.isdigit() and int(part) in range(len(data)):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            return outcome(missing)
    return data


def get_path_says(d: str, p: str, s: str) -> tuple[str, ...]:
    return (
        f"look up `{p}` in the nested dict `{d}`; the keys in `{p}` are separated by `{s}`",
        f"return the value at `{p}` in the nested dict `{d}`, where `{s}` separates the keys",
        f"follow the keys in `{p}`, split at `{s}`, through the nested dict `{d}` and return the value",
        f"split `{p}` at `{s}` and use the parts as keys into the nested dict `{d}`",
        f"fetch from `{d}`, a nested dict, what stands at `{p}` (keys joined by `{s}`)",
        f"walk down the nested dict `{d}` along `{p}`, whose keys have `{s}` between them",
    )


def get_path_rules(missing: str, lists: bool) -> tuple[Rule, ...]:
    return (
        raising("a key is missing", "KeyError")
        if missing == "KeyError"
        else (
            f"If a key is missing, return {missing}.",
            f"Return {missing} when a key is missing.",
            f"A missing key gives {missing}.",
        ),
        *(
            [
                (
                    "A number is an index if the value is a list.",
                    "In lists, a number is an index.",
                    "Numbers index into lists.",
                )
            ]
            if lists
            else []
        ),
    )


@family(
    "get_path lookup dig nested_value",
    "d data mapping tree",
    "path key name address",
    separator=(".", "/", ":"),
    missing=("None", "0", "KeyError"),
    lists=(False, True),
)
def get_path(n: Names, separator: str, missing: str, lists: bool) -> Task:
    f, d, p = n
    stop = "raise KeyError(part)" if missing == "KeyError" else f"return {missing}"
    index = (
        (
            "        if isinstance(value, list) and part.isdigit() and int(part) < len(value):\n"
            "            value = value[int(part)]\n            continue\n"
        )
        if lists
        else ""
    )
    s = separator
    tree: dict[str, object] = {"a": {"b": {"c": 7}}, "list": [4, {"x": 5}], "n": 3}
    return Task(
        says=get_path_says(d, p, s),
        rules=get_path_rules(missing, lists),
        code=f"""
def {f}({d}, {p}):
    value = {d}
    for part in {p}.split("{s}"):
{index}        if not isinstance(value, dict) or part not in value:
            {stop}
        value = value[part]
    return value
""",
        oracle=partial(get_path_oracle, separator, missing, lists),
        inputs=(
            ({}, "a"),
            (tree, "zz"),
            (tree, f"a{s}b{s}c"),
            (tree, f"a{s}b"),
            (tree, f"list{s}0"),
            (tree, f"n{s}x"),
            (tree, "n"),
            (tree, f"list{s}1{s}x"),
            ({"k": {"m": 1}}, f"k{s}m"),
            ({"k": {"m": 1}}, f"k{s}q"),
            ({"a.b": 1, "a/b": 2, "a:b": 3}, "a.b"),
            ({"a.b": 1, "a/b": 2, "a:b": 3}, "a/b"),
            ({"a.b": 1, "a/b": 2, "a:b": 3}, "a:b"),
        ),
    )


def missing_keys_oracle(required: tuple[str, ...], blank: str, give: str, data: dict[str, object]) -> object:
    gone = [k for k in required if k not in data or (blank == "missing" and data[k] in ("", 0, None))]
    if give == "raise":
        return outcome("KeyError") if gone else data
    return {"list": gone, "bool": gone == [], "count": len(gone)}[give]


def missing_keys_says(d: str, required: tuple[str, ...], give: str) -> tuple[str, ...]:
    keys = ", ".join(f"`{k}`" for k in required)
    what = {
        "list": "return a list of the missing ones",
        "bool": "return True if none is missing, else False",
        "count": "return how many are missing",
        "raise": "raise a KeyError for the first missing one, else return the dict",
    }[give]
    return (
        f"check that the dict `{d}` has the keys {keys} and {what}",
        f"look for the keys {keys} in the dict `{d}` and {what}",
        f"test the dict `{d}` for the keys {keys} and {what}",
        f"go through the keys {keys}, which the dict `{d}` must have, and {what}",
        f"validate that `{d}` contains {keys} as keys and {what}",
        f"compare the keys of the dict `{d}` with {keys} and {what}",
    )


@family(
    "missing_keys check_keys required_keys validate_record",
    "data record d form",
    required=(("id", "name"), ("name", "email"), ("x", "y"), ("user", "password", "age")),
    blank=("allowed", "missing"),
    give=("list", "bool", "raise", "count"),
)
def missing_keys(n: Names, required: tuple[str, ...], blank: str, give: str) -> Task:
    f, d = n
    listed = ", ".join(f'"{k}"' for k in required)
    test = f"k not in {d}" if blank == "allowed" else f"not {d}.get(k)"
    found = f"[k for k in [{listed}] if {test}]"
    body = {
        "list": f"    return {found}",
        "bool": f"    return not {found}",
        "count": f"    return len({found})",
        "raise": f"    for k in [{listed}]:\n        if {test}:\n            raise KeyError(k)\n    return {d}",
    }[give]
    full: dict[str, object] = {k: i + 1 for i, k in enumerate(required)}
    rows: tuple[dict[str, object], ...] = (
        {},
        full,
        dict.fromkeys(required, "v"),
        {required[0]: 5},
        {**full, "extra": 1},
        {**full, required[1]: ""},
        {**full, required[0]: None},
        {required[1]: 2, "other": 3},
        {"id": 1, "x": 2, "user": "u"},
        {**full, "more": 0},
        {k: [k] for k in reversed(required)},
        {**full, "a": None},
    )
    return Task(
        says=missing_keys_says(d, required, give),
        rules=(
            ("The value does not matter.", "Any value will do.", "Empty values are fine.")
            if blank == "allowed"
            else (
                "A falsy value counts as missing.",
                "A key with a falsy value is missing, too.",
                "Treat falsy values as missing.",
            ),
        ),
        code=f"def {f}({d}):\n{body}",
        oracle=partial(missing_keys_oracle, required, blank, give),
        inputs=each(*rows),
    )
