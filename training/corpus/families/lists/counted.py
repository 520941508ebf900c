"""Which numbers of a list count: conditions that families of this folder share."""

from __future__ import annotations

from training.corpus.clauses import raising, when_empty
from training.corpus.types import Rule

KEPT = {"zeros": "x != 0", "negative numbers": "x >= 0"}
"""What may be left out, and the condition on a number that stays."""


def skip_rules(argument: str, skip: str, empty: str) -> tuple[Rule, ...]:
    """What is left out first, and what the function gives when there is nothing (left)."""
    if skip == "nothing":
        return (when_empty(argument, empty),)
    nothing = (
        f"If nothing remains, return {empty}.",
        f"Return {empty} when there is nothing left.",
        f"If no numbers are left, the result is {empty}.",
    )
    return (*skipping(skip), raising("nothing remains", empty) if empty.endswith("Error") else nothing)


def skipping(skip: str) -> tuple[Rule, ...]:
    """What is left out first, if anything."""
    return () if skip == "nothing" else ((f"First remove {skip}.", f"Ignore {skip}.", f"Do not count {skip}."),)


def skip_line(argument: str, skip: str) -> str:
    """The line that leaves out what `skip_rules` says, or nothing."""
    return "" if skip == "nothing" else f"    {argument} = [x for x in {argument} if {KEPT[skip]}]\n"


def remaining(values: list[int], skip: str) -> list[int]:
    """What an oracle keeps where the code has `skip_line`."""
    unwanted = {"nothing": (), "zeros": (0,), "negative numbers": range(-1000, 0)}[skip]
    return [x for x in values if x not in unwanted]


def counting(once: bool) -> Rule:
    """Whether equal numbers count once or each time."""
    if once:
        return ("Equal numbers count once.", "Repeated numbers count only once.", "Duplicates are ignored.")
    return ("Equal numbers count separately.", "Repeated numbers count each time.", "Duplicates are not ignored.")
