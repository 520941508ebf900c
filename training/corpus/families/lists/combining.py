"""Several lists put together."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "interleave alternate zip_lists weave",
    "a first left xs",
    "b second right ys",
    rest=("keep", "drop"),
    start=("first", "second"),
    kind=("list", "text"),
)
def interleave(n: Names, rest: str, start: str, kind: str) -> Task:
    f, a, b = n
    x, y = (a, b) if start == "first" else (b, a)
    thing = "lists" if kind == "list" else "strings"
    collect = "out += [x, y]" if kind == "list" else "out += x + y"
    tail = f" + {a}[k:] + {b}[k:]" if rest == "keep" else ""
    head = f"    k = min(len({a}), len({b}))\n" if rest == "keep" else ""

    def oracle(one: list[str] | str, two: list[str] | str) -> object:
        k = min(len(one), len(two))
        out: list[str] = []
        for i in range(k):
            out += [one[i], two[i]] if start == "first" else [two[i], one[i]]
        out += [*one[k:], *two[k:]] if rest == "keep" else []
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
            (
                "What is left of the longer one goes to the end.",
                "Append the rest of the longer one.",
                "The rest of the longer one follows at the end.",
            )
            if rest == "keep"
            else (
                "Stop when the shorter one ends.",
                "What is left of the longer one is dropped.",
                "Leave out the rest of the longer one.",
            ),
        ),
        code=f"""
def {f}({a}, {b}):
    out = {"[]" if kind == "list" else '""'}
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
)


def combine_to_dict_oracle(missing: str, upper: bool, keys: list[str], values: list[int]) -> object:
    if missing == "ValueError" and len(keys) != len(values):
        return outcome(missing)
    filled = (
        values
        if missing in ("drop", "ValueError")
        else values + [{"None": None, "0": 0, '""': ""}[missing]] * len(keys)
    )
    return {(k.upper() if upper else k): v for k, v in zip(keys, filled, strict=False)}


@family(
    "combine_to_dict zip_dict pair_up make_mapping",
    "keys names labels fields",
    "values items numbers data",
    missing=("None", "0", '""', "drop", "ValueError"),
    upper=(False, True),
)
def combine_to_dict(n: Names, missing: str, upper: bool) -> Task:
    f, ks, vs = n
    key = "k.upper()" if upper else "k"
    if missing in ("drop", "ValueError"):
        check = (
            f'    if len({ks}) != len({vs}):\n        raise ValueError("lengths differ")\n'
            if missing == "ValueError"
            else ""
        )
        body = f"{check}    return {{{key}: v for k, v in zip({ks}, {vs})}}"
    else:
        body = f"    return {{{key}: {vs}[i] if i < len({vs}) else {missing} for i, k in enumerate({ks})}}"
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
            *(
                [("Write the keys in upper case.", "The keys become upper case.", "Convert keys to upper case.")]
                if upper
                else []
            ),
        ),
        code=f"def {f}({ks}, {vs}):\n{body}",
        oracle=partial(combine_to_dict_oracle, missing, upper),
        inputs=COMBINE_TO_DICT_INPUTS,
    )


FLATTEN_INPUTS = each(
    [],
    [[]],
    [[1], [None, "", 0]],
    [[2, 3], [1]],
    [["a", ""], ["", "b"]],
    [[0, 5], [5, 0]],
    [[None], [8, None]],
    [[4, 4, 4]],
    [[6, 2], [], [6]],
)


def flatten_oracle(skip: str, order: str, rows: list[list[object]]) -> object:
    unwanted = {"nothing": (), "None": (None,), "empty strings": ("",), "zeros": (0,)}[skip]
    out: list[object] = []
    for row in rows:
        for x in row:
            if not any(x is u or (x == u and type(x) is type(u)) for u in unwanted) and not (
                order == "unique" and x in out
            ):
                out.append(x)
    return out[::-1] if order == "reversed" else out


@family(
    "flatten flat_list unnest join_all",
    "rows lists nested groups",
    skip=("nothing", "None", "empty strings", "zeros"),
    order=("same", "reversed", "unique"),
)
def flatten(n: Names, skip: str, order: str) -> Task:
    f, xs = n
    test = {"nothing": "", "None": " if x is not None", "empty strings": ' if x != ""', "zeros": " if x != 0"}[skip]
    flat = f"[x for row in {xs} for x in row{test}]"
    body = {"same": flat, "reversed": f"{flat}[::-1]", "unique": f"list(dict.fromkeys({flat[1:-1]}))"}[order]
    rules = (
        []
        if skip == "nothing"
        else [
            (
                f"Leave out {skip}.",
                f"Skip {skip}.",
                f"{skip[0].upper() + skip[1:]} are dropped.".replace("None are", "None is"),
            )
        ]
    )
    if order != "same":
        rules.append(
            {
                "reversed": ("Reverse the result.", "The result is in reverse order.", "Return it in reverse order."),
                "unique": (
                    "Keep only the first of equal elements.",
                    "Remove duplicates but keep the order.",
                    "Each element appears once, in order of appearance.",
                ),
            }[order]
        )
    return Task(
        says=(
            f"flatten the list of lists `{xs}` into one list",
            f"return one list with all elements of the lists in `{xs}`",
            f"join the inner lists of `{xs}` into a single list",
            f"turn `{xs}`, a list of lists, into a flat list",
            f"collect the elements of every list in `{xs}` in one list",
            f"remove one level of nesting from `{xs}`",
        ),
        rules=tuple(rules),
        code=f"def {f}({xs}):\n    return {body}",
        oracle=partial(flatten_oracle, skip, order),
        inputs=FLATTEN_INPUTS,
    )


@family(
    "pad_list fill_list extend_to resize",
    "items values xs elements",
    "length size n width",
    fill=("0", "None", '""', "-1"),
    side=("start", "end"),
    long=("keep", "cut"),
)
def pad_list(n: Names, fill: str, side: str, long: str) -> Task:
    f, xs, k = n
    padding = f"[{fill}] * ({k} - len({xs}))"
    body = f"{padding} + {xs}" if side == "start" else f"{xs} + {padding}"
    cut = f"({body})[:{k}]" if long == "cut" else body
    named = "empty strings" if fill == '""' else fill

    def oracle(values: list[object], length: int) -> list[object]:
        values = list(values)
        while len(values) < length:
            values.insert(0 if side == "start" else len(values), {"0": 0, "None": None, '""': "", "-1": -1}[fill])
        return values[:length] if long == "cut" else values

    return Task(
        says=(
            f"return `{xs}` with {named} added at the {side} until it has `{k}` elements",
            f"pad the list `{xs}` with {named} at the {side} to the length `{k}`",
            f"fill `{xs}` up to `{k}` elements by adding {named} at the {side}",
            f"add {named} at the {side} of a copy of `{xs}` so that it has `{k}` elements",
            f"extend `{xs}` at its {side} with {named} to `{k}` elements and return the new list",
            f"make a list of `{k}` elements from `{xs}`, with {named} at the {side} for the missing ones",
        ),
        rules=(
            (
                f"If it is longer, cut it to `{k}` elements.",
                f"A longer list is cut after `{k}` elements.",
                f"Return only the first `{k}` elements of a longer list.",
            )
            if long == "cut"
            else ("A longer list stays as it is.", "If it is longer, return all of it.", "Never shorten it."),
        ),
        code=f"def {f}({xs}, {k}):\n    return {cut}",
        oracle=oracle,
        inputs=(
            ([], 2),
            ([], 0),
            ([1], 3),
            ([1, 2, 3], 2),
            ([1, 2], 2),
            (["a"], 2),
            ([7, 8, 9, 10], 1),
            ([5, 6], 5),
            ([3], 1),
        ),
    )
