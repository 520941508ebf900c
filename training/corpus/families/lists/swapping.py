"""Two elements that change places."""

from __future__ import annotations

from training.corpus.clauses import each, guard, outcome, when_it_fails
from training.corpus.registry import family
from training.corpus.types import Names, Task

SWAP_ENDS_INPUTS = each(
    [],
    [1],
    [1, 2, 3, 4],
    [5, 6],
    ["a", "b", "c"],
    [0, 9, 8, 7, 6],
    [True, False],
    [3, 3, 4],
    ["x", "y", "z", "w"],
    [9, 7, 5, 3],
    [4, 1, 8, 2],
)
SWAPPED_WHEN = {
    "always": (
        "Swap them whatever their values are.",
        "Always swap them, whichever is greater.",
        "They change places whichever of the two is greater.",
    ),
    "greater": (
        "Swap them only if the one on the left is greater.",
        "Swap only when the left one of the two is greater than the right one.",
        "If the left one is not greater than the right one, nothing is swapped.",
    ),
    "less": (
        "Swap them only if the one on the left is less.",
        "Swap only when the left one of the two is less than the right one.",
        "If the left one is not less than the right one, nothing is swapped.",
    ),
}


@family(
    "swap_ends exchange swap_two switch_places",
    "items values xs elements",
    places=("first and last", "first and second", "second and last", "last two"),
    when=("always", "greater", "less"),
    short=("same", "None", "ValueError"),
)
def swap_ends(n: Names, places: str, when: str, short: str) -> Task:
    f, xs = n
    i, j = {"first and last": (0, -1), "first and second": (0, 1), "second and last": (1, -1), "last two": (-2, -1)}[
        places
    ]
    named = f"the {places} elements"
    stop = f"{xs}[:]" if short == "same" else short
    test = "" if when == "always" else f"    if out[{i}] {'>' if when == 'greater' else '<'} out[{j}]:\n    "

    def oracle(values: list[int]) -> object:
        if len(values) < 2:
            return values if short == "same" else outcome(short)
        order = list(range(len(values)))
        ends = sorted((values[i], values[j]), reverse=when == "greater")
        if when == "always" or (values[i] != values[j] and ends[0] == values[i]):
            order[i], order[j] = order[j], order[i]
        return [values[spot] for spot in order]

    return Task(
        says=(
            f"return a new list like `{xs}` with {named} swapped",
            f"swap {named} of `{xs}` and return the new list",
            f"exchange {named} in a copy of `{xs}` and return it",
            f"return the elements of `{xs}`, but with {named} in each other's place",
            f"copy `{xs}`, let {named} change places and return the copy",
            f"build a list from `{xs}` where {named} are exchanged",
        ),
        rules=(
            (
                f"If `{xs}` has fewer than two elements, return a copy of it.",
                "Fewer than two elements stay as they are.",
                "With fewer than two elements, nothing is swapped.",
            )
            if short == "same"
            else when_it_fails(f"`{xs}` has fewer than two elements", short),
            SWAPPED_WHEN[when],
        ),
        code=f"""
def {f}({xs}):
{guard(f"len({xs}) < 2", stop, "too few elements")}    out = {xs}[:]
{test}    out[{i}], out[{j}] = out[{j}], out[{i}]
    return out
""",
        oracle=oracle,
        inputs=SWAP_ENDS_INPUTS,
    )
