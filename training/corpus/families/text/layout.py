"""Texts laid out in lines: indented, underlined, numbered."""

from __future__ import annotations

from training.corpus.clauses import each, empty_guard, when_empty
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "indent indent_lines prefix_lines quote_lines",
    "text s block source",
    prefix=("    ", "  ", "> ", "# ", "- "),
    blank=(True, False),
    give=("text", "list"),
)
def indent(n: Names, prefix: str, blank: bool, give: str) -> Task:
    f, s = n
    named = {"    ": "four spaces", "  ": "two spaces"}.get(prefix, f'`"{prefix}"`')
    line = f"{literal(prefix)} + line" if blank else f"{literal(prefix)} + line if line.strip() else line"
    lines = f"{line} for line in {s}.splitlines()"

    def oracle(text: str) -> object:
        out = [row if not blank and not row.strip() else f"{prefix}{row}" for row in text.splitlines()]
        return out if give == "list" else "\n".join(out)

    return Task(
        says=(
            f"put {named} in front of every line of `{s}`",
            f"prefix the lines of `{s}` with {named}",
            f"return the lines of `{s}` with {named} at the start of each",
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
                "The result is a string with newlines between the lines and none at the end.",
                "Return one string; separate the lines with newlines.",
            )
            if give == "text"
            else ("Return a list of the lines.", "The result is a list of lines.", "Give the lines as a list."),
        ),
        code=f"def {f}({s}):\n    return " + (f'"\\n".join({lines})' if give == "text" else f"[{lines}]"),
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
