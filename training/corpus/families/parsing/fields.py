"""Texts made of several fields."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


def split_fields_oracle(separator: str, empty: str, strip: bool, kind: str, line: str) -> list[object]:
    out: list[object] = []
    for field in line.split(separator):
        field = field.strip() if strip else field
        if field == "" and empty != "keep":
            out += [] if empty == "drop" else [None]
        else:
            out.append(
                {"text": field, "upper": field.upper(), "int if digits": int(field) if field.isdigit() else field}[kind]
            )
    return out


def split_fields_says(s: str, separator: str) -> tuple[str, ...]:
    named = "tabs" if separator == "\t" else f"`{separator}`"
    return (
        f"split `{s}` at {named} and return the list of fields",
        f"return the fields of `{s}`, which are separated by {named}",
        f"cut the line `{s}` into a list of fields at {named}",
        f"break `{s}` into the parts between {named}",
        f"read the fields of the line `{s}`; {named} separate them",
        f"return a list of the values in `{s}` with {named} between them",
    )


@family(
    "split_fields parse_line split_row fields_of",
    "line text row s",
    separator=(",", ";", "|", "\t"),
    empty=("keep", "drop", "None"),
    strip=(True, False),
    kind=("text", "upper", "int if digits"),
)
def split_fields(n: Names, separator: str, empty: str, strip: bool, kind: str) -> Task:
    f, s = n
    sep = '"\\t"' if separator == "\t" else f'"{separator}"'
    x = "x.strip()" if strip else "x"
    value = {"text": x, "upper": f"{x}.upper()", "int if digits": f"int({x}) if {x}.isdigit() else {x}"}[kind]
    if empty == "None":
        value = f"({value}) if {x} else None" if " if " in value else f"{value} if {x} else None"
    test = f" if {x}" if empty == "drop" else ""
    lines = ("", "a", "a,b", "a, b ,c", "1,x,22", ",,", "one,,two", " 7 , y", "Ab,cD,,3 ")
    return Task(
        says=split_fields_says(s, separator),
        rules=(
            (
                "Strip spaces around each field.",
                "Remove spaces around the fields.",
                "Fields have no spaces around them.",
            )
            if strip
            else ("Keep spaces around fields.", "Do not strip the fields.", "Leave spaces around fields."),
            {
                "keep": ("Keep empty fields.", "Empty fields stay.", "Fields may be empty."),
                "drop": ("Drop empty fields.", "Leave out empty fields.", "Skip fields that are empty."),
                "None": ("Empty fields become None.", "Use None for empty fields.", "An empty field is None."),
            }[empty],
            *(
                {
                    "text": [],
                    "upper": [
                        (
                            "Convert the fields to upper case.",
                            "Return them in upper case.",
                            "Make the fields upper case.",
                        )
                    ],
                    "int if digits": [
                        (
                            "Fields of digits become integers.",
                            "Convert fields that consist of digits to int.",
                            "A field with only digits is returned as an int.",
                        )
                    ],
                }[kind]
            ),
        ),
        code=f"def {f}({s}):\n    return [{value} for x in {s}.split({sep}){test}]",
        oracle=partial(split_fields_oracle, separator, empty, strip, kind),
        inputs=each(*(line.replace(",", separator) for line in lines)),
    )


def split_name_oracle(order: str, give: str, single: str, mark: str, text: str) -> object:
    if mark not in text:
        return "" if single == '""' else outcome(single)
    a, b = text.split(mark, 1)
    first, last = (a, b) if order == "first last" else (b, a)
    return {"tuple": (first, last), "dict": {"first": first, "last": last}, "last": last}[give]


def split_name_says(s: str, order: str, give: str) -> tuple[str, ...]:
    example = "Ada Lovelace" if order == "first last" else "Lovelace, Ada"
    shown = {"tuple": '("Ada", "Lovelace")', "dict": '{"first": "Ada", "last": "Lovelace"}', "last": '"Lovelace"'}[give]
    return (
        f"split a name `{s}` like `{example}` and return {shown}",
        f"parse the full name `{s}`, such as `{example}`, which gives {shown}",
        f"return {shown} for a name `{s}` written as `{example}`",
        f"turn `{s}`, a name in the form `{example}`, into {shown}",
        f"take a name `{s}` apart: `{example}` becomes {shown}",
        f"read the parts of the name `{s}`; for `{example}` return {shown}",
    )


@family(
    "split_name parse_name name_parts read_name",
    "text s name full_name",
    order=("first last", "last, first"),
    give=("tuple", "dict", "last"),
    single=("None", '""', "ValueError"),
)
def split_name(n: Names, order: str, give: str, single: str) -> Task:
    f, s = n
    mark = " " if order == "first last" else ", "
    pick = "first, last" if order == "first last" else "last, first"
    result = {"tuple": "(first, last)", "dict": '{"first": first, "last": last}', "last": "last"}[give]
    named = "an empty string" if single == '""' else single
    return Task(
        says=split_name_says(s, order, give),
        rules=(
            raising("there is only one part", single)
            if single == "ValueError"
            else (
                f"If there is only one part, return {named}.",
                f"Return {named} if it has only one part.",
                f"A single part gives {named}.",
            ),
            (
                f"Split at the first `{mark.strip() or 'space'}` only.",
                f"Only the first `{mark.strip() or 'space'}` separates.",
                f"Further `{mark.strip() or 'space'}` characters belong to the second part.",
            ),
        ),
        code=(
            f"def {f}({s}):\n{guard(f'''{chr(34)}{mark}{chr(34)} not in {s}''', single, 'only one part')}    {pick} = "
            f'{s}.split("{mark}", 1)\n    return {result}'
        ),
        oracle=partial(split_name_oracle, order, give, single, mark),
        inputs=each(
            "",
            "Plato",
            *(
                x if order == "first last" else ", ".join(reversed(x.split(" ", 1)))
                for x in (
                    "Ada Lovelace",
                    "Alan Turing",
                    "Grace Hopper",
                    "John von Neumann",
                    "A B",
                    "Li Wei",
                    "Jean le Rond",
                )
            ),
            "x,y",
        ),
    )
