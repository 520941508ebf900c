"""A thing that was found: where and of what kind. The value itself is never part of it, so it may be logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["secret", "personal"]
KINDS: tuple[Kind, ...] = ("secret", "personal")


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` stands in characters `begin` to `end` (exclusive) of text number `text` ("iban", "github-token")."""

    kind: Kind
    what: str
    begin: int
    end: int
    text: int = 0


def apart(findings: Iterable[Finding]) -> list[Finding]:
    """In order, where those that overlap have become one, named after the first."""
    result: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.text, each.begin, -each.end)):
        last = result[-1] if result else None
        if last is None or last.text != finding.text or finding.begin >= last.end:
            result.append(finding)
        elif finding.end > last.end:
            result[-1] = replace(last, end=finding.end)
    return result
