"""Counts an answer that another server streams: what is finished, and how many tokens it took."""

from __future__ import annotations

from inference.protocol import ChatRequest, Chunk, Usage

BYTES_PER_TOKEN = 4  # the usual rule of thumb, for servers that do not count


class Tally:
    """Which choices are finished, and how many tokens that took."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._finished: set[int] = set()
        self._usage: Usage | None = None
        self._pieces: list[str] = []
        self.begun = False

    def add(self, chunk: Chunk) -> bool:
        """Count the chunk; whether it is part of the answer and to be passed on."""
        if chunk.usage is not None:
            self._usage = chunk.usage
        content = chunk.text or "".join(delta.arguments for delta in chunk.tool_calls)
        empty = not (content or chunk.tool_calls or chunk.logprobs or chunk.finish_reason)
        if empty or chunk.index in self._finished:
            return False
        self.begun = True
        if content:
            self._pieces.append(content)
        if chunk.finish_reason:
            self._finished.add(chunk.index)
        return True

    @property
    def complete(self) -> bool:
        """Whether every choice has ended."""
        return len(self._finished) >= self._request.sampling.n

    def usage(self) -> Usage:
        """What the server counted; else an estimate: at least one token per piece, and four bytes per token."""
        if self._usage is not None and (self._usage.prompt_tokens or self._usage.completion_tokens):
            return self._usage
        size = sum(len(piece.encode()) for piece in self._pieces)
        answered = max(len(self._pieces), size // BYTES_PER_TOKEN)
        return Usage(estimated_tokens(said_in(self._request)), answered, estimated=True)


def said_in(request: ChatRequest) -> str:
    """The text of a request."""
    return "".join(message.content for message in request.messages) + (request.prompt or "") + (request.suffix or "")


def estimated_tokens(text: str) -> int:
    """About so many tokens."""
    return max(1, len(text.encode()) // BYTES_PER_TOKEN)
