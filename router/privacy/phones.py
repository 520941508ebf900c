"""Where phone numbers stand in a text: in international form, or in a national one if the text says what it is.

Digits alone are ordinary in code; a number counts when the numbering plan of its country has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import phonenumbers

from router.privacy.findings import Finding

_INTERNATIONAL = re.compile(r"\+(?<![\w)\].+*/-]\+)[1-9](?:[ ().\-/]{0,2}\d){7,14}(?![\w%]|\.\d)")
_NATIONAL = re.compile(r"[(\d](?<![\w.+\-/(][(\d])(?:[ ().\-/]{0,2}\d){7,12}(?!\w|[.-]\d)")
_AMERICAN = re.compile(r"\((?<![\w(]\()\d{3}\) ?\d{3}-\d{4}(?!\w|[.-]\d)")
_SAID = re.compile(r"phone|\btel\b|telef|mobil|\bcell|\bfax|\bhandy|whatsapp|\bsms\b", re.IGNORECASE)
_PARTS_OF_SAID = ("phone", "tel", "mobil", "cell", "fax", "handy", "whatsapp", "sms")
_SAID_WITHIN = 40
_LAST_GROUP = re.compile(r"[ /]+\d+\Z")
_DECIMAL = re.compile(r"\+?\d+\.\d+")
# Whose national numbers are tried; all others are found in international form.
_WITH_TRUNK_ZERO = ("DE", "GB", "FR", "IT", "NL", "CH", "AT", "BE", "SE", "AU", "IN", "JP", "BR")
_WITHOUT = ("US", "ES", "IT", "PL")
# Reserved for fiction: 555-01xx in North America, Ofcom's numbers for drama in Britain.
_FICTION = re.compile(r"1\d{3}55501\d\d|44(?:20794601?\d{2,3}|7700900\d{3}|1632960\d{3}|1[1-9]\d{1,2}496\d{4})")


def phones(text: str) -> Iterator[Finding]:
    """Every number that is in a numbering plan, in no order."""
    if "+" in text:
        yield from _found(_INTERNATIONAL, text, _international_regions)
    lower = text.lower()
    form = _NATIONAL if any(part in lower for part in _PARTS_OF_SAID) else _AMERICAN
    yield from _found(form, text, _national_regions)


def _found(
    form: re.Pattern[str], text: str, regions: Callable[[re.Match[str]], Sequence[str | None]]
) -> Iterator[Finding]:
    match = form.search(text)
    while match:
        possible = regions(match)
        real = (each for each in _readings(match[0]) for region in possible if _is_real(each, region))
        end = match.start() + len(next(real, ""))
        if end > match.start():
            yield Finding("personal", "phone", match.start(), end)
        match = form.search(text, end if end > match.start() else match.end())


def _readings(written: str) -> Iterator[str]:
    """All of it, and what is left without the last groups of digits, which may be the next number or a year."""
    for _ in range(3):
        yield written
        written = _LAST_GROUP.sub("", written)


def _international_regions(match: re.Match[str]) -> Sequence[str | None]:
    """A line that a diff adds begins with a + that belongs to no number."""
    at, text = match.start(), match.string
    in_diff = (at == 0 or text[at - 1] == "\n") and "\n@@ -" in text
    return () if in_diff else (None,)


def _national_regions(match: re.Match[str]) -> Sequence[str]:
    if not _is_said(match.string, match):
        return ()
    return _WITH_TRUNK_ZERO if match[0].lstrip("(").startswith("0") else _WITHOUT


def _is_said(text: str, match: re.Match[str]) -> bool:
    """Whether its form says that it is a phone number, or a word before it on the line."""
    before = text[max(0, match.start() - _SAID_WITHIN) : match.start()].rpartition("\n")[2]
    return _AMERICAN.match(text, match.start()) is not None or _SAID.search(before) is not None


def _is_real(written: str, region: str | None) -> bool:
    if _DECIMAL.fullmatch(written):
        return False
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    digits = f"{number.country_code}{number.national_number}"
    return phonenumbers.is_valid_number(number) and len(set(digits)) > 3 and not _FICTION.fullmatch(digits)
