"""The protocol's chunks as the typed events of a response's stream.

An item is announced, grows, and is shown again as a whole when it is done; so is the response around all items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from inference.collect import Collector
from inference.errors import EngineError
from inference.protocol import Chunk, Completion, TokenLogprob, ToolCall, ToolCallDelta
from inference.responses.answers import (
    Outline,
    ResponseError,
    ResponseObject,
    call_item,
    message_item,
    output_items,
    output_text,
)
from inference.wire.shape import Shape
from inference.wire.sse import event

Json = dict[str, Any]
_TEXT = -1
"""Stands for the text where calls have their position."""


class ResponseStream:
    """Turns the chunks of one answer into events; `completion` is the whole of it, at the end."""

    def __init__(self, outline: Outline, request_id: str) -> None:
        self._outline = outline
        self._request_id = request_id
        self._number = 0
        self._collector = Collector()
        self._index = -1
        self._open: int | None = None
        self._text: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._calls: dict[int, ToolCall] = {}
        self._model = ""

    @property
    def completion(self) -> Completion:
        """The whole answer. Raises `EngineError` before its end."""
        return self._collector.completion()

    def begin(self, first: Chunk) -> Iterator[bytes]:
        """The events before the first chunk's."""
        self._model = first.model
        for kind in ("response.created", "response.in_progress"):
            yield self._event(kind, response=_plain(self._outline.made("in_progress", self._model)))

    def events(self, chunk: Chunk) -> Iterator[bytes]:
        """The events for one chunk."""
        self._collector.add(chunk)
        if chunk.text or chunk.logprobs:
            yield from self._say(chunk)
        for delta in chunk.tool_calls:
            yield from self._call(delta)

    def end(self) -> Iterator[bytes]:
        """The events after the last chunk's. Raises `EngineError` if the answer is not complete."""
        completion = self.completion
        if self._index < 0:
            yield from self._open_message()  # an empty answer is one, too
        choice = completion.choices[0]
        yield from self._close(whole=choice.finish_reason != "length")
        response = self._outline.ended(
            choice, output_items(choice, self._request_id), completion.model, completion.usage
        )
        yield self._event(f"response.{response.status}", response=_plain(response))

    def failed(self, error: EngineError) -> Iterator[bytes]:
        """The events of an answer that breaks off."""
        problem = ResponseError(code=error.code, message=error.message)
        yield self._event("error", code=error.code, message=error.message, param=error.param)
        yield self._event("response.failed", response=_plain(self._outline.made("failed", self._model, error=problem)))

    def _say(self, chunk: Chunk) -> Iterator[bytes]:
        if self._open != _TEXT:
            yield from self._close(whole=True)
            yield from self._open_message()
        self._text.append(chunk.text)
        self._logprobs.extend(chunk.logprobs)
        yield self._part_event("response.output_text.delta", delta=chunk.text, logprobs=_shown(chunk.logprobs))

    def _open_message(self) -> Iterator[bytes]:
        self._index, self._open = self._index + 1, _TEXT
        item = {
            **message_item(self._request_id, "", (), whole=True).model_dump(),
            "status": "in_progress",
            "content": [],
        }
        yield self._event("response.output_item.added", output_index=self._index, item=item)
        yield self._part_event("response.content_part.added", part=_plain(output_text("", ())))

    def _call(self, delta: ToolCallDelta) -> Iterator[bytes]:
        if self._open != delta.position:
            if delta.position in self._calls:
                raise EngineError("The engine wrote several calls at once, which this format cannot carry as a stream.")
            yield from self._close(whole=True)
            self._index, self._open = self._index + 1, delta.position
            self._calls[delta.position] = ToolCall(delta.id or "", delta.name or "", "")
            item = {**call_item(self._calls[delta.position], whole=True).model_dump(), "status": "in_progress"}
            yield self._event("response.output_item.added", output_index=self._index, item=item)
        call = self._calls[delta.position]
        self._calls[delta.position] = ToolCall(call.id, call.name, call.arguments + delta.arguments)
        if delta.arguments:
            yield self._call_event("response.function_call_arguments.delta", call, delta=delta.arguments)

    def _close(self, *, whole: bool) -> Iterator[bytes]:
        item: Shape
        if self._open is None:
            return
        if self._open == _TEXT:
            text = "".join(self._text)
            part = output_text(text, self._logprobs)
            item = message_item(self._request_id, text, self._logprobs, whole=whole)
            yield self._part_event("response.output_text.done", text=text, logprobs=_shown(self._logprobs))
            yield self._part_event("response.content_part.done", part=_plain(part))
        else:
            call = self._calls[self._open]
            item = call_item(call, whole=whole)
            yield self._call_event(
                "response.function_call_arguments.done", call, arguments=call.arguments, name=call.name
            )
        self._open = None
        yield self._event("response.output_item.done", output_index=self._index, item=_plain(item))

    def _part_event(self, kind: str, **rest: Any) -> bytes:
        return self._event(kind, item_id=f"msg_{self._request_id}", output_index=self._index, content_index=0, **rest)

    def _call_event(self, kind: str, call: ToolCall, **rest: Any) -> bytes:
        return self._event(kind, item_id=f"fc_{call.id}", output_index=self._index, **rest)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data: Json = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event(to_json(data).decode(), kind)


def _shown(entries: Sequence[TokenLogprob]) -> list[Json]:
    return [entry.model_dump() for entry in output_text("", entries).logprobs] if entries else []


def _plain(shape: Shape) -> Json:
    return shape.model_dump(exclude_unset=True)


def whole_response(outline: Outline, completion: Completion, request_id: str) -> ResponseObject:
    """The response of an answer that is not streamed."""
    choice = completion.choices[0]
    return outline.ended(choice, output_items(choice, request_id), completion.model, completion.usage)
