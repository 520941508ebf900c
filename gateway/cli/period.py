"""How far back a command looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

Since = Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d, ...")]


def beginning(since: str) -> datetime:
    """When the time begins that `--since` says. Raises `typer.BadParameter`."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", since)
    if found is None:
        raise typer.BadParameter(f"--since is a number and m, h or d, such as 7d, not {since!r}.")
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[found[2]]
    return datetime.now(UTC) - int(found[1]) * unit
