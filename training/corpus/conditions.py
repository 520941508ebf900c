"""Conditions on numbers that many families ask for: by name, as source text and as an independent check."""

from __future__ import annotations

from collections.abc import Callable

from training.corpus.clauses import each

COMPARED: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "greater than": (">", lambda x, y: x > y),
    "less than": ("<", lambda x, y: x < y),
    "at least": (">=", lambda x, y: not x < y),
    "at most": ("<=", lambda x, y: not x > y),
}
"""Comparisons with a limit: a name, the operator, and what an oracle does instead."""
CONDITIONS: dict[str, tuple[str, Callable[[int], bool]]] = {
    "even": ("x % 2 == 0", lambda x: x in range(-100, 100, 2)),
    "odd": ("x % 2 != 0", lambda x: x in range(-99, 100, 2)),
    "positive": ("x > 0", lambda x: x in range(1, 100)),
    "negative": ("x < 0", lambda x: x in range(-100, 0)),
    "non-zero": ("x != 0", lambda x: bool(x)),
}
"""Properties of one number `x`: a name, the source text, and what an oracle does instead."""
NUMBERS = each([], [0], [1, 2, 3, 4], [-3, -2, -1], [5, -5, 0, 10], [7, 7, 8], [-4, 9, 0, 0, 6], [2, -1, 12, 3])
"""Lists that tell the conditions apart."""
