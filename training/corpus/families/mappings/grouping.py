"""Dicts built by counting, grouping and merging."""

from __future__ import annotations

from collections import Counter
from functools import partial

from training.corpus.clauses import each, ignoring_case, lower
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

GROUP_WORDS_INPUTS = each(
    [],
    ["a"],
    ["apple", "bob", "avocado"],
    ["on", "off", "Off", "in"],
    ["one", "two", "three", "to"],
    ["Cat", "cat", "dog", "do"],
    ["xyz", "xy"],
    ["tea", "ate", "eat", "Tea"],
)


def group_words_oracle(key: str, give: str, skip: str, words: list[str]) -> dict[object, object]:
    chosen = [w for w in words if skip == "nothing" or len(w) >= 3]
    keys = [
        {"first letter": w[:1], "last letter": w[len(w) - 1 :], "length": len(w), "lower case": w.lower()}[key]
        for w in chosen
    ]
    groups = {k: [w for w, other in zip(chosen, keys, strict=True) if other == k] for k in keys}
    return {k: v if give == "lists" else len(v) for k, v in groups.items()}


@family(
    "group_words group_by grouped bucket_words",
    "words names items strings",
    key=("first letter", "last letter", "length", "lower case"),
    give=("lists", "counts"),
    skip=("nothing", "short"),
)
def group_words(n: Names, key: str, give: str, skip: str) -> Task:
    f, ws = n
    by = {"first letter": "w[0]", "last letter": "w[-1]", "length": "len(w)", "lower case": "w.lower()"}[key]
    step = f"out.setdefault({by}, []).append(w)" if give == "lists" else f"out[{by}] = out.get({by}, 0) + 1"
    inner = f"        if len(w) > 2:\n            {step}" if skip == "short" else f"        {step}"
    what = {"lists": "the list of words", "counts": "the number of words"}[give]
    named = {
        "first letter": "each first letter",
        "last letter": "each last letter",
        "length": "each word length",
        "lower case": "each lower case word",
    }[key]
    that = {
        "first letter": "that begin with it",
        "last letter": "that end with it",
        "length": "that have it",
        "lower case": "that equal it apart from case",
    }[key]
    return Task(
        says=(
            f"return a dict that maps {named} to {what} in `{ws}` {that}",
            f"group the words in `{ws}`: the result maps {named} to {what} {that}",
            f"build a dict from {named} to {what} of `{ws}` {that}",
            f"go through `{ws}` and return a dict with {what} {that}, for {named}",
            (
                f"create a dict whose keys are {named.replace('each ', 'the ')}s and whose values are {what} of `{ws}` "
                f"{that}"
            ),
            f"arrange `{ws}` in a dict; {named} is mapped to {what} {that}",
        ),
        rules=(
            (
                "Skip words of one or two letters.",
                "Only words with more than 2 letters count.",
                "Ignore words shorter than 3 letters.",
            ),
        )
        if skip == "short"
        else (),
        code=f"def {f}({ws}):\n    out = {{}}\n    for w in {ws}:\n{inner}\n    return out",
        oracle=partial(group_words_oracle, key, give, skip),
        inputs=GROUP_WORDS_INPUTS,
    )


COUNT_ITEMS_INPUTS = each(
    [],
    ["a"],
    ["a", "b", "a"],
    ["A", "a", "B", "b", "b"],
    ["x", "x", "x", "y", "y"],
    ["Hi", "hi", "HI"],
    ["one", "two"],
)


def count_items_says(xs: str) -> tuple[str, ...]:
    return (
        f"count how often each string occurs in `{xs}` and return a dict",
        f"return a dict from each string in `{xs}` to its count",
        f"build a dict that says how many times each string appears in `{xs}`",
        f"tally the strings in `{xs}` in a dict",
        f"map every string of `{xs}` to the number of its occurrences",
        f"compute the frequency of each string in the list `{xs}`, as a dict",
    )


def count_items_rules(ignore: bool, least: int, order: str) -> tuple[Rule, ...]:
    return (
        (
            "Convert the strings to lower case before counting.",
            "Ignore case; the keys are in lower case.",
            "Count in lower case.",
        )
        if ignore
        else ignoring_case(False),
        *(
            [
                (
                    f"Leave out strings that occur fewer than {least} times.",
                    f"Only strings that occur at least {least} times are in the result.",
                    f"Drop counts below {least}.",
                )
            ]
            if least > 1
            else []
        ),
        ("The keys are in alphabetical order.", "Sort the keys.", "Order the dict by key.")
        if order == "sorted"
        else (
            "The keys are in order of first appearance.",
            "Keep the order of first appearance.",
            "Order the keys as they first appear.",
        ),
    )


@family(
    "count_items tally frequencies histogram",
    "items values words xs",
    ignore=(True, False),
    least=(1, 2, 3),
    order=("first", "sorted"),
)
def count_items(n: Names, ignore: bool, least: int, order: str) -> Task:
    f, xs = n
    key = f"x{lower(ignore)}"
    result = "out" if least == 1 else f"{{k: v for k, v in out.items() if v >= {least}}}"
    final = result if order == "first" else f"dict(sorted({'out' if least == 1 else result}.items()))"

    def oracle(words: list[str]) -> dict[str, int]:
        counts = Counter(w.lower() if ignore else w for w in words)
        return {w: counts[w] for w in (sorted(counts) if order == "sorted" else counts) if counts[w] >= least}

    tests = tuple(
        f"assert list({f}({words})) == {keys}"
        for words, keys in (
            (str(w).replace("'", '"'), str(list(oracle(w))).replace("'", '"'))
            for w in (["b", "a", "b", "a", "b", "a"], ["d", "D", "c", "d", "D", "c", "d", "C", "D"])
        )
    )
    return Task(
        says=count_items_says(xs),
        rules=count_items_rules(ignore, least, order),
        code=(
            f"def {f}({xs}):\n    out = {{}}\n    for x in {xs}:\n        out[{key}] = out.get({key}, 0) + 1\n"
            f"    return {final}"
        ),
        oracle=oracle,
        inputs=COUNT_ITEMS_INPUTS,
        tests=tests,
    )


MERGE_DICTS_INPUTS: tuple[tuple[object, ...], ...] = (
    ({}, {}),
    ({"a": 1}, {}),
    ({"a": 1}, {"a": 2}),
    ({"a": 5, "b": 1}, {"b": 3, "c": 4}),
    ({}, {"z": 9}),
    ({"x": 7}, {"x": 7, "y": 0}),
    ({"k": 8, "m": 2}, {"m": 1, "k": 9}),
    ({"p": 1}, {"q": 2}),
)


def merge_dicts_oracle(clash: str, only: str, x: dict[str, int], y: dict[str, int]) -> dict[str, object]:
    out: dict[str, object] = {}
    for k in [*x, *y]:
        if k in x and k in y:
            out[k] = {
                "first": x[k],
                "second": y[k],
                "sum": x[k] + y[k],
                "larger": sorted([x[k], y[k]])[1],
                "smaller": sorted([x[k], y[k]])[0],
                "list": [x[k], y[k]],
            }[clash]
        elif only == "all":
            out[k] = {**x, **y}[k]
    return out


@family(
    "merge_dicts combine merged join_dicts",
    "a first left base",
    "b second right other",
    clash=("first", "second", "sum", "larger", "smaller", "list"),
    only=("all", "shared"),
)
def merge_dicts(n: Names, clash: str, only: str) -> Task:
    f, a, b = n
    value = {
        "first": f"{a}[k]",
        "second": f"{b}[k]",
        "sum": f"{a}[k] + {b}[k]",
        "larger": f"max({a}[k], {b}[k])",
        "smaller": f"min({a}[k], {b}[k])",
        "list": f"[{a}[k], {b}[k]]",
    }[clash]
    shared = f"{{k: {value} for k in {a} if k in {b}}}"
    if only == "all":
        body = (
            f"    out = {{**{a}, **{b}}}\n    for k in {a}:\n        if k in {b}:\n            out[k] = {value}\n"
            "    return out"
        )
    else:
        body = f"    return {shared}"
    named = {
        "first": f"the value of `{a}`",
        "second": f"the value of `{b}`",
        "sum": "the sum of both values",
        "larger": "the larger value",
        "smaller": "the smaller value",
        "list": "a list of both values",
    }[clash]
    which = "all keys" if only == "all" else "only the keys that both have"
    return Task(
        says=(
            f"merge the dicts `{a}` and `{b}` into a new one with {which}",
            f"return a new dict with {which} of `{a}` and `{b}`",
            f"combine `{a}` and `{b}` in one dict that has {which}",
            f"build a dict from `{a}` and `{b}` with {which}",
            f"join the dicts `{a}` and `{b}`, keeping {which}",
            f"create one dict out of `{a}` and `{b}` that contains {which}",
        ),
        rules=(
            (
                f"For keys in both, take {named}.",
                f"A key that is in both gets {named}.",
                f"If both have a key, use {named}.",
            ),
        ),
        code=f"def {f}({a}, {b}):\n{body}",
        oracle=partial(merge_dicts_oracle, clash, only),
        inputs=MERGE_DICTS_INPUTS,
    )
