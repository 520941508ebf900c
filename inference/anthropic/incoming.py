"""The events of Anthropic's streams as the protocol's chunks; used by its client.

Read leniently: fields may be missing, null or additional. Events, blocks and deltas of other kinds, thoughts among
them, are no part of the answer and are passed over, as Anthropic's rules for new versions ask of clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from inference.errors import EngineUnavailable
from inference.protocol import Chunk, FinishReason, ToolCallDelta, Usage
from inference.wire.shape import Shape

_FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Usage(Shape):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Message(Shape):
    usage: _Usage = _Usage()


class _Block(Shape):
    type: str = ""
    text: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] | None = None


class _Delta(Shape):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(Shape):
    type: str
    index: int = 0
    message: _Message = _Message()
    content_block: _Block = _Block()
    delta: _Delta = _Delta()
    usage: _Usage | None = None


@dataclass(slots=True)
class _Call:
    """A call whose block is open, and whether any of its arguments came."""

    position: int
    input: dict[str, Any]
    begun: bool = False


class MessageReader:
    """The chunks in the events of one stream; `model` is the name that they get."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._open: dict[int, _Call] = {}
        self._calls = 0
        self._usage = _Usage()

    def chunks(self, event: str) -> Iterator[Chunk]:
        """The chunks in one event; raises `EngineUnavailable` if it is not such an event."""
        try:
            shape = _Event.model_validate_json(event)
        except ValidationError as error:
            raise not_understood(self._model, error) from error
        match shape.type:
            case "message_start":
                self._count(shape.message.usage)
            case "content_block_start":
                yield from self._begin(shape.index, shape.content_block)
            case "content_block_delta":
                yield from self._continue(shape.index, shape.delta)
            case "content_block_stop":
                yield from self._end(shape.index)
            case "message_delta":
                yield from self._finish(shape)

    def _begin(self, index: int, block: _Block) -> Iterator[Chunk]:
        if block.type == "text" and block.text:
            yield Chunk(block.text, model=self._model)
        if block.type == "tool_use":
            call = self._open[index] = _Call(self._calls, block.input or {})
            self._calls += 1
            yield self._called(ToolCallDelta(call.position, block.id, block.name))

    def _continue(self, index: int, delta: _Delta) -> Iterator[Chunk]:
        if delta.type == "text_delta":
            yield Chunk(delta.text, model=self._model)
        if delta.type == "input_json_delta" and delta.partial_json and index in self._open:
            call = self._open[index]
            call.begun = True
            yield self._called(ToolCallDelta(call.position, arguments=delta.partial_json))

    def _end(self, index: int) -> Iterator[Chunk]:
        """A call without pieces of arguments has those that its beginning named: mostly none."""
        call = self._open.pop(index, None)
        if call is not None and not call.begun:
            yield self._called(ToolCallDelta(call.position, arguments=json.dumps(call.input, ensure_ascii=False)))

    def _finish(self, event: _Event) -> Iterator[Chunk]:
        reason = event.delta.stop_reason
        if reason is not None:
            finish = _FINISH_REASONS.get(reason, "stop")
            yield Chunk(finish_reason=finish, stop_string=event.delta.stop_sequence, model=self._model)
        if event.usage is not None:
            self._count(event.usage)
            yield Chunk(usage=self._total(), model=self._model)

    def _called(self, delta: ToolCallDelta) -> Chunk:
        return Chunk(tool_calls=(delta,), model=self._model)

    def _count(self, usage: _Usage) -> None:
        """Counts are totals so far: what an event names replaces what was said before."""
        self._usage = self._usage.model_copy(update=usage.model_dump(exclude_none=True))

    def _total(self) -> Usage:
        """A prompt is what was read anew, what was put into the cache, and what was found there."""
        counted = self._usage
        cached, written = counted.cache_read_input_tokens or 0, counted.cache_creation_input_tokens or 0
        prompt = (counted.input_tokens or 0) + written + cached
        return Usage(prompt, counted.output_tokens or 0, cached, written_tokens=written)


def until_end(events: list[str]) -> tuple[list[str], bool]:
    """The events before the one that ends a message, without those that only keep a connection open; whether it is
    among them."""
    kept: list[str] = []
    for event in events:
        kind = _kind(event)
        if kind == "message_stop":
            return kept, True
        if kind != "ping":
            kept.append(event)
    return kept, False


def not_understood(model: str, error: ValidationError) -> EngineUnavailable:
    """The error for an answer that is not Anthropic's wire format."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or "the whole"
    return EngineUnavailable(
        f"The server behind {model!r} answered in a form that is not Anthropic's: {where}: {first['msg']}."
    )


def _kind(event: str) -> str:
    """The type of an event that may be one of the two that are looked for; others are not parsed here."""
    if '"message_stop"' not in event and '"ping"' not in event:
        return ""
    try:
        found = from_json(event)
    except ValueError:
        return ""
    return str(found.get("type", "")) if isinstance(found, dict) else ""
