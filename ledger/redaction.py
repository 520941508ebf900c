"""Secrets become `[redacted:<kind>]` before anything is hashed, stored or sent to a cloud. Pure.

The ledger and the secrets rung of the verification ladder call `redact`, the router `find_secrets`; redacting twice
changes nothing. It finds what has a recognisable shape or name, so it is a net, not a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.chain import ReadyDraft, check_draft, made_ready
from ledger.detectors import Detector, any_beginning, detectors, is_secret_name
from ledger.protocol import Draft, JsonValue

# Longer text holds some beginning, most likely, and one search through all of it would keep other threads waiting.
_SHORT = 8192
# Names of fields without a secret in them, whose values need not be hidden either: those of most drafts are the same.
_harmless_names: set[str] = set()
_MOST_NAMES, _LONGEST_NAME = 1024, 64


@dataclass(frozen=True, slots=True)
class Redaction:
    """The text without its secrets, and the kinds that were found, sorted ("aws-access-key", "private-key")."""

    text: str
    kinds: tuple[str, ...]


def redact(text: str) -> Redaction:
    """Replace every secret in `text`. Time is linear in its length; it may be any text."""
    kinds: set[str] = set()
    # What is replaced may have hidden the beginning of the next secret.
    while found := find_secrets(text):
        text = _replace(text, found)
        kinds.update(kind for _, _, kind in found)
    return Redaction(text, tuple(sorted(kinds)))


def find_secrets(text: str) -> list[tuple[int, int, str]]:
    """Begin, end and kind of every secret, in order; they may overlap."""
    lower = _lower(text)
    if len(lower) <= _SHORT and not any_beginning().search(lower):
        return []
    return sorted(
        (begin, end, detector.kind)
        for detector in detectors()
        for beginning in detector.beginnings
        if beginning in lower
        for begin, end in _spans(detector, beginning, text, lower)
    )


def _lower(text: str) -> str:
    """Lower case for ASCII alone, so that places in it are places in `text`."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _replace(text: str, found: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for begin, end, kind in found:
        if begin >= at:
            pieces += (text[at:begin], f"[redacted:{kind}]")
        at = max(at, end)
    return "".join((*pieces, text[at:]))


def redact_body(content: bytes) -> bytes:
    """Replace secrets in bytes, be they UTF-8 or not; every other byte stays as it is."""
    try:
        text, encoding = content.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = content.decode("latin-1"), "latin-1"
    redaction = redact(text)
    return redaction.text.encode(encoding) if redaction.kinds else content


def redact_draft(draft: Draft) -> ReadyDraft:
    """A draft that may be chained: checked, its data plain JSON without secrets.

    Raises `ValueError` for a draft that no chain could hold, and for one with a secret in its names or its key:
    replacing it there would make two different things one.
    """
    check_draft(draft)
    refuse_secrets(draft.stream, draft.type, draft.actor, draft.tenant, draft.key or "", *draft.accounts)
    return made_ready(draft, redact_json(draft.data))


def refuse_secrets(*names: str) -> None:
    """Raise `ValueError` for a name or key with a secret in it."""
    if kinds := redact("\n".join(names)).kinds:
        raise ValueError(f"A stream, type, actor, tenant or key contains a secret ({', '.join(kinds)}); use an id.")


def redact_json(value: JsonValue) -> JsonValue:
    """A plain JSON copy of `value` without secrets in strings, keys, and fields named like a secret.

    Raises `ValueError` for what is not a JSON value. A key that redaction makes equal to another gets a number.
    """
    if isinstance(value, str):
        return redact(value).text if find_secrets(value) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _redact_mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [redact_json(item) for item in value]
    raise ValueError(f"{type(value).__name__} is no JSON value; use text, numbers, true, false, null, lists and maps.")


def _redact_mapping(value: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is no JSON key; keys are text.")  # noqa: TRY004  # the data is wrong, not the call
        key, hides_text = (name, False) if _is_harmless(name) else (redact(name).text, is_secret_name(name))
        redacted, number = key, 1
        while key in result:
            number += 1
            key = f"{redacted} ({number})"
        hidden = hides_text and isinstance(item, str) and item
        result[key] = "[redacted:assigned-secret]" if hidden else redact_json(item)
    return result


def _is_harmless(name: str) -> bool:
    if name in _harmless_names:
        return True
    if redact(name).kinds or is_secret_name(name):
        return False
    if len(_harmless_names) >= _MOST_NAMES:
        _harmless_names.clear()
    if len(name) <= _LONGEST_NAME:
        _harmless_names.add(name)
    return True


def _spans(detector: Detector, beginning: str, text: str, lower: str) -> Iterator[tuple[int, int]]:
    at = lower.find(beginning)
    while at >= 0:
        if match := _match(detector, text, at):
            if detector.accept(match):
                yield match.span("secret")
            at = match.end() - 1
        at = lower.find(beginning, at + 1)


def _match(detector: Detector, text: str, at: int) -> re.Match[str] | None:
    for pattern in detector.patterns:
        if match := pattern.match(text, at):
            return match
    return None
