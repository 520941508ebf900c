"""Elements taken out: values, empty entries, duplicates."""

from __future__ import annotations

from training.corpus.clauses import each, guard, keeping_order, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task

REMOVE_VALUE_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], 1),
    ([1], 1),
    ([1, 2, 1, 3], 1),
    (["a", "b", "a"], "a"),
    ([4, 5], 6),
    ([2, 2, 2], 2),
    ([0, 7, 0, 7], 7),
    (["x", "y"], "y"),
    ([3, 1, 3], 3),
    ([5], 4),
)


@family(
    "remove_value without drop_value delete_item",
    "items values xs elements",
    "value item target x",
    which=("all", "first", "last"),
    missing=("same", "ValueError"),
)
def remove_value(n: Names, which: str, missing: str) -> Task:
    f, xs, v = n
    check = (
        guard(f"{v} not in {xs}", "ValueError", f"{v} is missing")
        if missing == "ValueError"
        else guard(f"{v} not in {xs}", xs, "")
        if which != "all"
        else ""
    )
    index = f"{xs}.index({v})" if which == "first" else f"len({xs}) - 1 - {xs}[::-1].index({v})"
    body = (
        f"    return [e for e in {xs} if e != {v}]"
        if which == "all"
        else f"    i = {index}\n    return {xs}[:i] + {xs}[i + 1:]"
    )
    which_one = {"all": "every occurrence", "first": "the first occurrence", "last": "the last occurrence"}[which]

    def oracle(values: list[object], value: object) -> object:
        spots = [i for i, x in enumerate(values) if x == value]
        if not spots:
            return values if missing == "same" else outcome(missing)
        gone = {"all": spots, "first": spots[:1], "last": spots[-1:]}[which]
        return [x for i, x in enumerate(values) if i not in gone]

    return Task(
        says=(
            f"return a new list with {which_one} of `{v}` removed from `{xs}`",
            f"remove {which_one} of `{v}` from `{xs}` and return the new list",
            f"return `{xs}` without {which_one} of `{v}`",
            f"delete {which_one} of `{v}` in `{xs}` and return the result",
            f"leave out {which_one} of `{v}` and return the other elements of `{xs}`",
            f"build a list of the elements of `{xs}` that lacks {which_one} of `{v}`",
        ),
        rules=(
            raising(f"`{v}` is not in `{xs}`", missing)
            if missing == "ValueError"
            else (
                f"If `{v}` is not in `{xs}`, the list stays the same.",
                f"A `{v}` that does not occur changes nothing.",
                f"When `{v}` is missing, return the same elements.",
            ),
            (f"Do not change `{xs}` itself.", f"`{xs}` must not be modified.", f"Leave `{xs}` unchanged."),
        ),
        code=f"def {f}({xs}, {v}):\n{check}{body}",
        oracle=oracle,
        inputs=REMOVE_VALUE_INPUTS,
    )


DROP_EMPTY_INPUTS = each(
    [],
    [None],
    [""],
    [1, None, 2],
    ["a", "", "b"],
    [0, 5, 0],
    [None, "", 3],
    ["", 0, None, "x"],
    [7, 8],
    ["z", None, 0, "w", ""],
)


@family(
    "drop_empty remove_empty compact clean_list",
    "items values xs entries",
    what=("None", "empty strings", "zeros", "falsy values", "None and empty strings"),
    give=("values", "count"),
)
def drop_empty(n: Names, what: str, give: str) -> Task:
    f, xs = n
    test = {
        "None": "x is not None",
        "empty strings": 'x != ""',
        "zeros": "x != 0",
        "falsy values": "x",
        "None and empty strings": 'x is not None and x != ""',
    }[what]
    gone = {
        "None": (None,),
        "empty strings": ("",),
        "zeros": (0,),
        "falsy values": (None, "", 0, False),
        "None and empty strings": (None, ""),
    }[what]
    entries = {"None": "None entries", "zeros": "zeros"}.get(what, what)
    if give == "count":
        says = (
            f"count the elements of `{xs}`, leaving out {entries}",
            f"return how many elements `{xs}` has without {entries}",
            f"return the number of entries in `{xs}`, not counting {entries}",
            f"tell how many items of `{xs}` remain when {entries} are left out",
            f"compute the length of `{xs}` without its {entries}",
            f"ignore {entries} in `{xs}` and count the others",
        )
    else:
        says = (
            f"return `{xs}` without {entries}",
            f"remove {entries} from `{xs}` and return the new list",
            f"return a list of the elements of `{xs}`, leaving out {entries}",
            f"filter {entries} out of `{xs}`",
            f"drop all {entries} in `{xs}` and return what remains",
            f"clean `{xs}` by throwing away {entries}",
        )
    return Task(
        says=says,
        code=(
            f"def {f}({xs}):\n    return "
            f"{f'[x for x in {xs} if {test}]' if give == 'values' else f'sum(1 for x in {xs} if {test})'}"
        ),
        oracle=lambda values: (len if give == "count" else list)([x for x in values if x not in gone]),
        inputs=DROP_EMPTY_INPUTS,
    )


@family(
    "deduplicate unique distinct without_duplicates",
    "items values xs entries",
    keep=("first", "last"),
    key=("itself", "lower", "length"),
)
def deduplicate(n: Names, keep: str, key: str) -> Task:
    f, xs = n
    by = {"itself": "x", "lower": "x.lower()", "length": "len(x)"}[key]
    same = {"itself": "equal", "lower": "equal apart from case", "length": "of the same length"}[key]
    source, result = (xs, "out") if keep == "first" else (f"reversed({xs})", "out[::-1]")

    def oracle(values: list[str]) -> list[str]:
        keys = [{"itself": x, "lower": x.lower(), "length": str(len(x))}[key] for x in values]
        first = [i for i, k in enumerate(keys) if k not in (keys[:i] if keep == "first" else keys[i + 1 :])]
        return [values[i] for i in first]

    return Task(
        says=(
            f"remove duplicates from the strings `{xs}`; two strings are duplicates if they are {same}",
            f"return the strings of `{xs}` without duplicates, which are strings that are {same}",
            f"return a list in which no two strings of `{xs}` are {same}",
            f"keep only one of the strings in `{xs}` that are {same}",
            f"drop repeated strings from `{xs}`, where repeated means {same}",
            f"make the strings in `{xs}` unique, so that no two are {same}",
        ),
        rules=(
            (f"Keep the {keep} of them.", f"The {keep} occurrence stays.", f"Of duplicates, the {keep} one remains."),
            keeping_order(),
        ),
        code=f"""
def {f}({xs}):
    seen = set()
    out = []
    for x in {source}:
        if {by} not in seen:
            seen.add({by})
            out.append(x)
    return {result}
""",
        oracle=oracle,
        inputs=each(
            [],
            ["a"],
            ["a", "b", "a"],
            ["A", "a", "B"],
            ["one", "two", "three", "one"],
            ["x", "X", "x"],
            ["dog", "Dog", "cat", "horse"],
            ["aa", "b", "b", "AA"],
        ),
    )
