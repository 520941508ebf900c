"""Version numbers."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising, when_invalid
from training.corpus.registry import family
from training.corpus.types import Names, Task


def parse_version_oracle(parts: int, separator: str, prefix: str, bad: str, text: str) -> object:
    fields = text.removeprefix(prefix).split(separator)
    if len(fields) > parts or not all(x.isdigit() for x in fields):
        return outcome(bad)
    return tuple([*map(int, fields), 0, 0, 0, 0][:parts])


@family(
    "parse_version version_tuple read_version split_version",
    "text s version value",
    parts=(2, 3, 4),
    separator=(".", "-"),
    prefix=("v", ""),
    bad=("ValueError", "None"),
)
def parse_version(n: Names, parts: int, separator: str, prefix: str, bad: str) -> Task:
    f, s = n
    wrong = f"len(parts) > {parts} or not all(x.isdigit() for x in parts)"
    example = prefix + separator.join("1234"[:parts])
    short = prefix + separator.join("12"[: max(1, parts - 1)])
    source = f'{s}.removeprefix("{prefix}")' if prefix else s
    padded = ", ".join([*"12"[: max(1, parts - 1)], *["0"] * (parts - len("12"[: max(1, parts - 1)]))])
    inputs = ("", "x", "1", "1.2", "3.0.7", "10.20", "2.5.9.4", "1.2.3.4.5", "1.a", "0.0", "12", "7.3", "100")
    return Task(
        says=(
            f"parse the version `{s}` like `{example}` into a tuple of {parts} integers",
            f"return the {parts} numbers of a version `{s}` such as `{example}` as a tuple",
            f"convert version text `{s}` (for example `{example}`) to a tuple of {parts} ints",
            f"turn `{s}`, a version like `{example}`, into a tuple with {parts} integers",
            f"split the version `{s}` in the form `{example}` and return {parts} integers as a tuple",
            f"read a tuple of {parts} integers from a version `{s}` written like `{example}`",
        ),
        rules=(
            (
                f"Missing parts are 0: `{short}` gives ({padded}).",
                f"Fill up with 0, so `{short}` is ({padded}).",
                f"If parts are missing, use 0; `{short}` becomes ({padded}).",
            ),
            *(
                [
                    (
                        f"A `{prefix}` in front is optional.",
                        f"It may or may not begin with `{prefix}`.",
                        f"Ignore a `{prefix}` at the start.",
                    )
                ]
                if prefix
                else []
            ),
            when_invalid(s, bad),
        ),
        code=f"""
def {f}({s}):
    parts = {source}.split("{separator}")
{guard(wrong, bad, "not a version")}    numbers = [int(x) for x in parts]
    return tuple(numbers + [0] * ({parts} - len(numbers)))
""",
        oracle=partial(parse_version_oracle, parts, separator, prefix, bad),
        inputs=each(*(text.replace(".", separator) for text in inputs), f"v4{separator}1", f"v2{separator}x"),
    )


def compare_versions_oracle(separator: str, give: str, missing: str, one: str, two: str) -> object:
    p, q = (list(map(int, t.split(separator))) for t in (one, two))
    if len(p) != len(q) and missing == "ValueError":
        return outcome(missing)
    while len(p) != len(q):
        (p if len(p) < len(q) else q).append(0)
    larger = next((1 if i > j else -1 for i, j in zip(p, q, strict=True) if i != j), 0)
    return {"number": larger, "larger": two if larger < 0 else one, "bool": larger < 0}[give]


@family(
    "compare_versions newer_version version_order later_version",
    "a first left old",
    "b second right new",
    separator=(".", "-"),
    give=("number", "larger", "bool"),
    missing=("0", "ValueError"),
)
def compare_versions(n: Names, separator: str, give: str, missing: str) -> Task:
    f, a, b = n
    example = separator.join("129")
    x, y = (f'[int(p) for p in {t}.split("{separator}")]' for t in (a, b))
    if missing == "ValueError":
        fill = '    if len(x) != len(y):\n        raise ValueError("lengths differ")\n'
    else:
        fill = "    size = max(len(x), len(y))\n    x += [0] * (size - len(x))\n    y += [0] * (size - len(y))\n"
    result = {"number": "(x > y) - (x < y)", "larger": f"{b} if y > x else {a}", "bool": "y > x"}[give]
    what = {
        "number": f"return 1 if `{a}` is larger, -1 if `{b}` is, else 0",
        "larger": f"return the larger one, or `{a}` if they are equal",
        "bool": f"return True if `{b}` is larger, else False",
    }[give]
    pairs = (
        ("1", "1"),
        ("1.2", "1.10"),
        ("2.0", "1.9"),
        ("1.2.3", "1.2.4"),
        ("1.0", "1"),
        ("3", "3.0.1"),
        ("10.1", "9.9"),
        ("0.1.0", "0.1.0"),
        ("5.5", "5.6"),
        ("4.0.0", "4.0.1"),
        ("7.8.9", "7.8.8"),
    )
    return Task(
        says=(
            f"compare the versions `{a}` and `{b}`, texts like `{example}`, number by number and {what}",
            f"take two versions `{a}` and `{b}` such as `{example}` and {what}",
            f"look at the numbers in the versions `{a}` and `{b}` (like `{example}`) and {what}",
            f"split the versions `{a}` and `{b}` at `{separator}`, compare the numbers and {what}",
            f"decide which of the versions `{a}` and `{b}`, written like `{example}`, is larger and {what}",
            f"order two version texts `{a}` and `{b}` in the form `{example}` and {what}",
        ),
        rules=(
            raising("they have different numbers of parts", "ValueError")
            if missing == "ValueError"
            else (
                "Missing parts count as 0.",
                "Treat missing parts as 0.",
                "If one has fewer parts, fill it up with 0.",
            ),
        ),
        code=f"def {f}({a}, {b}):\n    x = {x}\n    y = {y}\n{fill}    return {result}",
        oracle=partial(compare_versions_oracle, separator, give, missing),
        inputs=tuple((p.replace(".", separator), q.replace(".", separator)) for p, q in pairs),
    )
