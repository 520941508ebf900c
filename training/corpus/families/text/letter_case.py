"""Upper and lower case, camel case and snake case."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task

CAPITALIZE_WORDS_INPUTS = each(
    "",
    "a",
    "hello WORLD of and the a",
    "one-TWO-of-the-a-and",
    "x_yZ_of_the_and_a",
    "aPPLE and Pear",
    "the-end-of-a-DAY and",
    "war_and_peace_the_BOOK of",
    "of mice and men-THE a_Film",
)


@family(
    "capitalize_words title_words upper_first headline",
    "text s title name",
    separator=(" ", "-", "_"),
    rest=("lower", "keep"),
    small=((), ("of", "and"), ("the", "a")),
)
def capitalize_words(n: Names, separator: str, rest: str, small: tuple[str, ...]) -> Task:
    f, s = n
    sep = literal(separator)
    change = "w.capitalize()" if rest == "lower" else "w[:1].upper() + w[1:]"
    body = f"{change} if w not in {literal(small)} else w" if small else change
    spaced = "spaces" if separator == " " else f"`{separator}`"
    rules = [
        (
            "The other letters become lower case.",
            "Make the other letters lower case.",
            "All other letters are lowercased.",
        )
        if rest == "lower"
        else (
            "The other letters stay as they are.",
            "Do not change the other letters.",
            "Leave all other letters alone.",
        ),
    ]
    if small:
        listed = " and ".join(f"`{w}`" for w in small)
        rules.append(
            (
                f"The words {listed} stay unchanged.",
                f"Do not change the words {listed}.",
                f"Leave {listed} as they are.",
            )
        )

    def oracle(text: str) -> str:
        words = []
        for w in text.split(separator):
            tail = w[1:].lower() if rest == "lower" else w[1:]
            words.append(w if w in small else w[:1].upper() + tail)
        return separator.join(words)

    return Task(
        says=(
            f"make the first letter of each word in `{s}` a capital; words are separated by {spaced}",
            f"capitalize every word of `{s}`, where {spaced} separate the words",
            f"return `{s}` with each word capitalized (words are separated by {spaced})",
            f"split `{s}` at {spaced}, capitalize each word and join them again",
            f"write every word of `{s}` with a capital first letter; the words have {spaced} between them",
            f"turn the first letter of all words in `{s}` into upper case, with {spaced} between words",
        ),
        rules=tuple(rules),
        code=f"def {f}({s}):\n    return {sep}.join({body} for w in {s}.split({sep}))",
        oracle=oracle,
        inputs=CAPITALIZE_WORDS_INPUTS,
    )


@family(
    "to_camel camel_case snake_to_camel camelize",
    "name s text key",
    separator=("_", "-", " "),
    first=("lower", "upper"),
)
def to_camel(n: Names, separator: str, first: str) -> Task:
    f, s = n
    sep = literal(separator)
    style = "camelCase" if first == "lower" else "PascalCase"
    spaced = {"_": "underscores", "-": "hyphens", " ": "spaces"}[separator]
    if first == "lower":
        body = f'first, *rest = {s}.split({sep})\n    return first.lower() + "".join(w.capitalize() for w in rest)'
    else:
        body = f'return "".join(w.capitalize() for w in {s}.split({sep}))'

    def oracle(text: str) -> str:
        joined = "".join(w[:1].upper() + w[1:].lower() for w in text.split(separator))
        head = text.split(separator)[0]
        return head.lower() + joined[len(head) :] if first == "lower" else joined

    return Task(
        says=(
            f"convert `{s}` to {style}; its words are separated by {spaced}",
            f"turn `{s}`, whose words have {spaced} between them, into {style}",
            f"return `{s}` in {style} (the words are separated by {spaced})",
            f"rewrite `{s}` from words with {spaced} to {style}",
            f"change `{s}` to {style} by removing the {spaced} and capitalizing the words",
            f"join the words of `{s}`, separated by {spaced}, in {style}",
        ),
        code=f"def {f}({s}):\n    {body}",
        oracle=oracle,
        inputs=each(
            "",
            "a",
            "user_name-id here",
            "first-second_third part",
            "one two_three-four",
            "MAX_SIZE",
            "get-http-url",
            "big Red Dog",
            "x_y_z",
            "a-b c",
        ),
    )


@family(
    "split_camel camel_to_snake from_camel decamelize",
    "name s text identifier",
    separator=("_", "-", " ", "."),
    case=("lower", "upper", "keep"),
)
def split_camel(n: Names, separator: str, case: str) -> Task:
    f, s = n
    spaced = "spaces" if separator == " " else f"`{separator}`"
    change = {"lower": "out.lower()", "upper": "out.upper()", "keep": "out"}[case]

    def oracle(text: str) -> str:
        pieces = [""]
        for c in text:
            if c.isupper() and (len(pieces) > 1 or pieces[0]):
                pieces.append("")
            pieces[-1] += c
        joined = separator.join(pieces)
        return {"lower": joined.lower(), "upper": joined.upper(), "keep": joined}[case]

    return Task(
        says=(
            f"put `{separator}` before each capital letter of `{s}`, except at the start"
            if separator != " "
            else f"put a space before each capital letter of `{s}`, except at the start",
            f"split the camelCase name `{s}` into words joined by {spaced}",
            f"convert `{s}` from camelCase to words separated by {spaced}",
            f"return the camelCase text `{s}` with {spaced} between its words",
            f"separate the words of `{s}`, which is in camelCase, by {spaced}",
            f"turn the camelCase `{s}` into words with {spaced} between them",
        ),
        rules=(
            {
                "lower": ("The result is in lower case.", "Make everything lower case.", "Return it in lower case."),
                "upper": ("The result is in upper case.", "Make everything upper case.", "Return it in upper case."),
                "keep": ("Do not change the case.", "Keep the case of all letters.", "The letters keep their case."),
            }[case],
        ),
        code=f"""
def {f}({s}):
    out = ""
    for c in {s}:
        if c.isupper() and out:
            out += {literal(separator)}
        out += c
    return {change}
""",
        oracle=oracle,
        inputs=each(
            "", "a", "userName", "UserNameId", "parseHTML", "X", "maxRetryCount", "simple", "aB", "HelloBigWorld"
        ),
    )


def alternate_case_oracle(start: str, by: str, rest: str, text: str) -> str:
    pieces = text.split(" ") if by == "word" else list(text)
    out, i = [], 0
    for piece in pieces:
        if by == "letter" and not piece.isalpha():
            out.append(piece)
            continue
        out.append(piece.upper() if (i % 2 == 0) == (start == "upper") else piece.lower() if rest == "lower" else piece)
        i += 1
    return (" " if by == "word" else "").join(out)


@family(
    "alternate_case mixed_case change_case wave_case",
    "text s word line",
    start=("upper", "lower"),
    by=("character", "word", "letter"),
    rest=("lower", "keep"),
)
def alternate_case(n: Names, start: str, by: str, rest: str) -> Task:
    f, s = n
    remainder = "0" if start == "upper" else "1"
    other = "c.lower()" if rest == "lower" else "c"
    if by == "word":
        other = other.replace("c", "w", 1) if rest == "lower" else "w"
        body = (
            f'    return " ".join(w.upper() if i % 2 == {remainder} else {other} for i, w in enumerate({s}.split(" ")))'
        )
    elif by == "character":
        body = f'    return "".join(c.upper() if i % 2 == {remainder} else {other} for i, c in enumerate({s}))'
    else:
        body = (
            f'    out = ""\n    i = 0\n    for c in {s}:\n        if c.isalpha():\n'
            f"            out += c.upper() if i % 2 == {remainder} else {other}\n            i += 1\n        else:\n"
            "            out += c\n    return out"
        )
    first = {"upper": "first", "lower": "second"}[start]
    return Task(
        says=(
            f"put every other {by} of `{s}` in upper case, beginning with the {first} one",
            f"return `{s}` with every second {by} in upper case, starting at the {first}",
            f"convert each second {by} of `{s}` to upper case; the {first} one is the first to change",
            f"make every other {by} in `{s}` upper case, from the {first} on",
            f"write `{s}` with alternating case by {by}, where the {first} one is in upper case",
            f"change every second {by} of `{s}` to upper case, the {first} one first",
        ),
        rules=(
            ("The others become lower case.", "Put the others in lower case.", "All others are in lower case.")
            if rest == "lower"
            else ("The others stay as they are.", "Do not change the others.", "Leave the others alone."),
            *(
                [
                    (
                        "Only letters count; other characters stay.",
                        "Count only letters and keep other characters.",
                        "Other characters are kept and not counted.",
                    )
                ]
                if by == "letter"
                else []
            ),
        ),
        code=f"def {f}({s}):\n{body}",
        oracle=partial(alternate_case_oracle, start, by, rest),
        inputs=each("", "a", "Hello World", "ABC def GHI", "a1b2c3", "one TWO three", "x-Y z", "MiXeD CaSe tExT"),
    )
