"""Python source of a value, the same on every run: double quotes, sorted sets, dates without their module."""

from __future__ import annotations

import datetime
import json


def literal(value: object) -> str:
    """Source text of a value made of plain types, dates included."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(literal, value))) + "}" if value else "set()"
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return repr(value).removeprefix("datetime.")
    return repr(value)
