"""Elements kept by a condition or by their place."""

from __future__ import annotations

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.conditions import COMPARED, CONDITIONS, NUMBERS
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "filter_numbers select_numbers pick keep_numbers",
    "numbers values xs nums",
    op=COMPARED,
    limit=(0, 3, 5, 10, 42),
    drop=(False, True),
)
def filter_numbers(n: Names, op: str, limit: int, drop: bool) -> Task:
    f, xs = n
    symbol, holds = COMPARED[op]
    test = f"not x {symbol} {limit}" if drop else f"x {symbol} {limit}"
    if drop:
        says = (
            f"remove all numbers that are {op} {limit} from `{xs}` and return the rest",
            f"return a list of `{xs}` without the numbers {op} {limit}",
            f"drop every number {op} {limit} from `{xs}`",
            f"return the elements of `{xs}` that are not {op} {limit}",
            f"leave out the numbers in `{xs}` which are {op} {limit}",
            f"exclude all values {op} {limit} from the list `{xs}`",
        )
    else:
        says = (
            f"return all numbers in `{xs}` that are {op} {limit}",
            f"return a list of the elements of `{xs}` {op} {limit}",
            f"keep only the numbers of `{xs}` that are {op} {limit}",
            f"select every number {op} {limit} from `{xs}`",
            f"filter `{xs}` and keep what is {op} {limit}",
            f"collect the values of the list `{xs}` which are {op} {limit}",
        )
    return Task(
        says=says,
        code=f"def {f}({xs}):\n    return [x for x in {xs} if {test}]",
        oracle=lambda values: [x for x in values if holds(x, limit) != drop],
        inputs=each(
            [],
            [limit],
            [limit - 1, limit, limit + 1],
            [9, 1, 5, 3],
            [limit + 2, limit, limit],
            [-8, 0, 8],
            [100, limit + 1, -100],
            [limit - 2, limit - 1],
        ),
    )


@family(
    "filter_kind only keep_if select",
    "numbers values xs nums",
    kind=CONDITIONS,
    give=("values", "indices", "count"),
    keep=(True, False),
)
def filter_kind(n: Names, kind: str, give: str, keep: bool) -> Task:
    f, xs = n
    condition, holds = CONDITIONS[kind]
    test = condition if keep else f"not {condition}"
    no = "" if keep else "not "
    body = {
        "values": f"[x for x in {xs} if {test}]",
        "indices": f"[i for i, x in enumerate({xs}) if {test}]",
        "count": f"sum(1 for x in {xs} if {test})",
    }[give]
    what = {
        "values": "a list of the numbers",
        "indices": "the indices of the numbers",
        "count": "the number of elements",
    }[give]
    verb = {"values": "collect", "indices": "collect", "count": "determine"}[give]

    def oracle(values: list[int]) -> object:
        hits = [i for i, x in enumerate(values) if holds(x) == keep]
        return len(hits) if give == "count" else hits if give == "indices" else [values[i] for i in hits]

    return Task(
        says=(
            f"return {what} in `{xs}` that are {no}{kind}",
            f"go through `{xs}` and return {what} that are {no}{kind}",
            f"{verb} {what} in `{xs}` which are {no}{kind}",
            f"find {what} of `{xs}` that are {no}{kind}",
            f"give {what} in the list `{xs}` that are {no}{kind}",
            f"look at each element of `{xs}` and return {what} that are {no}{kind}",
        ),
        code=f"def {f}({xs}):\n    return {body}",
        oracle=oracle,
        inputs=NUMBERS,
    )


@family(
    "words_by_length filter_words keep_words select_words",
    "words names items strings",
    op=COMPARED,
    size=(2, 3, 4, 5, 6),
    case=("keep", "upper"),
)
def words_by_length(n: Names, op: str, size: int, case: str) -> Task:
    f, ws = n
    symbol, holds = COMPARED[op]
    word = "w.upper()" if case == "upper" else "w"
    in_case = " in upper case" if case == "upper" else ""
    return Task(
        says=(
            f"return the strings in `{ws}` whose length is {op} {size}{in_case}",
            f"keep the strings of `{ws}` with a length {op} {size} and return them{in_case}",
            f"return a list of those `{ws}` that have a length {op} {size}{in_case}",
            f"select from `{ws}` what has a length {op} {size} and give it back{in_case}",
            f"filter `{ws}` by length {op} {size} and return the result{in_case}",
            f"collect all strings from `{ws}` with {op} {size} characters{in_case}",
        ),
        code=f"def {f}({ws}):\n    return [{word} for w in {ws} if len(w) {symbol} {size}]",
        oracle=lambda words: [w.upper() if case == "upper" else w for w in words if holds(len(w), size)],
        inputs=each(
            [],
            ["a"],
            ["a", "bb", "ccc"],
            ["x" * size, "y" * (size + 1)],
            ["1a"[: size - 1], "b" * (size - 1)],
            ["dddd", "eeeee", "ffffff"],
            ["", "q"],
            ["one", "three", "eleven"],
            ["z" * (size - 1), "w" * size],
        ),
    )


@family("take_while leading take_until prefix_of", "numbers values xs nums", kind=CONDITIONS, mode=("take", "drop"))
def take_while(n: Names, kind: str, mode: str) -> Task:
    f, xs = n
    condition, holds = CONDITIONS[kind]
    if mode == "take":
        says = (
            f"return the numbers at the start of `{xs}` for as long as they are {kind}",
            f"take numbers from the beginning of `{xs}` while they are {kind}",
            f"return everything in `{xs}` before the first number that is not {kind}",
            f"collect the elements of `{xs}` until one is not {kind}",
            f"return the longest start of `{xs}` in which all numbers are {kind}",
            f"go through `{xs}` and stop at the first number that is not {kind}, returning those before it",
        )
        body = (
            f"    out = []\n    for x in {xs}:\n        if not {condition}:\n            break\n        out.append(x)\n"
            "    return out"
        )
    else:
        says = (
            f"leave out the numbers at the start of `{xs}` for as long as they are {kind} and return the rest",
            f"drop numbers from the beginning of `{xs}` while they are {kind}",
            f"return `{xs}` from the first number on that is not {kind}",
            f"skip the elements of `{xs}` until one is not {kind}, then return the remaining list",
            f"return what remains of `{xs}` when all {kind} numbers at its start are removed",
            f"go through `{xs}` and return everything from the first number that is not {kind}",
        )
        body = (
            f"    for i, x in enumerate({xs}):\n        if not {condition}:\n            return {xs}[i:]\n    return []"
        )

    def oracle(values: list[int]) -> list[int]:
        stop = next((i for i, x in enumerate(values) if not holds(x)), len(values))
        return values[:stop] if mode == "take" else values[stop:]

    return Task(
        says=says,
        code=f"def {f}({xs}):\n{body}",
        oracle=oracle,
        inputs=(*NUMBERS, *each([2, 4, 5, 6], [-1, -3, 4, -5], [3, 5, 6, 7])),
    )


@family(
    "every_nth nth_items step_through sample_every",
    "items values xs elements",
    "n k step",
    start=("0", "n - 1", "1"),
    reverse=(False, True),
)
def every_nth(n: Names, start: str, reverse: bool) -> Task:
    f, xs, k = n
    first = start.replace("n", k)
    source = f"{xs}[::-1]" if reverse else xs
    begin = {"0": "the first element", "n - 1": f"element number `{k}`", "1": "the second element"}[start]
    whole = f"the reversed `{xs}`" if reverse else f"`{xs}`"

    def oracle(values: list[object], step: int) -> object:
        if step < 1:
            return outcome("ValueError")
        values = list(reversed(values)) if reverse else values
        offset = {"0": 0, "n - 1": step - 1, "1": 1}[start]
        return [x for i, x in enumerate(values) if i >= offset and (i - offset) % step == 0]

    return Task(
        says=(
            f"return every `{k}`-th element of {whole}, beginning with {begin}",
            f"take each `{k}`-th element from {whole}, starting at {begin}",
            f"return a list with every `{k}`-th item of {whole}; the first one taken is {begin}",
            f"pick every `{k}`-th value of {whole}, {begin} first",
            f"go through {whole} in steps of `{k}` from {begin} on and return these elements",
            f"select each `{k}`-th entry of {whole}, where {begin} is the first",
        ),
        rules=(raising(f"`{k}` is less than 1", "ValueError"),),
        code=(
            f"def {f}({xs}, {k}):\n"
            f"{guard(f'{k} < 1', 'ValueError', f'{k} is less than 1')}    return "
            f"{source}[{'' if start == '0' else first}::{k}]"
        ),
        oracle=oracle,
        inputs=(
            ([], 2),
            ([1, 2, 3], 0),
            ([1], -1),
            ([1, 2, 3, 4, 5, 6], 2),
            ([1, 2, 3, 4, 5, 6, 7], 3),
            (["a", "b", "c"], 1),
            (["a", "b"], 5),
            ([9, 8, 7, 6, 5], 2),
            ([4, 3, 2, 1], 3),
        ),
    )
