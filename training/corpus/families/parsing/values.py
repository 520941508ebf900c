"""Single values written as text."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising, when_invalid
from training.corpus.registry import family
from training.corpus.types import Names, Task

PARSE_INT_INPUTS = each(
    "",
    "abc",
    "7",
    "42",
    " 15 ",
    "-3",
    "-12",
    "4.5",
    "0",
    "10",
    "123",
    "99x",
    "--2",
    "9",
    "64",
    "+1",
    "500",
    "4",
)


@family(
    "parse_int to_int read_number int_or",
    "text s value raw",
    default=("None", "0", "-1", "ValueError"),
    sign=(True, False),
    low=(0, 5, 10),
)
def parse_int(n: Names, default: str, sign: bool, low: int) -> Task:
    f, s = n
    digits = f'{s}.strip().removeprefix("-")' if sign else f"{s}.strip()"
    least = f" or int({s}) < {low}" if low and not sign else f" or abs(int({s})) < {low}" if low else ""
    size = "an absolute value" if sign else "a value"

    def oracle(text: str) -> object:
        text = text.strip(" ")
        found = re.fullmatch(r"-?\d+" if sign else r"\d+", text)
        if not found or abs(int(text)) < low:
            return outcome(default)
        return int(text)

    return Task(
        says=(
            f"convert `{s}` to an integer",
            f"return the whole number written in `{s}`",
            f"parse the integer in the text `{s}`",
            f"read `{s}` as a whole number and return it",
            f"turn the string `{s}` into an int",
            f"return `{s}` as an integer",
        ),
        rules=(
            ("A minus in front is allowed.", "Negative numbers are allowed.", "It may begin with a minus.")
            if sign
            else ("Only digits are allowed.", "A sign is not allowed.", "It must consist of digits."),
            ("Ignore spaces around it.", "Spaces at the ends do not matter.", "Strip spaces first."),
            *(
                [
                    (
                        f"A number with {size} less than {low} is not valid.",
                        f"Numbers with {size} below {low} are not valid.",
                        f"It needs {size} of at least {low} to be valid.",
                    )
                ]
                if low
                else []
            ),
            when_invalid(s, default),
        ),
        code=f"def {f}({s}):\n{guard(f'not {digits}.isdigit(){least}', default, 'not a number')}    return int({s})",
        oracle=oracle,
        inputs=PARSE_INT_INPUTS,
    )


@family(
    "parse_bool to_bool read_flag is_true",
    "text s value flag",
    words=(("yes", "no"), ("true", "false"), ("on", "off"), ("ok", "bad")),
    more=(("y", "n"), ("t", "f")),
    unknown=("None", "False"),
    ignore=(True, False),
)
def parse_bool(n: Names, words: tuple[str, str], more: tuple[str, str], unknown: str, ignore: bool) -> Task:
    f, s = n
    yes, no = (words[0], more[0]), (words[1], more[1])
    fold = f"    {s} = {s}.lower()\n" if ignore else ""

    def oracle(text: str) -> object:
        text = text.lower() if ignore else text
        return True if text in yes else False if text in no else outcome(unknown)

    return Task(
        says=(
            f"return True if `{s}` is `{yes[0]}` or `{yes[1]}` and False if it is `{no[0]}` or `{no[1]}`",
            f"convert `{s}` to a bool: `{yes[0]}` and `{yes[1]}` are True, `{no[0]}` and `{no[1]}` are False",
            f"parse the flag `{s}`; `{yes[0]}` or `{yes[1]}` means True, `{no[0]}` or `{no[1]}` False",
            f"turn the text `{s}` into True (`{yes[0]}`, `{yes[1]}`) or False (`{no[0]}`, `{no[1]}`)",
            f"read `{s}` as a yes-or-no value: True for `{yes[0]}` and `{yes[1]}`, False for `{no[0]}` and `{no[1]}`",
            (
                f"interpret `{s}` as True when it is one of `{yes[0]}`, `{yes[1]}` and as False when one of `{no[0]}`, "
                f"`{no[1]}`"
            ),
        ),
        rules=(
            ("Ignore case.", "Case does not matter.", "Upper and lower case count as the same.")
            if ignore
            else ("Case matters.", "Respect case.", "Only lower case is recognised."),
            (
                f"For anything else return {unknown}.",
                f"Any other text gives {unknown}.",
                f"Return {unknown} otherwise.",
            ),
        ),
        code=(
            f'def {f}({s}):\n{fold}    if {s} in ("{yes[0]}", "{yes[1]}"):\n        return True\n'
            f'    if {s} in ("{no[0]}", "{no[1]}"):\n        return False\n    return {unknown}'
        ),
        oracle=oracle,
        inputs=each("", "maybe", *yes, *no, yes[0].upper(), no[1].upper(), yes[0].capitalize(), more[0] * 2),
    )


def parse_size_oracle(base: int, units: tuple[str, ...], bad: str, text: str) -> object:
    power = next((i + 1 for i, unit in enumerate(units) if text.endswith(unit)), 0)
    digits = text[: len(text) - len(units[power - 1])] if power else text
    return int(digits) * base**power if digits.isdigit() else outcome(bad)


@family(
    "parse_size read_size size_in_bytes to_bytes",
    "text s amount value",
    base=(1000, 1024),
    units=(("K", "M", "G"), ("kB", "MB", "GB"), ("k", "m", "g")),
    bad=("ValueError", "None", "0"),
)
def parse_size(n: Names, base: int, units: tuple[str, ...], bad: str) -> Task:
    f, s = n
    one, two, three = units
    table = f'{{"{one}": {base}, "{two}": {base} ** 2, "{three}": {base} ** 3}}'
    return Task(
        says=(
            (
                f"convert a size `{s}` like `5{one}` to bytes; the units are `{one}`, `{two}` and `{three}`, in steps "
                f"of {base}"
            ),
            (
                f"return how many bytes `{s}` is, such as `2{two}`, where `{one}` is {base}, `{two}` {base} times that "
                f"and so is `{three}`"
            ),
            (
                f"parse `{s}`, a number with the unit `{one}`, `{two}` or `{three}` ({base} of one make the next) and "
                "return bytes"
            ),
            (
                f"turn a text `{s}` like `1{three}` into a number of bytes, with units `{one}`, `{two}`, `{three}` of "
                f"{base} each"
            ),
            (
                f"read the size `{s}`, for example `10{one}`, and return bytes; each of `{one}`, `{two}`, `{three}` is "
                f"{base} times the one before"
            ),
            (
                f"compute the bytes in `{s}`: digits and one of the units `{one}`, `{two}`, `{three}`, which are "
                f"{base} apart"
            ),
        ),
        rules=(
            ("Without a unit it means bytes.", "No unit means bytes.", "The unit may be missing; then it is bytes."),
            when_invalid(s, bad),
        ),
        code=f"""
def {f}({s}):
    factor = 1
    for unit, size in {table}.items():
        if {s}.endswith(unit):
            factor = size
            break
    digits = {s}.removesuffix(unit)
{guard("not digits.isdigit()", bad, "not a size")}    return int(digits) * factor
""",
        oracle=partial(parse_size_oracle, base, units, bad),
        inputs=each("", "x", "0", "12", f"1{one}", f"5{two}", f"2{three}", f"{one}", "7q", f"15{one}", f"3{two}"),
    )


NOT_HEX = 'len(digits) != 6 or not all(c in "0123456789abcdefABCDEF" for c in digits)'
HEX_TO_RGB_INPUTS = each(
    "",
    "red",
    "#ff8000",
    "ff8000",
    "#000000",
    "FFFFFF",
    "#12ab",
    "#0A0b0C",
    "012345",
    "#ggffff",
    "#FFFFFF",
    "a1b2c3",
    "000000",
    "#654321",
    "00ff7f",
    "#123456",
)


@family(
    "hex_to_rgb parse_color rgb color_parts",
    "color text code s",
    hash_mark=("required", "optional", "forbidden"),
    give=("tuple", "dict", "sum"),
    bad=("ValueError", "None"),
)
def hex_to_rgb(n: Names, hash_mark: str, give: str, bad: str) -> Task:
    f, s = n
    digits = f'{s}.removeprefix("#")' if hash_mark != "forbidden" else s
    check = guard(f'not {s}.startswith("#")', bad, "# is missing") if hash_mark == "required" else ""
    result = {"tuple": "(r, g, b)", "dict": '{"r": r, "g": g, "b": b}', "sum": "r + g + b"}[give]
    example = "ff8000" if hash_mark == "forbidden" else "#ff8000"
    shown = {"tuple": "(255, 128, 0)", "dict": '{"r": 255, "g": 128, "b": 0}', "sum": "383"}[give]

    def oracle(color: str) -> object:
        pattern = {"required": "#[0-9a-fA-F]{6}", "optional": "#?[0-9a-fA-F]{6}", "forbidden": "[0-9a-fA-F]{6}"}[
            hash_mark
        ]
        if not re.fullmatch(pattern, color):
            return outcome(bad)
        number = int(color.strip("#"), 16)
        r, g, b = number // 65536, number // 256 % 256, number % 256
        return {"tuple": (r, g, b), "dict": {"r": r, "g": g, "b": b}, "sum": r + g + b}[give]

    return Task(
        says=(
            f"convert a hexadecimal color `{s}` like `{example}` to {shown}",
            f"return {shown} for the color `{example}`, and so on for any such `{s}`",
            f"parse `{s}`, a color such as `{example}`, which gives {shown}",
            f"turn the hex color `{s}` into numbers from 0 to 255: `{example}` becomes {shown}",
            f"read red, green and blue from a color `{s}` like `{example}` and return {shown}",
            f"compute {shown} from `{example}`, or the same for another hex color `{s}`",
        ),
        rules=(
            {
                "required": ("The `#` must be there.", "It must begin with `#`.", "Without `#` it is not valid."),
                "optional": ("The `#` may be missing.", "The `#` is optional.", "It may come without `#`."),
                "forbidden": ("There is no `#`.", "A `#` is not allowed.", "With a `#` it is not valid."),
            }[hash_mark],
            raising("it is not such a color", bad)
            if bad == "ValueError"
            else (
                "If it is not such a color, return None.",
                "Return None for anything else.",
                "Other text gives None.",
            ),
        ),
        code=f"""
def {f}({s}):
{check}    digits = {digits}
{guard(NOT_HEX, bad, "not a color")}    r, g, b = [int(digits[i:i + 2], 16) for i in (0, 2, 4)]
    return {result}
""",
        oracle=oracle,
        inputs=HEX_TO_RGB_INPUTS,
    )
