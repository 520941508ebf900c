"""A text in another shape: reversed, rotated, masked, wrapped, abbreviated."""

from __future__ import annotations

from training.corpus.clauses import each, outcome
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "reverse_text reversed_text flip backwards",
    "text s line value",
    unit=("text", "words", "each word"),
    separator=(" ", ",", "-"),
)
def reverse_text(n: Names, unit: str, separator: str) -> Task:
    f, s = n
    sep = literal(separator)
    spaced = "spaces" if separator == " " else f"`{separator}`"
    what = {
        "text": (f"the characters of `{s}` in reverse order", f'{s}.replace({sep}, "")[::-1]'),
        "words": (f"the words of `{s}` in reverse order", f"{sep}.join({s}.split({sep})[::-1])"),
        "each word": (
            f"`{s}` with the letters of each word reversed",
            f"{sep}.join(w[::-1] for w in {s}.split({sep}))",
        ),
    }[unit]

    def oracle(text: str) -> str:
        words = text.split(separator)
        return {
            "text": "".join(reversed("".join(words))),
            "words": separator.join(reversed(words)),
            "each word": separator.join("".join(reversed(w)) for w in words),
        }[unit]

    return Task(
        says=(
            f"return {what[0]}",
            f"build {what[0]} and return the result",
            f"produce {what[0]}",
            f"give back {what[0]}",
            f"take `{s}` and return {what[0].replace(f'`{s}`', 'it')}",
            f"compute {what[0]}",
        ),
        rules=(
            (f"Leave out all {spaced}.", f"Remove all {spaced} first.", f"Drop {spaced} from the result.")
            if unit == "text"
            else (
                f"Words are separated by {spaced}.",
                f"The words are joined by {spaced}.",
                f"Between words there are {spaced}.",
            ),
        ),
        code=f"def {f}({s}):\n    return {what[1]}",
        oracle=oracle,
        inputs=each(
            "", "a", "ab cd", "one,two,three", "x-yz-abc", "a b,c-d", "hello world", "no-stop,go on", "1 2,3-4 5"
        ),
    )


@family(
    "rotate_text rotate shift_text spin",
    "text s word",
    "k steps places n",
    direction=("left", "right"),
    empty=('""', "None", "ValueError"),
)
def rotate_text(n: Names, direction: str, empty: str) -> Task:
    f, s, k = n
    from training.corpus.clauses import empty_guard, when_empty

    sign = "" if direction == "left" else "-"

    def oracle(text: str, steps: int) -> object:
        if not text:
            return outcome(empty)
        for _ in range(steps):
            text = text[1:] + text[0] if direction == "left" else text[-1] + text[:-1]
        return text

    return Task(
        says=(
            f"rotate `{s}` by `{k}` characters to the {direction}",
            f"move the characters of `{s}` `{k}` places to the {direction}, wrapping around",
            f"return `{s}` shifted {direction} in a circle by `{k}`",
            f"turn `{s}` `{k}` steps to the {direction}; what falls off comes back on the other side",
            f"shift `{s}` cyclically to the {direction} by `{k}`",
            f"return `{s}` after `{k}` rotations to the {direction}",
        ),
        rules=(when_empty(s, empty if empty != '""' else "an empty string"),),
        code=f"def {f}({s}, {k}):\n{empty_guard(s, empty)}    k = {sign}{k} % len({s})\n    return {s}[k:] + {s}[:k]"
        if k != "k"
        else f"def {f}({s}, {k}):\n{empty_guard(s, empty)}    k = {sign}k % len({s})\n    return {s}[k:] + {s}[:k]",
        oracle=oracle,
        inputs=(("", 2), ("a", 3), ("abc", 1), ("abcdef", 2), ("abc", 4), ("hello", 0), ("xyz", 2), ("12345", 7)),
    )


@family(
    "mask hide_chars censor obscure",
    "text s number secret",
    "visible shown keep count",
    char=("*", "#", "x"),
    side=("end", "start"),
    short=("mask", "keep"),
)
def mask(n: Names, char: str, side: str, short: str) -> Task:
    f, s, k = n
    last = "last" if side == "end" else "first"
    kept = f"{s}[-{k}:]" if side == "end" else f"{s}[:{k}]"
    hidden = f"{literal(char)} * (len({s}) - {k})"
    result = f"{hidden} + {kept}" if side == "end" else f"{kept} + {hidden}"
    early = f"{literal(char)} * len({s})" if short == "mask" else s

    def oracle(text: str, visible: int) -> str:
        if len(text) <= visible:
            return char * len(text) if short == "mask" else text
        shown = range(len(text) - visible, len(text)) if side == "end" else range(visible)
        return "".join(c if i in shown else char for i, c in enumerate(text))

    return Task(
        says=(
            f"replace all but the {last} `{k}` characters of `{s}` with `{char}`",
            f"hide `{s}` behind `{char}` and show only the {last} `{k}` characters",
            f"return `{s}` masked with `{char}`, its {last} `{k}` characters visible",
            f"mask every character of `{s}` with `{char}` except for the {last} `{k}`",
            f"keep the {last} `{k}` characters of `{s}` and put `{char}` in place of the others",
            f"turn all characters of `{s}` into `{char}`, leaving the {last} `{k}` readable",
        ),
        rules=(
            (
                f"If `{s}` is not longer than `{k}`, mask all of it.",
                f"Mask everything when `{s}` has `{k}` characters or fewer.",
                f"A `{s}` of at most `{k}` characters is masked completely.",
            )
            if short == "mask"
            else (
                f"If `{s}` is not longer than `{k}`, return it unchanged.",
                f"Leave `{s}` as it is when it has `{k}` characters or fewer.",
                f"A `{s}` of at most `{k}` characters stays as it is.",
            ),
        ),
        code=f"def {f}({s}, {k}):\n    if len({s}) <= {k}:\n        return {early}\n    return {result}",
        oracle=oracle,
        inputs=(
            ("", 2),
            ("abc", 3),
            ("12345678", 4),
            ("ab", 4),
            ("secret", 1),
            ("xyz", 2),
            ("password", 3),
            ("hello you", 5),
        ),
    )


@family(
    "wrap_text surround enclose quote",
    "text s word value",
    pair=("()", "[]", "<>", "{}", '""', "**"),
    twice=(True, False),
)
def wrap_text(n: Names, pair: str, twice: bool) -> Task:
    f, s = n
    first, last = pair[0], pair[1]
    check = (
        ""
        if twice
        else f"    if len({s}) > 1 and {s}[0] == {literal(first)} and {s}[-1] == {literal(last)}:\n        return {s}\n"
    )
    code = f"{literal(first)} + {s} + {literal(last)}"

    def oracle(text: str) -> str:
        return text if not twice and len(text) > 1 and text[0] + text[-1] == pair else f"{first}{text}{last}"

    return Task(
        says=(
            f"put `{first}` before and `{last}` after `{s}`",
            f"wrap `{s}` in `{first}` and `{last}`",
            f"return `{s}` between `{first}` and `{last}`",
            f"surround `{s}` with `{first}` on the left and `{last}` on the right",
            f"enclose `{s}` in `{first}` and `{last}`",
            f"add `{first}` at the start and `{last}` at the end of `{s}`",
        ),
        rules=(
            (
                f"Do it even if `{s}` is already wrapped.",
                "Text that is already wrapped is wrapped again.",
                "Always add them.",
            )
            if twice
            else (
                f"If `{s}` is already wrapped, return it unchanged.",
                "Text that is already wrapped stays as it is.",
                "Do not wrap twice.",
            ),
        ),
        code=f"def {f}({s}):\n{check}    return {code}",
        oracle=oracle,
        inputs=each(
            "",
            pair,
            "word",
            f"{first}a{last}",
            first,
            "two words",
            last,
            f"{first}b",
            f"{first}{first}x{last}{last}",
            f"c{last}",
        ),
    )


@family(
    "initials make_initials first_letters abbreviation",
    "name text s full_name",
    dot=("", ".", "-"),
    case=("upper", "keep", "lower"),
    limit=(0, 2, 3),
)
def initials(n: Names, dot: str, case: str, limit: int) -> Task:
    f, s = n
    change = {"upper": ".upper()", "lower": ".lower()", "keep": ""}[case]
    words = f"{s}.split()[:{limit}]" if limit else f"{s}.split()"
    body = {
        "": f'"".join(w[0]{change} for w in {words})',
        ".": f'"".join(w[0]{change} + "." for w in {words})',
        "-": f'"-".join(w[0]{change} for w in {words})',
    }[dot]
    first = f"the first {limit} words" if limit else "each word"
    style = {"": "without anything between", ".": "each followed by a `.`", "-": "joined by `-`"}[dot]

    def oracle(text: str) -> str:
        letters = [{"upper": w[0].upper(), "lower": w[0].lower(), "keep": w[0]}[case] for w in text.split()]
        letters = letters[:limit] if limit else letters
        return "-".join(letters) if dot == "-" else "".join(c + dot for c in letters)

    return Task(
        says=(
            f"return the first letter of {first} in `{s}`, {style}",
            f"build the initials of `{s}` from the first letter of {first}, {style}",
            f"make an abbreviation of `{s}`: the first letter of {first}, {style}",
            f"take the first letter of {first} of `{s}` and return them {style}",
            f"shorten `{s}` to the first letter of {first}, {style}",
            f"give the initials of {first} in `{s}`, {style}",
        ),
        rules=(
            {
                "upper": ("Use capital letters.", "They are in upper case.", "Make them upper case."),
                "lower": ("Use small letters.", "They are in lower case.", "Make them lower case."),
                "keep": ("Do not change their case.", "They keep their case.", "Keep the case as it is."),
            }[case],
        ),
        code=f"def {f}({s}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            "",
            "Ada",
            "ada lovelace",
            "Grace Brewster Hopper",
            "John ronald Reuel tolkien",
            "x y",
            "  Two  Spaces ",
            "The Lord of the Rings",
        ),
    )
