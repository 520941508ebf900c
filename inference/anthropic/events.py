"""The protocol's chunks as the events of Anthropic's streams.

A message is a sequence of blocks, one open at a time: text, or the call of a tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from inference.anthropic.answers import message_id, stop_reason, usage_shape
from inference.errors import EngineError
from inference.protocol import Chunk, ToolCallDelta, Usage
from inference.wire.sse import event

Json = dict[str, Any]
_TEXT = -1
"""Stands for the text where calls have their position."""


class MessageStream:
    """Turns the chunks of one answer into events."""

    def __init__(self, request_id: str, prompt_tokens: int) -> None:
        """`prompt_tokens` is what the beginning of the message says; its end says how many were cached, too."""
        self._id = message_id(request_id)
        self._prompt_tokens = prompt_tokens
        self._begun = False
        self._index = -1
        self._open: int | None = None
        self._called: set[int] = set()
        self._ended: Json = {"stop_reason": None, "stop_sequence": None}

    def events(self, chunk: Chunk) -> Iterator[bytes]:
        """The events for one chunk; those for the last one end the message."""
        if not self._begun:
            self._begun = True
            yield self._start(chunk.model)
        if chunk.text:
            yield from self._text(chunk.text)
        for delta in chunk.tool_calls:
            yield from self._call(delta)
        if chunk.finish_reason is not None:
            reason = stop_reason(chunk.finish_reason, chunk.stop_string)
            self._ended = {"stop_reason": reason, "stop_sequence": chunk.stop_string}
        if chunk.usage is not None:
            yield from self._end(chunk.usage)

    def _start(self, model: str) -> bytes:
        usage = usage_shape(Usage(prompt_tokens=self._prompt_tokens)).model_dump()
        message: Json = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return _event({"type": "message_start", "message": message})

    def _text(self, text: str) -> Iterator[bytes]:
        if self._open != _TEXT:
            yield from self._switch_to(_TEXT, {"type": "text", "text": ""})
        yield self._delta({"type": "text_delta", "text": text})

    def _call(self, delta: ToolCallDelta) -> Iterator[bytes]:
        if self._open != delta.position:
            if delta.position in self._called:
                raise EngineError("The engine wrote several calls at once, which this format cannot carry as a stream.")
            self._called.add(delta.position)
            block = {"type": "tool_use", "id": delta.id or "", "name": delta.name or "", "input": {}}
            yield from self._switch_to(delta.position, block)
        if delta.arguments:
            yield self._delta({"type": "input_json_delta", "partial_json": delta.arguments})

    def _switch_to(self, position: int, block: Json) -> Iterator[bytes]:
        yield from self._close()
        self._index += 1
        self._open = position
        yield _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _close(self) -> Iterator[bytes]:
        if self._open is not None:
            self._open = None
            yield _event({"type": "content_block_stop", "index": self._index})

    def _end(self, usage: Usage) -> Iterator[bytes]:
        yield from self._close()
        yield _event({"type": "message_delta", "delta": self._ended, "usage": usage_shape(usage).model_dump()})
        yield _event({"type": "message_stop"})

    def _delta(self, delta: Json) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})


def _event(data: Json) -> bytes:
    return event(to_json(data).decode(), data["type"])
