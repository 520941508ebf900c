"""What is found in texts. Pure; a text that holds nothing costs a few searches in C."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ledger.redaction import find_secrets
from router.privacy.emails import emails
from router.privacy.findings import KINDS, Finding, apart
from router.privacy.numbers import numbers
from router.privacy.phones import phones

_SHORTEST = 6  # a@b.de


def scan(texts: Iterable[str]) -> tuple[Finding, ...]:
    """Everything found in each text, in order. Findings of one kind never overlap."""
    return tuple(replace(found, text=number) for number, text in enumerate(texts) for found in find(text))


def find(text: str, name: str = "") -> list[Finding]:
    """The findings in one text; `name` is the JSON key that it stands under, which can say what a value is."""
    if len(text) < _SHORTEST:
        return []
    if not name:
        return _find(text)
    lead = f'"{name}": "'
    inside = [each for each in _find(f'{lead}{text}"') if each.begin >= len(lead)]
    return [replace(each, begin=each.begin - len(lead), end=min(each.end - len(lead), len(text))) for each in inside]


def _find(text: str) -> list[Finding]:
    secrets = (Finding("secret", kind, begin, end) for begin, end, kind in find_secrets(text))
    found = [*secrets, *emails(text), *phones(text), *numbers(text)]
    if not found:
        return found
    by_kind = [each for kind in KINDS for each in apart(each for each in found if each.kind == kind)]
    return sorted(by_kind, key=lambda each: each.begin)
