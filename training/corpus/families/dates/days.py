"""The dates that the tests of several families use."""

from __future__ import annotations

from datetime import date

from training.corpus.clauses import each

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
