"""Instructions in plain English: sentence frames around a phrasing, with the extra rules behind it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from training.corpus.types import Rule

FRAMES = (
    "Write a {kind} `{signature}` that {does}.",
    "Write a Python {kind} `{signature}` that {does}.",
    "Implement `{signature}` so that it {does}.",
    "Implement a {kind} `{signature}` which {does}.",
    "Please add a {kind} `{signature}` that {does}.",
    "I need a {kind} `{signature}` that {does}.",
    "Create `{signature}`. It should {do}.",
    "Add a {kind} `{signature}`: it {does}.",
    "Can you write `{signature}`? It should {do}.",
    "The {kind} `{signature}` should {do}.",
    "{Do}. Name the {kind} `{signature}`.",
    "Define `{signature}`, a {kind} that {does}.",
)
GIVEN = (
    "Given {given}, {do}. Call the function `{signature}`.",
    "Write `{signature}`. Given {given}, {do}.",
    "Write a function called `{name}` that takes {given} and {does}.",
)
IRREGULAR = {"have": "has", "be": "is", "do": "does", "go": "goes"}
LATER_VERBS = (
    "return give join sort count keep put build collect order reverse drop add capitalize round show ignore stop "
    "divide multiply raise tell convert pass leave skip let take set remove split write move do have use make"
)
LATER_VERB = re.compile(rf"\b(and|then) ({LATER_VERBS.replace(' ', '|')})\b")


def third_person(phrase: str) -> str:
    """Put the verbs of a phrase into the third person: "sort it and return it" becomes "sorts it and returns it"."""
    verb, space, rest = phrase.partition(" ")
    rest = LATER_VERB.sub(lambda match: f"{match[1]} {conjugate(match[2])}", rest)
    return f"{conjugate(verb)}{space}{rest}"


def conjugate(verb: str) -> str:
    """The third person singular of a verb."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith(("s", "x", "z", "ch", "sh")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def listed(names: Sequence[str]) -> str:
    """Names in backticks, as a sentence lists them."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def instruct(phrase: str, rules: Sequence[Rule], signature: str, is_class: bool, rng: random.Random) -> str:
    """One instruction: a frame around the phrase, then one wording of every rule."""
    name, _, inside = signature.partition("(")
    arguments = [argument.split("=")[0].strip() for argument in inside.rstrip(")").split(",") if argument.strip()]
    frames = FRAMES if is_class or not arguments or "=" in inside else FRAMES + GIVEN
    asked = rng.choice(frames).format(
        kind="class" if is_class else "function",
        signature=signature,
        name=name,
        given=listed(arguments) if arguments else "",
        do=phrase,
        does=third_person(phrase),
        Do=phrase[0].upper() + phrase[1:],
    )
    return " ".join([asked, *(rng.choice(rule) for rule in rules)])
