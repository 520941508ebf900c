"""From the bytes of an answer's tokens to what is certain of it: text up to a stop string, and tool calls."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from inference.llamacpp.toolcalls.parser import CallParser
from inference.protocol import ToolCallDelta
from inference.stop import StopFilter


class Output:
    """One answer. Stop strings end its text; in calls they mean nothing, where they would leave half a call."""

    def __init__(self, stop: Sequence[str], parser: CallParser | None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parser = parser
        self._stop = StopFilter(stop)

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended it, if one did."""
        return self._stop.matched

    @property
    def stopped(self) -> bool:
        """Whether a stop string was complete."""
        return self._stop.stopped

    @property
    def called(self) -> bool:
        """Whether a tool was called."""
        return self._parser is not None and self._parser.called and not self.stopped

    def feed(self, piece: bytes, *, last: bool) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """The text and the pieces of calls that are certain now; with `last` nothing follows."""
        text = self._decoder.decode(piece, final=last)
        calls: tuple[ToolCallDelta, ...] = ()
        if self._parser is not None:
            text, calls = self._parser.feed(text, last=last)
        text = self._stop.feed(text)
        if calls or (last and not self.stopped):
            text += self._stop.flush()
        return text, () if self.stopped else calls
