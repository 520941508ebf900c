"""Reads tool calls out of an answer while it is written: what is text, and which pieces of which call.

The grammar has made sure of the form; what is read here ends where the JSON ends, whatever its strings contain.
"""

from __future__ import annotations

import secrets

from inference.llamacpp.toolcalls.family import Family
from inference.llamacpp.toolcalls.watch import Watch
from inference.protocol import ToolCallDelta

ID_BYTES = 12


class CallParser:
    """One answer. Without a `watch` it consists of calls from its first character on."""

    def __init__(self, family: Family, watch: Watch | None) -> None:
        self._family = family
        self._watch = watch
        self._unread = ""
        self._object: JsonObject | None = None
        self._calls = 0

    @property
    def called(self) -> bool:
        """Whether a call has begun."""
        return self._calls > 0

    def feed(self, text: str, *, last: bool = False) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """The text and the pieces of calls that are certain now; with `last` nothing follows."""
        if self._watch is None:
            return "", self._read_calls(text)
        seen, self._watch = self._watch.read(text)
        if seen.trigger is not None:
            self._watch = None
            return seen.text, self._read_calls(seen.trigger.text + text[seen.end :])
        return seen.text + (self._watch.held if last else ""), ()

    def _read_calls(self, text: str) -> tuple[ToolCallDelta, ...]:
        deltas: list[ToolCallDelta] = []
        self._unread += text
        while self._unread:
            if self._object is None and not self._begin(deltas):
                break
            self._go_on(deltas)
        return tuple(deltas)

    def _begin(self, deltas: list[ToolCallDelta]) -> bool:
        """Begin the next call, if its head is there."""
        head = self._family.head.search(self._unread)
        if head is None:
            return False
        self._unread = self._unread[head.end() :]
        self._object = JsonObject()
        call_id = f"call_{secrets.token_hex(ID_BYTES)}"
        deltas.append(ToolCallDelta(self._calls, call_id, head.group("name")))
        self._calls += 1
        return True

    def _go_on(self, deltas: list[ToolCallDelta]) -> None:
        """Read on in the arguments of the call that has begun."""
        assert self._object is not None
        read = self._object.read(self._unread)
        deltas.append(ToolCallDelta(self._calls - 1, arguments=self._unread[:read]))
        self._unread = self._unread[read:]
        if self._object.complete:
            self._object = None


class JsonObject:
    """Follows one JSON object, which comes in pieces, to its end."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self.complete = False

    def read(self, text: str) -> int:
        """How many characters of the text belong to the object."""
        for position, character in enumerate(text):
            if self._quoted:
                self._read_quoted(character)
            elif character == '"':
                self._quoted = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                self.complete = self._depth == 0
                if self.complete:
                    return position + 1
        return len(text)

    def _read_quoted(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._quoted = False
