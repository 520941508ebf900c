"""Puts values back into an answer as it streams. A placeholder may be cut over any number of chunks.

Text is held back only while it could still become a placeholder: never longer than the longest one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from inference.protocol import Chunk, ToolCallDelta


class Restorer:
    """Restores one answer, chunk by chunk: texts by choice, arguments by choice and position."""

    def __init__(self, values: Mapping[str, str], *, is_json: bool = False) -> None:
        """`values` by placeholder, none of which contains another; `is_json`: the text of the answer is JSON."""
        escaped = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in values.items()}
        self._texts = Placeholders(escaped if is_json else values)
        self._arguments = Placeholders(escaped)
        self._whole = Placeholders(values)
        self._held_texts: dict[int, str] = {}
        self._held_arguments: dict[tuple[int, int], str] = {}

    def restore(self, chunk: Chunk) -> Chunk:
        """The chunk with what is certain now; its choice's last chunk brings all that is left.

        Logprobs are dropped: they belong to the tokens of placeholders.
        """
        text = self._text(chunk)
        calls = [self._delta(chunk.index, delta) for delta in chunk.tool_calls]
        if chunk.finish_reason:
            calls += self._rest(chunk.index)
        stop = chunk.stop_string and self._whole.replace(chunk.stop_string)
        return replace(chunk, text=text, tool_calls=tuple(calls), logprobs=(), stop_string=stop)

    def _text(self, chunk: Chunk) -> str:
        text, held = self._texts.feed(self._held_texts.pop(chunk.index, "") + chunk.text)
        if chunk.finish_reason or chunk.tool_calls:  # no text follows
            return text + held
        if held:
            self._held_texts[chunk.index] = held
        return text

    def _delta(self, index: int, delta: ToolCallDelta) -> ToolCallDelta:
        key = (index, delta.position)
        arguments, held = self._arguments.feed(self._held_arguments.pop(key, "") + delta.arguments)
        if held:
            self._held_arguments[key] = held
        name = delta.name and self._whole.replace(delta.name)
        return replace(delta, name=name, arguments=arguments)

    def _rest(self, index: int) -> list[ToolCallDelta]:
        positions = sorted(position for choice, position in self._held_arguments if choice == index)
        return [
            ToolCallDelta(position, arguments=self._held_arguments.pop((index, position))) for position in positions
        ]


class Placeholders:
    """Values by placeholder. Its representation shows neither."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._any = re.compile("|".join(map(re.escape, values)) or r"(?!)")
        self._beginnings = {name[:length] for name in values for length in range(1, len(name))}
        self._longest = max(map(len, values), default=1)

    def replace(self, text: str) -> str:
        """A whole text with its values."""
        return self._any.sub(lambda match: self._values[match[0]], text)

    def feed(self, text: str) -> tuple[str, str]:
        """What is certain, restored, and the end that could still become a placeholder."""
        ends = [match.end() for match in self._any.finditer(text)]
        after = ends[-1] if ends else 0
        first = max(after, len(text) - self._longest + 1)
        begin = next((at for at in range(first, len(text)) if text[at:] in self._beginnings), len(text))
        return self.replace(text[:begin]), text[begin:]
