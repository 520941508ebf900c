"""The dates that the tests of several families use, and what they do without a date."""

from __future__ import annotations

from datetime import date

from training.corpus.clauses import each, raising
from training.corpus.types import Rule

DAYS = (
    date(2024, 1, 1),
    date(2024, 2, 29),
    date(2023, 12, 31),
    date(2024, 7, 6),
    date(2025, 10, 12),
    date(2026, 11, 20),
    date(2000, 5, 9),
    date(2023, 4, 27),
)


ONE_DAY = each(*DAYS)


def when_none(argument: str, result: str) -> Rule:
    """What None in place of a date gives: a literal, or the name of an error."""
    if result.endswith("Error"):
        return raising(f"`{argument}` is None", result)
    shown = f"`{result[1:-1]}`" if result.startswith('"') else result
    return (f"For None return {shown}.", f"If `{argument}` is None, return {shown}.", f"None gives {shown}.")
