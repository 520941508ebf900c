"""Stop strings in a stream: text is held back while it could still become one."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Passes text on up to the stop string that is complete first, which itself is never passed on."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.matched: str | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop string was complete."""
        return self.matched is not None

    def feed(self, piece: str) -> str:
        """The text that is certain now; sets `matched` when a stop string is complete."""
        text = self._held + piece
        found = [(text.find(stop) + len(stop), text.find(stop), stop) for stop in self._stop if stop in text]
        if found:
            _, begin, self.matched = min(found)
            self._held = ""
            return text[:begin]
        held = max((overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """The held text, once it is certain that nothing follows."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, but not all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)
