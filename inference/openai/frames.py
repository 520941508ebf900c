"""Reads the events of a stream that differ in their text alone without parsing them again and again.

A server puts the same JSON around every piece of an answer. What stands around the text in one event is the frame of
those that follow: they are compared with it, and only the text between is parsed. Whatever fits no frame is parsed
whole, so a server that writes something else into each event is read as well, only not as fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic_core import from_json

from inference.protocol import Chunk

MOST_FRAMES = 8
"""So many choices of one answer are read fast. Servers that never repeat themselves are believed after as many."""

_TEXT = re.compile(r'"(?:text|content)"\s*:\s*("(?:[^"\\]|\\.)*")')
_OTHER_TEXT = "5e0c9e9a-4d0e"


@dataclass(frozen=True, slots=True)
class _Frame:
    before: str
    after: str
    index: int

    def text_in(self, event: str) -> str | None:
        """The text of an event that has this frame; None if it has not."""
        if not (event.startswith(self.before) and event.endswith(self.after)):
            return None
        between = event[len(self.before) : len(event) - len(self.after)]
        if not between.startswith('"'):
            return None
        try:
            return str(from_json(between))
        except ValueError:
            return None


class StreamReader:
    """The chunks in the events of one stream; `read` parses an event, `model` is the name that chunks get."""

    def __init__(self, read: Callable[[str, str], Iterator[Chunk]], model: str) -> None:
        self._read = read
        self._model = model
        self._frames: list[_Frame] = []
        self._left_to_learn = MOST_FRAMES

    def chunks(self, event: str) -> Sequence[Chunk]:
        """The chunks in one event. Raises what `read` raises."""
        for frame in self._frames:
            if text := frame.text_in(event):
                return (Chunk(text, frame.index, model=self._model),)
        chunks = [*self._read(event, self._model)]
        if self._left_to_learn and len(chunks) == 1 and self._is_only_text(chunks[0]):
            self._left_to_learn -= 1
            self._learn(event, chunks[0])
        return chunks

    def _is_only_text(self, chunk: Chunk) -> bool:
        return bool(chunk.text) and chunk == Chunk(chunk.text, chunk.index, model=self._model)

    def _learn(self, event: str, chunk: Chunk) -> None:
        """Keep the frame of an event, if another text in it is read as that and nothing else."""
        found = [*_TEXT.finditer(event)]
        if len(found) != 1:
            return
        frame = _Frame(event[: found[0].start(1)], event[found[0].end(1) :], chunk.index)
        other = Chunk(_OTHER_TEXT, chunk.index, model=self._model)
        if [*self._read(f'{frame.before}"{_OTHER_TEXT}"{frame.after}', self._model)] == [other]:
            self._frames.append(frame)
