"""Keys and values in a text."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import each
from training.corpus.registry import family
from training.corpus.types import Names, Task


def parse_pairs_oracle(between: str, equals: str, value: str, twice: str, text: str) -> object:
    out: dict[str, object] = {}
    for item in [x for x in text.split(between) if x]:
        k, _, v = item.partition(equals)
        parsed = int(v) if value == "int" else v
        if twice == "list":
            out[k] = [*out.get(k, []), parsed]  # type: ignore[misc] # a list so far
        elif k not in out or twice == "last":
            out[k] = parsed
    return out


def parse_pairs_says(s: str, between: str, equals: str) -> tuple[str, ...]:
    named = "spaces" if between == " " else f"`{between}`"
    example = f"a{equals}1{between}b{equals}2"
    return (
        f"parse `{s}`, which looks like `{example}`, into a dict",
        f"turn text like `{example}` in `{s}` into a dict",
        f"read the pairs in `{s}`, written as `{example}`, and return a dict",
        f"split `{s}` at {named} and each part at `{equals}`, and return the pairs as a dict",
        f"convert `{s}` in the form `{example}` to a dict",
        f"build a dict from the key-value text `{s}`, such as `{example}`",
    )


@family(
    "parse_pairs parse_settings read_pairs to_dict",
    "text s source line",
    between=(";", ",", "&", " "),
    equals=("=", ":"),
    value=("text", "int"),
    twice=("last", "first", "list"),
)
def parse_pairs(n: Names, between: str, equals: str, value: str, twice: str) -> Task:
    f, s = n
    v = "int(v)" if value == "int" else "v"
    step = {"last": f"out[k] = {v}", "first": f"out.setdefault(k, {v})", "list": f"out.setdefault(k, []).append({v})"}[
        twice
    ]
    kind = "whole numbers" if value == "int" else "strings"
    texts = ("", "a=1", "a=1;b=2", "x=5;x=6;y=7", "k=10;", "n=-3;m=0", "one=1;two=2;one=11", ";z=8", "p=4;q=4;p=4")
    return Task(
        says=parse_pairs_says(s, between, equals),
        rules=(
            (f"The values are {kind}.", f"Values become {kind}.", f"Return the values as {kind}."),
            {
                "last": (
                    "If a key comes twice, the last value counts.",
                    "Of a repeated key keep the last value.",
                    "The last value of a key wins.",
                ),
                "first": (
                    "If a key comes twice, the first value counts.",
                    "Of a repeated key keep the first value.",
                    "The first value of a key wins.",
                ),
                "list": (
                    "Collect the values of each key in a list.",
                    "Each key maps to the list of its values.",
                    "Every value in the dict is a list.",
                ),
            }[twice],
            ("Ignore empty parts.", "Skip empty parts.", "Empty parts are left out."),
        ),
        code=f"""
def {f}({s}):
    out = {{}}
    for part in {s}.split("{between}"):
        if part:
            k, v = part.split("{equals}")
            {step}
    return out
""",
        oracle=partial(parse_pairs_oracle, between, equals, value, twice),
        inputs=each(*(text.replace(";", between).replace("=", equals) for text in texts)),
    )


PARSE_QUERY_INPUTS = each(
    "",
    "http://x.org",
    "/p?a=1",
    "?a=1&b=2",
    "/s?q=one+two&n=",
    "/s?x&y=3",
    "?A=1&a=2",
    "/t?k=v&k=w&z=a+b",
    "?=5&m=",
)


def parse_query_oracle(give: str, blank: str, plus: bool, url: str) -> object:
    def oracle(url: str) -> object:
        out: dict[str, str] = {}
        for part in url[url.index("?") + 1 :].split("&") if "?" in url else []:
            name, _, v = part.partition("=")
            if part and (v or blank == "keep"):
                out[name] = v.replace("+", " ") if plus else v
        return {"dict": out, "keys": [*out], "count": len(out)}[give]

    return oracle(re.sub(r"(?<=[?&])[^=&]*", lambda m: m[0].lower(), url)) if plus and give != "dict" else oracle(url)


def parse_query_says(s: str, give: str) -> tuple[str, ...]:
    what = {
        "dict": "a dict of the arguments",
        "keys": "a list of the argument names",
        "count": "the number of different arguments",
    }[give]
    return (
        f"return {what} after the `?` in `{s}`, which are written like `a=1&b=2`",
        f"parse the query of the URL `{s}` (`?a=1&b=2`) and return {what}",
        f"read what follows `?` in `{s}`, pairs like `a=1&b=2`, and return {what}",
        f"take the part of the URL `{s}` behind `?`, split it at `&` and `=`, and return {what}",
        f"extract {what} from a URL `{s}` with a query like `?a=1&b=2`",
        f"get {what} in the query string of the URL `{s}`, such as `?a=1&b=2`",
    )


@family(
    "parse_query query_dict read_query url_arguments",
    "url text address s",
    give=("dict", "keys", "count"),
    blank=("keep", "drop"),
    plus=(True, False),
)
def parse_query(n: Names, give: str, blank: str, plus: bool) -> Task:
    f, s = n
    value = 'v.replace("+", " ")' if plus else "v"
    test = "part" if blank == "keep" else "v"
    result = {"dict": "out", "keys": "list(out)", "count": "len(out)"}[give]
    rules = [
        (
            "Arguments without a value are kept with an empty string.",
            "Keep arguments without a value, as empty strings.",
            "A missing value is an empty string.",
        )
        if blank == "keep"
        else (
            "Drop arguments without a value.",
            "Leave out arguments that have no value.",
            "Ignore arguments without a value.",
        )
    ]
    if plus and give == "dict":
        rules.append(
            ("Replace `+` in values by a space.", "A `+` in a value means a space.", "In values, `+` becomes a space.")
        )
    elif plus:
        rules.append(
            (
                "Ignore case in the names; they become lower case.",
                "Convert the names to lower case.",
                "Names are in lower case.",
            )
        )
    key = "k.lower()" if plus and give != "dict" else "k"
    value = value if give == "dict" else "v"
    return Task(
        says=parse_query_says(s, give),
        rules=tuple(rules),
        code=f"""
def {f}({s}):
    out = {{}}
    for part in {s}.partition("?")[2].split("&"):
        k, _, v = part.partition("=")
        if {test}:
            out[{key}] = {value}
    return {result}
""",
        oracle=partial(parse_query_oracle, give, blank, plus),
        inputs=PARSE_QUERY_INPUTS,
    )
