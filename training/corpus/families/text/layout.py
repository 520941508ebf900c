"""Texts made to fit: cut, padded, indented, underlined, numbered."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, empty_guard, when_empty
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

TRUNCATE_INPUTS: tuple[tuple[object, ...], ...] = (
    ("", 4),
    ("abc", 3),
    ("hello world", 6),
    ("a b c d e", 4),
    ("hello world", 5),
    ("exactly", 7),
    ("something long", 10),
    ("wide   gap here", 6),
    ("abcdef", 4),
)


def truncate_oracle(suffix: str, counted: bool, text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if not suffix:
        return text[0:limit] if counted else text[0:limit].rstrip(" ")
    return text[0 : limit - (len(suffix) if counted else 0)] + suffix


def truncate_says(s: str, k: str) -> tuple[str, ...]:
    return (
        f"shorten `{s}` to `{k}` characters",
        f"cut `{s}` after `{k}` characters",
        f"return `{s}` limited to `{k}` characters",
        f"truncate `{s}` if it is longer than `{k}`",
        f"make sure that `{s}` has no more than `{k}` characters, by cutting its end",
        f"return the first `{k}` characters of `{s}` when it is too long",
    )


def truncate_rules(s: str, k: str, suffix: str, counted: bool) -> tuple[Rule, ...]:
    fits = (
        "Text that fits is returned unchanged.",
        f"If `{s}` is short enough, return it as it is.",
        f"Do not change `{s}` if it is not too long.",
    )
    if not suffix:
        last = (
            ("Add no suffix.", "Nothing is appended.", "Do not append anything.")
            if counted
            else (
                "Also strip spaces at the end of a cut text.",
                "Remove trailing spaces after cutting.",
                "A cut text must not end with spaces.",
            )
        )
        return (fits, last)
    return (
        fits,
        (
            f"When it is cut, end it with `{suffix}`.",
            f"Append `{suffix}` to a cut text.",
            f"A shortened text ends with `{suffix}`.",
        ),
        (
            "The suffix counts towards the limit.",
            f"The result, suffix included, has at most `{k}` characters.",
            f"With the suffix it must not be longer than `{k}`.",
        )
        if counted
        else (
            "The suffix does not count.",
            f"The suffix comes after the `{k}` characters.",
            "The suffix is added on top of the limit.",
        ),
    )


@family(
    "truncate shorten cut_text limit_text",
    "text s title value",
    "limit width size max_length",
    suffix=("...", "..", "-", ""),
    counted=(True, False),
)
def truncate(n: Names, suffix: str, counted: bool) -> Task:
    f, s, k = n
    cut = f"{s}[:{k} - {len(suffix)}]" if suffix and counted else f"{s}[:{k}]"
    if not suffix and not counted:
        cut = f"{cut}.rstrip()"
    end = f" + {literal(suffix)}" if suffix else ""
    return Task(
        says=truncate_says(s, k),
        rules=truncate_rules(s, k, suffix, counted),
        code=f"def {f}({s}, {k}):\n    if len({s}) <= {k}:\n        return {s}\n    return {cut}{end}",
        oracle=partial(truncate_oracle, suffix, counted),
        inputs=TRUNCATE_INPUTS,
    )


@family(
    "pad pad_text fill justify",
    "text s value code",
    "width size length total",
    side=("left", "right", "both"),
    fill=(" ", "0", "*", "-", "."),
)
def pad(n: Names, side: str, fill: str) -> Task:
    f, s, w = n
    method = {"left": "rjust", "right": "ljust", "both": "center"}[side]
    where = {"left": "on the left", "right": "on the right", "both": "on both sides"}[side]
    char = "spaces" if fill == " " else f"`{fill}`"

    def oracle(text: str, width: int) -> str:
        missing = max(0, width - len(text))
        if side == "both":
            return text.center(width, fill)
        return fill * missing + text if side == "left" else text + fill * missing

    return Task(
        says=(
            f"pad `{s}` with {char} {where} until it has `{w}` characters",
            f"fill `{s}` up to `{w}` characters with {char} {where}",
            f"return `{s}` padded {where} with {char} to the length `{w}`",
            f"add {char} {where} of `{s}` so that it is `{w}` characters long",
            f"make `{s}` at least `{w}` characters long by adding {char} {where}",
            f"extend `{s}` {where} with {char} to a total of `{w}` characters",
        ),
        code=f"def {f}({s}, {w}):\n    return {s}.{method}({w}, {literal(fill)})",
        oracle=oracle,
        inputs=(("", 3), ("abc", 3), ("7", 4), ("ab", 6), ("hello", 2), ("x", 2), ("42", 5), ("tea", 9)),
    )


@family(
    "indent indent_lines prefix_lines quote_lines",
    "text s block source",
    prefix=("    ", "  ", "> ", "# ", "- "),
    blank=(True, False),
)
def indent(n: Names, prefix: str, blank: bool) -> Task:
    f, s = n
    named = {"    ": "four spaces", "  ": "two spaces"}.get(prefix, f'`"{prefix}"`')
    body = f"{literal(prefix)} + line" if blank else f"{literal(prefix)} + line if line.strip() else line"

    def oracle(text: str) -> str:
        return "\n".join(line if not blank and not line.strip() else f"{prefix}{line}" for line in text.splitlines())

    return Task(
        says=(
            f"put {named} in front of every line of `{s}`",
            f"prefix the lines of `{s}` with {named}",
            f"return `{s}` with {named} at the start of each line",
            f"add {named} before each line of `{s}`",
            f"begin every line of `{s}` with {named}",
            f"return the lines of `{s}`, each with {named} in front",
        ),
        rules=(
            ("Blank lines get it too.", "Do the same with blank lines.", "Include blank lines.")
            if blank
            else ("Leave blank lines as they are.", "Do not change blank lines.", "Skip blank lines but keep them."),
            (
                "Join the lines with newlines.",
                "The result has newlines between the lines and none at the end.",
                "Separate the lines with newlines.",
            ),
        ),
        code=f'def {f}({s}):\n    return "\\n".join({body} for line in {s}.splitlines())',
        oracle=oracle,
        inputs=each("", "a", "a\nb", "one\n\ntwo", "x\n \ny", "first\nsecond\nthird", "\n\n", "end\n"),
    )


@family(
    "underline heading title_block framed",
    "text title s name",
    char=("=", "-", "~", "#"),
    place=("below", "above", "both"),
    extra=(0, 2, 4),
    empty=('""', "None"),
)
def underline(n: Names, char: str, place: str, extra: int, empty: str) -> Task:
    f, s = n
    line = f'"{char}" * (len({s}) + {extra})' if extra else f'"{char}" * len({s})'
    body = {
        "below": f'{s} + "\\n" + line',
        "above": f'line + "\\n" + {s}',
        "both": f'line + "\\n" + {s} + "\\n" + line',
    }[place]
    where = {"below": "below it", "above": "above it", "both": "above and below it"}[place]
    wide = f"{extra} characters longer than the text" if extra else "as long as the text"

    def oracle(text: str) -> object:
        if not text:
            return "" if empty == '""' else None
        rule = char * (len(text) + extra)
        return "\n".join({"below": [text, rule], "above": [rule, text], "both": [rule, text, rule]}[place])

    return Task(
        says=(
            f"return `{s}` with a line of `{char}` {where}, {wide}",
            f"put a line of `{char}`, {wide}, {where} for the title `{s}`",
            f"write the heading `{s}` with a line of `{char}` {where} that is {wide}",
            f"add to `{s}` a line of `{char}` {where}; it is {wide}",
            f"make a heading of `{s}`: a line of `{char}`, {wide}, stands {where}",
            f"format `{s}` as a title with a line made of `{char}` {where} ({wide})",
        ),
        rules=(
            ("Lines are separated by a newline.", "Put newlines between the lines.", "A newline separates the lines."),
            when_empty(s, "an empty string" if empty == '""' else "None"),
        ),
        code=f"def {f}({s}):\n{empty_guard(s, empty)}    line = {line}\n    return {body}",
        oracle=oracle,
        inputs=each("", "a", "Title", "Two words", "x y z", "1", "Heading 2"),
    )


@family(
    "number_lines numbered with_numbers enumerate_lines",
    "lines items entries rows",
    start=(0, 1, 10),
    separator=(". ", ": ", ") ", " - "),
    give=("list", "text"),
)
def number_lines(n: Names, start: int, separator: str, give: str) -> Task:
    f, xs = n
    each_line = f'f"{{i}}{separator}{{line}}" for i, line in enumerate({xs}{f", {start}" if start else ""})'
    body = f"[{each_line}]" if give == "list" else f'"\\n".join({each_line})'
    what = "a list of the lines" if give == "list" else "one string of the lines"
    example = f"{start}{separator}first"

    def oracle(lines: list[str]) -> object:
        out = [str(start + i) + separator + line for i, line in enumerate(lines)]
        return out if give == "list" else "\n".join(out)

    return Task(
        says=(
            f"number the strings in `{xs}` like `{example}` and return {what}",
            f"return {what} from `{xs}`, each with its number in front as in `{example}`",
            f"put a number before each string of `{xs}` in the form `{example}` and return {what}",
            f"write `{xs}` as a numbered list that begins like `{example}`; return {what}",
            f"prefix each of the strings `{xs}` with its number, as in `{example}`, and return {what}",
            f"give {what} in `{xs}` with numbers, the first one as `{example}`",
        ),
        rules=(
            (f"Counting starts at {start}.", f"The first number is {start}.", f"Start with {start}."),
            *(
                [
                    (
                        "The lines are joined by newlines.",
                        "Separate the lines with newlines.",
                        "Put a newline between lines.",
                    )
                ]
                if give == "text"
                else []
            ),
        ),
        code=f"def {f}({xs}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            [], ["a"], ["a", "b"], ["first", "second", "third"], [""], ["x y", "z"], ["one", "two", "three", "four"]
        ),
    )
