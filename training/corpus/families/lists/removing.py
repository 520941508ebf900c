"""Elements taken out: values, empty entries, duplicates."""

from __future__ import annotations

from training.corpus.clauses import (
    each,
    empty_guard,
    guard,
    ignoring_case,
    keeping_order,
    lower,
    outcome,
    when_empty,
    when_it_fails,
)
from training.corpus.registry import family
from training.corpus.types import Names, Task

REMOVE_VALUE_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a"),
    (["a"], "a"),
    (["a", "b", "a", "c"], "a"),
    (["b", "A", "b"], "a"),
    (["dog", "cat"], "bird"),
    (["x", "X", "x"], "x"),
    (["x", "X", "x"], "X"),
    (["No", "yes", "no", "yes", "NO"], "no"),
    (["p", "q", "P", "q", "p"], "p"),
    (["ok"], "OK"),
    (["T", "u", "t", "v", "T"], "t"),
)


@family(
    "remove_value without drop_value delete_item",
    "words strings texts names",
    "value item target word",
    which=("all", "first", "last"),
    ignore_case=(False, True),
    missing=("same", "None", "ValueError"),
)
def remove_value(n: Names, which: str, ignore_case: bool, missing: str) -> Task:
    f, xs, v = n
    low = lower(ignore_case)
    check = "" if missing == "same" else guard("not spots", missing, f"{v} is missing")
    gone = {"all": "spots", "first": "spots[:1]", "last": "spots[-1:]"}[which]
    which_one = {"all": "every occurrence", "first": "the first occurrence", "last": "the last occurrence"}[which]

    def oracle(values: list[str], value: str) -> object:
        same = [x == value or (ignore_case and x.upper() == value.upper()) for x in values]
        if True not in same:
            return values if missing == "same" else outcome(missing)
        if which == "all":
            return [x for x, hit in zip(values, same, strict=True) if not hit]
        spot = same.index(True) if which == "first" else max(i for i, hit in enumerate(same) if hit)
        return [*values[:spot], *values[spot + 1 :]]

    return Task(
        says=(
            f"return a new list with {which_one} of `{v}` removed from the strings `{xs}`",
            f"remove {which_one} of the string `{v}` from `{xs}` and return the new list",
            f"return the strings `{xs}` without {which_one} of `{v}`",
            f"delete {which_one} of `{v}` in the list of strings `{xs}` and return the result as a new list",
            f"leave out {which_one} of the text `{v}` and return the other elements of `{xs}`",
            f"build a list of the strings of `{xs}` that lacks {which_one} of `{v}`",
        ),
        rules=(
            ignoring_case(ignore_case),
            when_it_fails(f"`{v}` is not in `{xs}`", missing)
            if missing != "same"
            else (
                f"If `{v}` is not in `{xs}`, the list stays the same.",
                f"A `{v}` that does not occur changes nothing.",
                f"When `{v}` is missing, return the same elements.",
            ),
        ),
        code=f"""
def {f}({xs}, {v}):
    spots = [i for i, x in enumerate({xs}) if x{low} == {v}{low}]
{check}    return [x for i, x in enumerate({xs}) if i not in {gone}]
""",
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


def drop_empty_says(xs: str, what: str, give: str) -> tuple[str, ...]:
    entries = {"None": "None entries", "zeros": "zeros"}.get(what, what)
    if give == "count":
        return (
            f"count the elements of `{xs}`, leaving out {entries}",
            f"return how many elements `{xs}` has without {entries}",
            f"return the number of entries in `{xs}`, not counting {entries}",
            f"tell how many items of `{xs}` remain when {entries} are left out",
            f"compute the length of `{xs}` without its {entries}",
            f"ignore {entries} in `{xs}` and count the others",
        )
    return (
        f"return `{xs}` without {entries}",
        f"remove {entries} from `{xs}` and return the new list",
        f"return a list of the elements of `{xs}`, leaving out {entries}",
        f"filter {entries} out of `{xs}`",
        f"drop all {entries} in `{xs}` and return what remains",
        f"clean `{xs}` by throwing away {entries}",
    )


@family(
    "drop_empty remove_empty compact clean_list",
    "items values xs entries",
    what=("None", "empty strings", "zeros", "falsy values", "None and empty strings"),
    give=("values", "count"),
    nothing=("plain", "None", "ValueError"),
)
def drop_empty(n: Names, what: str, give: str, nothing: str) -> Task:
    f, xs = n
    plain = "an empty list" if give == "values" else "0"
    check = "" if nothing == "plain" else guard("not kept", nothing, "nothing remains")
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

    def oracle(values: list[object]) -> object:
        rest = [x for x in values if x not in gone]
        if len(rest) == 0 and nothing != "plain":
            return outcome(nothing)
        return rest if give == "values" else sum(map(rest.count, set(rest)))

    return Task(
        says=drop_empty_says(xs, what, give),
        rules=(when_it_fails("nothing remains", plain if nothing == "plain" else nothing),),
        code=f"""
def {f}({xs}):
    kept = [x for x in {xs} if {test}]
{check}    return {"kept" if give == "values" else "len(kept)"}
""",
        oracle=oracle,
        inputs=DROP_EMPTY_INPUTS,
    )


DEDUPLICATE_INPUTS = each(
    [],
    ["a"],
    ["a", "b", "a"],
    ["A", "a", "B"],
    ["one", "two", "three", "one"],
    ["x", "X", "x"],
    ["dog", "Dog", "cat", "horse"],
    ["aa", "b", "b", "AA"],
    ["", "r", "", "s"],
    ["tea", "", "TEA"],
)


@family(
    "deduplicate unique distinct without_duplicates",
    "items values xs entries",
    keep=("first", "last"),
    key=("itself", "lower", "length"),
    blank=("keep", "drop"),
    empty=("[]", "None", "ValueError"),
)
def deduplicate(n: Names, keep: str, key: str, blank: str, empty: str) -> Task:
    f, xs = n
    check = "" if empty == "[]" else empty_guard(xs, empty)
    test = "x and " if blank == "drop" else ""
    by = {"itself": "x", "lower": "x.lower()", "length": "len(x)"}[key]
    same = {"itself": "equal", "lower": "equal apart from case", "length": "of the same length"}[key]
    source, result = (xs, "out") if keep == "first" else (f"reversed({xs})", "out[::-1]")

    def oracle(values: list[str]) -> object:
        if values == [] and empty != "[]":
            return outcome(empty)
        keys = [{"itself": x, "lower": x.lower(), "length": str(len(x))}[key] for x in values]
        first = [i for i, k in enumerate(keys) if k not in (keys[:i] if keep == "first" else keys[i + 1 :])]
        return [values[i] for i in first if blank == "keep" or values[i] != ""]

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
            ("Leave out empty strings.", "Drop empty strings altogether.", "Empty strings do not count: skip them.")
            if blank == "drop"
            else (
                "Empty strings are treated like any other.",
                "An empty string counts like any other string.",
                "Do not skip empty strings.",
            ),
            when_empty(xs, empty if empty != "[]" else "an empty list"),
        ),
        code=f"""
def {f}({xs}):
{check}    seen = set()
    out = []
    for x in {source}:
        if {test}{by} not in seen:
            seen.add({by})
            out.append(x)
    return {result}
""",
        oracle=oracle,
        inputs=DEDUPLICATE_INPUTS,
    )
