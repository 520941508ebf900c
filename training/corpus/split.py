"""Which phrasings and combinations of options a model may learn from, and which are kept back.

Every family keeps whole combinations back, and of its phrasings one for the development set and another for the
held-out set; each single option value stays in training, so that what is kept back can be solved by composing
what was seen.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.corpus.tasks import combinations
from training.corpus.types import Family, Options, Part

KEPT_BACK_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class FamilySplit:
    """A family's combinations and indices of phrasings, by part."""

    family: Family
    options: Mapping[Part, Sequence[Options]]
    phrasings: Mapping[Part, Sequence[int]]


def split_family(family: Family, seed: int) -> FamilySplit:
    """Divide one family; depends on nothing but its declaration and the seed."""
    rng = random.Random(f"{seed}:split:{family.key}")
    every = combinations(family)
    rng.shuffle(every)
    count = len(family.make((family.names[0], *(words[0] for words in family.arguments)), **every[0]).says)
    phrasings = rng.sample(range(count), count)
    return FamilySplit(
        family=family,
        options=divide(every),
        phrasings={"heldout": phrasings[:1], "dev": phrasings[1:2], "train": sorted(phrasings[2:])},
    )


def divide(every: Sequence[Options]) -> dict[Part, list[Options]]:
    """Keep combinations back, as many as the share says, where each of their values is still seen in training."""
    wanted = max(1, round(KEPT_BACK_SHARE * len(every)))
    seen = Counter(item for options in every for item in values(options))
    kept_back: list[Options] = []
    train: list[Options] = []
    for options in every:
        if len(kept_back) < wanted and all(seen[item] > 1 for item in values(options)):
            seen.subtract(values(options))
            kept_back.append(options)
        else:
            train.append(options)
    return {"heldout": kept_back, "dev": kept_back, "train": train}


def values(options: Options) -> list[tuple[str, str]]:
    """The option values that training must show; numbers are copied from the instruction, so any will do."""
    return [
        (key, repr(value)) for key, value in options.items() if isinstance(value, bool) or not isinstance(value, int)
    ]
