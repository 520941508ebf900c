"""A request whose findings have become placeholders, and what puts the values back. Nothing is decided here.

A placeholder is an identifier (`REDACTED_1_EMAIL`): it stays what it is inside code, string literals, JSON and prose.
None contains, begins or ends like another, so that each is known as soon as its last character has come.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from inference.protocol import ChatRequest
from router.privacy.findings import Finding, Kind, apart
from router.privacy.restore import Restorer
from router.privacy.scan import find
from router.privacy.texts import Asked, rewritten, texts_of

_WORDS = {"email": "EMAIL", "phone": "PHONE", "iban": "IBAN", "card": "CARD"}
_LEAST_LENGTH = 8


def redacted(request: Asked, kinds: Collection[Kind]) -> tuple[Asked, Restorer]:
    """The request with every finding of these kinds replaced, and what restores the answer to it.

    The same value has the same placeholder everywhere, also where it was found in another place only.
    """
    redactor = _Redactor([text for text, _ in texts_of(request)], kinds)
    sent = rewritten(rewritten(request, redactor.found), redactor.elsewhere)
    is_json = isinstance(request, ChatRequest) and request.response_format.kind != "text"
    return sent, Restorer({name: value for value, name in redactor.placeholders.items()}, is_json=is_json)


class _Redactor:
    """Replaces texts, one after the other; `placeholders` by value, which are never shown."""

    def __init__(self, texts: list[str], kinds: Collection[Kind]) -> None:
        self._taken = "\n".join(texts)
        self._kinds = kinds
        self._next = 1
        self._elsewhere: re.Pattern[str] | None = None
        self.placeholders: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def found(self, text: str, name: str) -> str:
        """The text without its findings. What is replaced may have hidden another, so it is looked at again."""
        while found := [each for each in find(text, name) if self._is_new(each, text)]:
            pieces: list[str] = []
            at = 0
            for each in apart(found):
                pieces += (text[at : each.begin], self._placeholder(each, text[each.begin : each.end]))
                at = each.end
            text = "".join((*pieces, text[at:]))
        return text

    def elsewhere(self, text: str, _: str) -> str:
        """The text without the values that were found in another; called when all have been found."""
        if self._elsewhere is None:
            distinctive = [value for value in self.placeholders if len(value) >= _LEAST_LENGTH and not value.isalpha()]
            # Placeholders come first: what is replaced is not replaced again.
            either = [*self._values, *sorted(distinctive, key=len, reverse=True)]
            self._elsewhere = re.compile("|".join(map(re.escape, either)) or r"(?!)")
        return self._elsewhere.sub(lambda match: self.placeholders.get(match[0], match[0]), text)

    def _is_new(self, finding: Finding, text: str) -> bool:
        return finding.kind in self._kinds and text[finding.begin : finding.end] not in self._values

    def _placeholder(self, finding: Finding, written: str) -> str:
        value = self._original(written)
        if value not in self.placeholders:
            word = "SECRET" if finding.kind == "secret" else _WORDS.get(finding.what, "ID")
            while (name := f"REDACTED_{self._next}_{word}") in self._taken:
                self._next += 1
            self._next += 1
            self.placeholders[value], self._values[name] = name, value
        return self.placeholders[value]

    def _original(self, written: str) -> str:
        """The value as it stood in the request, if a part of it has a placeholder already."""
        for name, value in self._values.items():
            written = written.replace(name, value)
        return written
