"""Reads the part of protobuf's text format that profiles are written in.

Stricter than the real thing on purpose: what stands here unread would be read by nsjail. It knows no meaning;
`validate.py` judges what it returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r'(?P<blank>(?:[ \t\r\n]|\#[^\n]*)+)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<word>[A-Za-z0-9_.-]+)|(?P<mark>[:{}])'
)
_ESCAPE = re.compile(rb"\\(?:([0-3][0-7]{2})|([nt\"'\\]))")
_MOST_LEVELS = 8
_PLAIN = {b"n": b"\n", b"t": b"\t", b'"': b'"', b"'": b"'", b"\\": b"\\"}


class Unreadable(ValueError):
    """Not in the language of profiles; the message says where."""


@dataclass(frozen=True, slots=True)
class Message:
    """The fields in order; a value is a text (of a word or of a string) or a message."""

    fields: tuple[tuple[str, str | Message], ...]

    def values(self, name: str) -> list[str]:
        """All texts of a field."""
        return [value for key, value in self.fields if key == name and isinstance(value, str)]

    def messages(self, name: str) -> list[Message]:
        """All messages of a field."""
        return [value for key, value in self.fields if key == name and isinstance(value, Message)]

    def get(self, name: str) -> str | None:
        """The only text of a field, or None."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None


def read(text: str) -> Message:
    """The fields of a configuration. Raises `Unreadable`."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())

    def read(self) -> Message:
        message, end = self._message(0, _MOST_LEVELS)
        if end != len(self._tokens):
            raise self._problem(self._tokens[end], "closes nothing")
        return message

    def _split(self) -> Iterator[re.Match[str]]:
        place = 0
        while place < len(self._text):
            found = _TOKEN.match(self._text, place)
            if found is None:
                raise Unreadable(f"line {self._line(place)}: {self._text[place : place + 20]!r} is not understood")
            if found.lastgroup != "blank":
                yield found
            place = found.end()

    def _message(self, place: int, levels: int) -> tuple[Message, int]:
        """The fields from a token on, up to the end or a closing brace, and the place of that."""
        tokens, fields = self._tokens, list[tuple[str, str | Message]]()
        while place < len(tokens) and tokens[place][0] != "}":
            name, follows = tokens[place], tokens[place + 1 : place + 3]
            if name.lastgroup != "word" or len(follows) < 2:
                raise self._problem(name, "is no field with a value")
            if follows[0][0] == "{":
                if not levels:
                    raise self._problem(name, f"lies deeper than {_MOST_LEVELS} levels")
                inner, place = self._message(place + 2, levels - 1)
                if place == len(tokens):
                    raise self._problem(name, "is not closed")
                fields.append((name[0], inner))
                place += 1
            elif follows[0][0] == ":" and follows[1].lastgroup in ("word", "string"):
                fields.append((name[0], self._value(follows[1])))
                place += 3
            else:
                raise self._problem(name, "is no field with a value")
        return Message(tuple(fields)), place

    def _value(self, token: re.Match[str]) -> str:
        if token.lastgroup == "word":
            return token[0]
        raw = token[0][1:-1].encode("utf-8", "surrogatepass")
        if b"\\" in _ESCAPE.sub(b"", raw):
            raise self._problem(token, "escapes something else than \\n, \\t, quotes, backslashes and octal bytes")
        value = _ESCAPE.sub(_unescaped, raw)
        if b"\0" in value:  # where the kernel stops reading, so that a path would be another one than it seems
            raise self._problem(token, "contains a NUL")
        return value.decode("utf-8", "surrogateescape")

    def _problem(self, token: re.Match[str], what: str) -> Unreadable:
        return Unreadable(f"line {self._line(token.start())}: {token[0][:40]!r} {what}")

    def _line(self, place: int) -> int:
        return self._text.count("\n", 0, place) + 1


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 8)]) if escape[1] else _PLAIN[escape[2]]
