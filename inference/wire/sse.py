"""Server-sent events: writing one, and reading them from a stream of bytes however it is cut.

The reader follows the HTML standard's event stream rules: lines end in LF, CR or CRLF, lines that
start with a colon are comments, `data` lines of one event are joined, a blank line ends the event.
"""

from __future__ import annotations

import re

DONE = "[DONE]"

_WHOLE = re.compile(rb"(?:data: [^\r\n]*+\n\n)++")
"""Nothing but whole events of one line each, as most servers send most pieces."""
_LINE_END = re.compile(rb"\r\n|\n|\r")


def event(data: str, name: str = "") -> bytes:
    """One event as it goes over the wire."""
    return f"event: {name}\ndata: {data}\n\n".encode() if name else f"data: {data}\n\n".encode()


def comment(text: str) -> bytes:
    """A line that clients skip, for people who look on; it keeps the connection alive, too."""
    return f": {' '.join(text.split())}\n\n".encode()


def until_done(events: list[str]) -> tuple[list[str], bool]:
    """The events before [DONE], and whether that is among them."""
    for number, event in enumerate(events):
        if event.strip() == DONE:
            return events[:number], True
    return events, False


class EventTooLong(ValueError):
    """An event is longer than the reader accepts."""


class EventReader:
    """Collects bytes and gives the data of each complete event."""

    def __init__(self, max_event_bytes: int = 4 * 1024 * 1024) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[str]:
        """The data of the events that this piece completes; raises `EventTooLong`."""
        if not (self._rest or self._data) and len(piece) <= self._max_event_bytes and _WHOLE.fullmatch(piece):
            return piece[len(b"data: ") : -len(b"\n\n")].decode("utf-8", "replace").split("\n\ndata: ")
        lines = self._lines(piece)
        events = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(self._finish())
        if len(self._rest) > self._max_event_bytes:
            raise EventTooLong(f"An event of the stream is longer than {self._max_event_bytes} bytes.")
        return events

    def end(self) -> list[str]:
        """The data of a last event whose blank line never came; call when the stream is over."""
        events = self.feed(b"\n\n")
        self._rest = b""
        return events

    def _lines(self, piece: bytes) -> list[bytes]:
        """Whole lines; a final CR waits, because an LF may follow it."""
        text = self._rest + piece
        ready = text[:-1] if text.endswith(b"\r") else text
        *lines, rest = _LINE_END.split(ready)
        self._rest = rest + text[len(ready) :]
        return lines

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name != b"data":
            return
        self._size += len(value)
        if self._size > self._max_event_bytes:
            raise EventTooLong(f"An event of the stream is longer than {self._max_event_bytes} bytes.")
        self._data.append(value.removeprefix(b" "))

    def _finish(self) -> str:
        data = b"\n".join(self._data).decode("utf-8", "replace")
        self._data, self._size = [], 0
        return data
