"""Put a stream's chunks together into a Completion, and completions into bytes and back.

The stream is the one way to generate; whoever wants the whole answer collects it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from inference.errors import EngineError
from inference.protocol import (
    ChatRequest,
    Choice,
    Chunk,
    Completion,
    Engine,
    FinishReason,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from inference.verification import Verified


async def complete(engine: Engine, request: ChatRequest) -> Completion:
    """The whole answer. Raises what the engine raises."""
    collector = Collector()
    async with aclosing(engine.stream(request)) as chunks:
        async for chunk in chunks:
            collector.add(chunk)
    return collector.completion()


@dataclass(slots=True)
class _Partial:
    text: list[str] = field(default_factory=list)
    tool_calls: dict[int, list[ToolCallDelta]] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    stop_string: str | None = None

    def add(self, chunk: Chunk) -> None:
        self.text.append(chunk.text)
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.stop_string = chunk.stop_string or self.stop_string
        if chunk.logprobs:
            self.logprobs.extend(chunk.logprobs)
        for delta in chunk.tool_calls:
            self.tool_calls.setdefault(delta.position, []).append(delta)

    def size(self) -> int:
        arguments = (delta.arguments for deltas in self.tool_calls.values() for delta in deltas)
        return sum(len(text.encode()) for text in (*self.text, *arguments))


class Collector:
    """Collects chunks; `completion()` needs a finished stream, `partial()` takes what there is."""

    def __init__(self) -> None:
        self._choices: dict[int, _Partial] = {}
        self._usage: Usage | None = None
        self._model = ""
        self._route = ""
        self._verified: Verified | None = None
        self.chunks = 0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk of the stream."""
        self.chunks += 1
        self._model = chunk.model or self._model
        self._route = chunk.route or self._route
        self._usage = chunk.usage or self._usage
        self._verified = chunk.verified or self._verified
        partial = self._choices.get(chunk.index)
        if partial is None:
            partial = self._choices[chunk.index] = _Partial()
        partial.add(chunk)

    @property
    def answer_bytes(self) -> int:
        """The length of what has come."""
        return sum(partial.size() for partial in self._choices.values())

    @property
    def usage(self) -> Usage | None:
        """What the engine counted; None until the stream's last chunk."""
        return self._usage

    def completion(self) -> Completion:
        """The whole answer. Raises `EngineError` when the stream ended before every choice and the usage had come."""
        unfinished = not self._choices or any(partial.finish_reason is None for partial in self._choices.values())
        if unfinished or self._usage is None:
            raise EngineError("The engine's stream ended before the answer was complete.")
        return self.partial()

    def partial(self) -> Completion:
        """What has come so far; an unfinished choice counts as cut off ("length")."""
        choices = tuple(_choice(partial) for _, partial in sorted(self._choices.items()))
        return Completion(choices, self._usage or Usage(), self._model, self._route, self._verified)


def _choice(partial: _Partial) -> Choice:
    calls = tuple(_tool_call(deltas) for _, deltas in sorted(partial.tool_calls.items()))
    reason = partial.finish_reason or "length"
    return Choice("".join(partial.text), reason, calls, tuple(partial.logprobs), partial.stop_string)


def _tool_call(deltas: Iterable[ToolCallDelta]) -> ToolCall:
    pieces = list(deltas)
    first_id = next((piece.id for piece in pieces if piece.id), "")
    first_name = next((piece.name for piece in pieces if piece.name), "")
    return ToolCall(first_id, first_name, "".join(piece.arguments for piece in pieces))


# Building one takes milliseconds.
_REQUESTS, _COMPLETIONS = TypeAdapter(ChatRequest), TypeAdapter(Completion)


def request_bytes(request: ChatRequest) -> bytes:
    """A request as JSON, for the record: the same request always gives the same bytes."""
    return _REQUESTS.dump_json(request)


def request_from_bytes(body: bytes) -> ChatRequest:
    """The inverse of `request_bytes`. Raises `ValueError` on anything else."""
    return _REQUESTS.validate_json(body)


def completion_bytes(completion: Completion) -> bytes:
    """A completion as JSON, for the record."""
    return _COMPLETIONS.dump_json(completion)


def completion_from_bytes(body: bytes) -> Completion:
    """The inverse of `completion_bytes`. Raises `ValueError` on anything else."""
    return _COMPLETIONS.validate_json(body)
