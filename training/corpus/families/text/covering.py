"""Texts with something over or around them: masked, wrapped."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.literals import literal
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def mask_oracle(char: str, side: str, short: str, text: str, visible: int) -> object:
    if len(text) <= visible:
        return {"mask": char * len(text), "keep": text}[short] if short != "ValueError" else outcome(short)
    shown = range(len(text) - visible, len(text)) if side == "end" else range(visible)
    return "".join(c if i in shown else char for i, c in enumerate(text))


def mask_short(s: str, k: str, short: str) -> Rule:
    if short == "ValueError":
        return raising(f"`{s}` is not longer than `{k}`", short)
    if short == "mask":
        return (
            f"If `{s}` is not longer than `{k}`, mask all of it.",
            f"Mask everything when `{s}` has `{k}` characters or fewer.",
            f"A `{s}` of at most `{k}` characters is masked completely.",
        )
    return (
        f"If `{s}` is not longer than `{k}`, return it unchanged.",
        f"Leave `{s}` as it is when it has `{k}` characters or fewer.",
        f"A `{s}` of at most `{k}` characters stays as it is.",
    )


@family(
    "mask hide_chars censor obscure",
    "text s number secret",
    "visible shown keep count",
    char=("*", "#", "x"),
    side=("end", "start"),
    short=("mask", "keep", "ValueError"),
)
def mask(n: Names, char: str, side: str, short: str) -> Task:
    f, s, k = n
    last = "last" if side == "end" else "first"
    hidden = f"{literal(char)} * (len({s}) - {k})"
    result = f"{hidden} + {s}[len({s}) - {k}:]" if side == "end" else f"{s}[:{k}] + {hidden}"
    early = {"mask": f"{literal(char)} * len({s})", "keep": s}.get(short, short)
    return Task(
        says=(
            f"replace all but the {last} `{k}` characters of `{s}` with `{char}`",
            f"hide `{s}` behind `{char}` and show only the {last} `{k}` characters",
            f"return `{s}` masked with `{char}`, its {last} `{k}` characters visible",
            f"mask every character of `{s}` with `{char}` except for the {last} `{k}`",
            f"keep the {last} `{k}` characters of `{s}` and put `{char}` in place of the others",
            f"turn all characters of `{s}` into `{char}`, leaving the {last} `{k}` readable",
        ),
        rules=(mask_short(s, k, short),),
        code=f"def {f}({s}, {k}):\n{guard(f'len({s}) <= {k}', early, f'{s} is too short')}    return {result}",
        oracle=partial(mask_oracle, char, side, short),
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


WRAP_RULES: dict[str, Rule] = {
    "twice": (
        "Do it even if the text is already wrapped.",
        "Text that is already wrapped is wrapped again.",
        "Always add them.",
    ),
    "once": (
        "If the text is already wrapped, add nothing.",
        "Text that is already wrapped stays as it is.",
        "Do not wrap twice.",
    ),
    "strip": ("Strip spaces at both ends first.", "First remove spaces around the text.", "First trim the text."),
    "keep": ("Keep spaces around the text.", "Do not strip spaces.", "Do not trim the text."),
}


@family(
    "wrap_text surround enclose quote",
    "text s word value",
    pair=("()", "[]", "<>", "{}", '""', "**"),
    again=("twice", "once"),
    spaces=("strip", "keep"),
)
def wrap_text(n: Names, pair: str, again: str, spaces: str) -> Task:
    f, s = n
    first, last = pair[0], pair[1]
    wrapped = f"len({s}) > 1 and {s}[0] == {literal(first)} and {s}[-1] == {literal(last)}"
    strip = f"    {s} = {s}.strip()\n" if spaces == "strip" else ""
    check = guard(wrapped, s, "") if again == "once" else ""

    def oracle(value: str) -> str:
        text = " ".join(value.split()) if spaces == "strip" else value
        return text if again == "once" and len(text) > 1 and text[0] + text[-1] == pair else f"{first}{text}{last}"

    return Task(
        says=(
            f"put `{first}` before and `{last}` after `{s}`",
            f"wrap `{s}` in `{first}` and `{last}`",
            f"return `{s}` between `{first}` and `{last}`",
            f"surround `{s}` with `{first}` on the left and `{last}` on the right",
            f"enclose `{s}` in `{first}` and `{last}`",
            f"add `{first}` at the start and `{last}` at the end of `{s}`",
        ),
        rules=(WRAP_RULES[again], WRAP_RULES[spaces]),
        code=f"def {f}({s}):\n{strip}{check}    return {literal(first)} + {s} + {literal(last)}",
        oracle=oracle,
        inputs=each(
            "",
            pair,
            "word",
            f"{first}a{last}",
            first,
            " two words ",
            f"{first}b",
            f"{first}{first}x{last}{last}",
            f"c{last}",
            f" {first}d{last}",
        ),
    )
