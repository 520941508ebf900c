"""What the command line shows: plain where it is read by programs, tables and colour on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

# soft_wrap: a path or a key must never be broken into two lines; a pipe has no width at all.
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 1000)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table with these columns; cells are shown as text, never as markup."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    return made


def visible(text: str) -> str:
    """Text that may come from a model or a repository, without terminal control characters."""
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def escape(text: str) -> str:
    """The same for places where rich reads markup."""
    return visible(text).replace("[", "\\[")
