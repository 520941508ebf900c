"""Identifiers: a family's synonyms, or now and then invented ones, so that a model learns to copy what it is told."""

from __future__ import annotations

import builtins
import keyword
import random
import re

from training.corpus.types import Family, Names, Options

INVENTED_SHARE = 0.3
SYLLABLES = (  # noqa: SIM905 - words are read as words, not as a list of quoted texts
    "ba be bi bo bu ca ce co da de di do fa fe fi fo ga ge go ha he hi ka ke ki la le li lo lu ma me mi mo na ne ni no "
    "pa pe pi po ra re ri ro sa se si so ta te ti to va ve vi vo wa we zo ar el in or us"
).split()
WORDS = (  # noqa: SIM905 - the same
    "action active amount answer apply area base batch block board book box branch build call card case chain change "
    "check chunk city clean client close code collect color compute copy core cost count create curve cycle data day "
    "delta detail done draft drop edge entry event extra fetch field file final find first fix flag flow fold "
    "form frame full game gather get grade graph grid group guess handle hint hold hour inner job join key kind "
    "last layer lead left level line link load local log loop main make mark match measure merge meta mode model "
    "month move my name new node note old order outer pack page pair part path pick piece place plan "
    "play point pool prepare process query queue quick rank rate raw read record reduce refine report reset "
    "result right role room root route row run safe scan score search select send shape shift show side sign simple "
    "size slot solve source split stage start state step stock store stream table tag take task team temp term "
    "test tidy time token tool total trace track trim turn unit update use user value view walk week wide work"
).split()


def draw_names(family: Family, rng: random.Random) -> Names:
    """One choice of the family's own synonyms, all different."""
    while True:
        names = (rng.choice(family.names), *(rng.choice(synonyms) for synonyms in family.arguments))
        if len(set(names)) == len(names):
            return names


def invent_names(family: Family, rng: random.Random) -> Names:
    """Identifiers that say nothing about the family, some of them no words at all."""
    while True:
        names = (
            invent_name(rng, is_class=family.names[0][0].isupper()),
            *(rng.choice(synonyms) if rng.random() < 0.5 else invent_word(rng) for synonyms in family.arguments),
        )
        if len(set(names)) == len(names):
            return names


def invent_name(rng: random.Random, is_class: bool) -> str:
    """A function's or class's name of one to three words."""
    words = [invent_word(rng) for _ in range(rng.choice((1, 2, 2, 3)))]
    return "".join(word.capitalize() for word in words) if is_class else "_".join(words)


def invent_word(rng: random.Random) -> str:
    """An English word, or syllables that make none."""
    if rng.random() < 0.5:
        return rng.choice(WORDS)
    word = "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3)))
    return f"{word}ta" if keyword.iskeyword(word) or hasattr(builtins, word) else word


def draw_training_names(family: Family, options: Options, rng: random.Random) -> Names:
    """What the training part uses: mostly synonyms, sometimes inventions that do not clash with names of the code."""
    names = draw_names(family, rng)
    if rng.random() < INVENTED_SHARE:
        used = set(re.findall(r"\w+", family.make(names, **options).code))
        invented = invent_names(family, rng)
        if used.isdisjoint(set(invented) - set(names)):
            return invented
    return names
