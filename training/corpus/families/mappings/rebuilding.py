"""A dict made anew: inverted, sorted, with other keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from training.corpus.clauses import each, outcome, raising
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task

INVERT_DICT_INPUTS = each(
    {},
    {"a": 1},
    {"a": 1, "b": 2},
    {"x": 5, "y": 5},
    {"p": 0, "q": 1, "r": 0},
    {"one": 1, "two": 2, "three": 3},
    {"k": 9},
    {"m": 3, "n": 4, "o": 3, "s": 3},
    {"u": 7, "v": 8},
)


def invert_dict_oracle(clash: str, keys: str, mapping: dict[str, int]) -> object:
    out: dict[object, object] = {}
    for k in mapping:
        v = str(mapping[k]) if keys == "text" else mapping[k]
        if v in out and clash == "ValueError":
            return outcome(clash)
        if clash == "list":
            out[v] = [*out.get(v, []), k]  # type: ignore[misc] # a list so far
        elif v not in out or clash == "last":
            out[v] = k
    return out


@family(
    "invert_dict invert swap_keys reverse_mapping",
    "d mapping data table",
    clash=("last", "first", "list", "ValueError"),
    keys=("keep", "text"),
)
def invert_dict(n: Names, clash: str, keys: str) -> Task:
    f, d = n
    key = "str(v)" if keys == "text" else "v"
    step = {
        "last": f"out[{key}] = k",
        "first": f"out.setdefault({key}, k)",
        "list": f"out.setdefault({key}, []).append(k)",
        "ValueError": f'if {key} in out:\n            raise ValueError("value occurs twice")\n        out[{key}] = k',
    }[clash]
    return Task(
        says=(
            f"return a dict with the keys and values of `{d}` swapped",
            f"swap keys and values of `{d}` and return the new dict",
            f"invert the dict `{d}`, so that values become keys",
            f"build a dict that maps each value of `{d}` to its key",
            f"turn `{d}` around: its values are the keys of the result",
            f"return the inverse of the mapping `{d}`",
        ),
        rules=(
            {
                "last": (
                    "If a value occurs more than once, the last key wins.",
                    "Of several keys with the same value, keep the last.",
                    "On equal values the last key stays.",
                ),
                "first": (
                    "If a value occurs more than once, the first key wins.",
                    "Of several keys with the same value, keep the first.",
                    "On equal values the first key stays.",
                ),
                "list": (
                    "Each value maps to the list of its keys.",
                    "Collect the keys of a value in a list.",
                    "The new values are lists of keys.",
                ),
                "ValueError": raising("a value occurs more than once", "ValueError"),
            }[clash],
            *(
                [("Convert the new keys to strings.", "The new keys are strings.", "Turn the new keys into strings.")]
                if keys == "text"
                else []
            ),
        ),
        code=f"def {f}({d}):\n    out = {{}}\n    for k, v in {d}.items():\n        {step}\n    return out",
        oracle=partial(invert_dict_oracle, clash, keys),
        inputs=INVERT_DICT_INPUTS,
    )


SORT_DICT_INPUTS = each(
    {},
    {"a": 1},
    {"b": 2, "a": 3},
    {"x": 1, "yy": 1, "a": 0},
    {"pear": 3, "fig": 9, "apple": 3},
    {"k": 5, "jj": 2, "iii": 7},
    {"m": -1, "l": 4},
)


def sort_dict_says(d: str, by: str, give: str) -> tuple[str, ...]:
    what = {"pairs": "a list of (key, value) tuples", "keys": "a list of the keys", "dict": "a new dict"}[give]
    return (
        f"sort the entries of `{d}` by {by} and return {what}",
        f"return {what} of `{d}`, sorted by {by}",
        f"order `{d}` by {by} and return {what}",
        f"build {what} from `{d}` in the order of {by}",
        f"give {what} for the dict `{d}`, ordered by {by}",
        f"put the entries of the dict `{d}` in order by {by}; the result is {what}",
    )


def sorted_keys(by: str, reverse: bool, mapping: dict[str, int]) -> list[str]:
    key: Callable[[str], Any] = {
        "key": lambda k: k,
        "value": lambda k: mapping[k],
        "length of the key": len,
        "value and, on a tie, key": lambda k: (mapping[k], k),
    }[by]
    return sorted(mapping, key=key, reverse=reverse)


def sort_dict_oracle(by: str, reverse: bool, give: str, mapping: dict[str, int]) -> object:
    keys = sorted_keys(by, reverse, mapping)
    return {"keys": keys, "pairs": [(k, mapping[k]) for k in keys], "dict": {k: mapping[k] for k in keys}}[give]


def sort_dict_tests(f: str, by: str, reverse: bool) -> tuple[str, ...]:
    mappings = (
        {"b": 2, "a": 2, "c": 2, "ccc": 1},
        {"a": 3, "b": 3},
        {"x": 1, "yy": 3, "z": 2},
        {"q": 5, "pp": 5, "r": 9},
        {"ab": 4, "c": 7, "aa": 4},
    )
    return tuple(f"assert list({f}({literal(m)})) == {literal(sorted_keys(by, reverse, m))}" for m in mappings)


@family(
    "sort_dict sorted_items order_dict ranked",
    "d mapping scores counts",
    by=("key", "value", "length of the key", "value and, on a tie, key"),
    reverse=(False, True),
    give=("pairs", "keys", "dict"),
)
def sort_dict(n: Names, by: str, reverse: bool, give: str) -> Task:
    f, d = n
    key = {
        "key": "kv[0]",
        "value": "kv[1]",
        "length of the key": "len(kv[0])",
        "value and, on a tie, key": "(kv[1], kv[0])",
    }[by]
    ordered = f"sorted({d}.items(), key=lambda kv: {key}{', reverse=True' if reverse else ''})"
    body = {"pairs": ordered, "keys": f"[k for k, v in {ordered}]", "dict": f"dict({ordered})"}[give]
    order = "descending" if reverse else "ascending"
    return Task(
        says=sort_dict_says(d, by, give),
        rules=((f"The order is {order}.", f"Use {order} order.", f"Sort in {order} order."),),
        code=f"def {f}({d}):\n    return {body}",
        oracle=partial(sort_dict_oracle, by, reverse, give),
        inputs=SORT_DICT_INPUTS,
        tests=sort_dict_tests(f, by, reverse) if give == "dict" else (),
    )


RENAME_KEYS_INPUTS = each(
    {},
    {"a": 1},
    {"Name": "x", "age": 3},
    {"first name": {"In Side": 2}},
    {"Z": None, "y y": []},
    {"k": {"L": {"M m": 1}}},
    {"two words": 2, "OK": True},
    {"q": "Q"},
)


@family(
    "rename_keys change_keys map_keys new_keys",
    "d mapping data record",
    how=("upper case", "lower case", "no spaces", "prefix x_", "prefix my_", "suffix _old", "suffix _new"),
    nested=(False, True),
)
def rename_keys(n: Names, how: str, nested: bool) -> Task:
    f, d = n
    place, _, mark = how.partition(" ")
    key = {
        "upper": "k.upper()",
        "lower": "k.lower()",
        "prefix": f'"{mark}" + k',
        "suffix": f'k + "{mark}"',
        "no": 'k.replace(" ", "_")',
    }[place]
    named = {
        "upper": "every key converted to upper case",
        "lower": "every key converted to lower case",
        "prefix": f"`{mark}` put before every key",
        "suffix": f"`{mark}` put after every key",
        "no": "spaces in the keys replaced by underscores",
    }[place]
    value = f"{f}(v) if isinstance(v, dict) else v" if nested else "v"

    def change(k: str) -> str:
        return {
            "upper": k.upper(),
            "lower": k.lower(),
            "prefix": f"{mark}{k}",
            "suffix": f"{k}{mark}",
            "no": "_".join(k.split(" ")),
        }[place]

    def oracle(mapping: dict[str, object]) -> dict[str, object]:
        return {change(k): oracle(v) if nested and isinstance(v, dict) else v for k, v in mapping.items()}

    return Task(
        says=(
            f"return a copy of the dict `{d}` with {named}",
            f"return a new dict like `{d}` but with {named}",
            f"build a dict with the values of `{d}` and {named}",
            f"take `{d}` and return it with {named}",
            f"copy the dict `{d}`, with {named}",
            f"create a dict from `{d}` with {named}",
        ),
        rules=(("Do the same in nested dicts.", "Nested dicts are changed as well.", "Apply it to dicts inside, too."),)
        if nested
        else (("Values stay as they are.", "Do not change the values.", "The values are not changed."),),
        code=f"def {f}({d}):\n    return {{{key}: {value} for k, v in {d}.items()}}",
        oracle=oracle,
        inputs=RENAME_KEYS_INPUTS,
    )
