"""Upper and lower case."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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


def alternate_case_oracle(start: str, by: str, rest: str, step: int, text: str) -> str:
    pieces = text.split(" ") if by == "word" else list(text)
    out, left = [], 0 if start == "upper" else 1
    for piece in pieces:
        if by == "letter" and not piece.isalpha():
            out.append(piece)
            continue
        out.append(piece.upper() if left == 0 else piece.lower() if rest == "lower" else piece)
        left = left - 1 if left else step - 1
    return (" " if by == "word" else "").join(out)


ALTERNATE_RULES: dict[str, Rule] = {
    "lower": ("The others become lower case.", "Put the others in lower case.", "All others are in lower case."),
    "keep": ("The others stay as they are.", "Do not change the others.", "Leave the others alone."),
    "letter": (
        "Only letters count; other characters stay.",
        "Count only letters and keep other characters.",
        "Other characters are kept and not counted.",
    ),
    "character": (
        "All characters count, spaces too.",
        "Spaces and signs count as characters.",
        "Count every character, also spaces.",
    ),
    "word": ("Words are separated by spaces.", "Split at spaces.", "A space separates two words."),
}


def alternate_case_code(s: str, by: str, rest: str, test: str) -> str:
    piece = "w" if by == "word" else "c"
    change = f"{piece}.upper() if {test} else {piece}{'.lower()' if rest == 'lower' else ''}"
    if by == "word":
        return f'    return " ".join({change} for i, w in enumerate({s}.split(" ")))'
    if by == "character":
        return f'    return "".join({change} for i, c in enumerate({s}))'
    return (
        f'    out = ""\n    i = 0\n    for c in {s}:\n        if c.isalpha():\n            out += {change}\n'
        "            i += 1\n        else:\n            out += c\n    return out"
    )


@family(
    "alternate_case mixed_case change_case wave_case",
    "text s word line",
    start=("upper", "lower"),
    by=("character", "word", "letter"),
    rest=("lower", "keep"),
    step=(2, 3),
)
def alternate_case(n: Names, start: str, by: str, rest: str, step: int) -> Task:
    f, s = n
    test = f"i % {step} == {0 if start == 'upper' else 1}"
    first = {"upper": "first", "lower": "second"}[start]
    nth = {2: "second", 3: "third"}[step]
    return Task(
        says=(
            f"put every {nth} {by} of `{s}` in upper case, beginning with the {first} one",
            f"return `{s}` with every {nth} {by} in upper case, starting at the {first}",
            f"convert each {nth} {by} of `{s}` to upper case; the {first} one is the first to change",
            f"make every {nth} {by} in `{s}` upper case, from the {first} on",
            f"write every {nth} {by} of `{s}` in capitals, counting from the {first} one, which is the first to change",
            f"change every {nth} {by} of `{s}` to upper case, the {first} one first",
        ),
        rules=(ALTERNATE_RULES[rest], ALTERNATE_RULES[by]),
        code=f"def {f}({s}):\n{alternate_case_code(s, by, rest, test)}",
        oracle=partial(alternate_case_oracle, start, by, rest, step),
        inputs=each(
            "", "a", "Hello World", "ABC def GHI JKl", "a1b2c3", "one TWO three", "x-Y z", "MiXeD CaSe tExT oNe mOre"
        ),
    )
