"""One request being answered and its choices, each a sequence of tokens. Data and text; no C++ here."""

from __future__ import annotations

import asyncio
import codecs
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import EngineError
from inference.llamacpp.lookup import PromptLookup
from inference.protocol import ChatRequest, Chunk, FinishReason, TokenLogprob, Usage
from inference.stop import StopFilter

if TYPE_CHECKING:
    from inference.llamacpp.sampler import Sampler


class Generation:
    """One request: the prompt's tokens, a sequence per choice, and the way back to whoever waits for chunks.

    Of the prompt, `cached_tokens` were not computed anew; requests of the same `scope` may share computed tokens.
    """

    def __init__(self, request: ChatRequest, prompt: list[int], max_tokens: int, grammar: str | None) -> None:
        self.request = request
        self.prompt = prompt
        self.prompt_tokens = np.array(prompt, np.int32)
        self.scope = request.caller.tenant
        self.cached_tokens = 0
        self.max_tokens = max_tokens
        self.grammar = grammar
        self.sequences = [Sequence(self, index) for index in range(request.sampling.n)]
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[list[Chunk] | EngineError] = asyncio.Queue()

    @property
    def finished(self) -> bool:
        """Whether every choice has ended."""
        return all(sequence.finished for sequence in self.sequences)

    def usage(self) -> Usage:
        """Tokens of the prompt and of all choices together."""
        answered = sum(sequence.generated for sequence in self.sequences)
        return Usage(len(self.prompt), answered, cached_tokens=self.cached_tokens)

    def deliver(self, what: list[Chunk] | EngineError) -> bool:
        """Hand chunks or the reason of failure over, from any thread; False if the listener's loop is gone."""
        try:
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, what)
        except RuntimeError:  # the loop is closed
            return False
        return True

    async def receive(self) -> list[Chunk]:
        """The next chunks; raises the `EngineError` that was delivered instead."""
        what = await self._arrived.get()
        if isinstance(what, EngineError):
            raise what
        return what


class Sequence:
    """The tokens of one choice: the prompt's, then the answer's.

    The first `computed` of them are in the context's memory, where the sequence has the number `slot`.
    """

    def __init__(self, generation: Generation, index: int) -> None:
        self.generation = generation
        self.index = index
        self.tokens = list(generation.prompt)
        self.computed = 0
        self.slot: int | None = None
        self.sampler: Sampler | None = None
        self.finished = False
        self.lookup = PromptLookup()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = StopFilter(generation.request.sampling.stop)

    @property
    def generated(self) -> int:
        """Tokens drawn so far, an end token included."""
        return len(self.tokens) - len(self.generation.prompt)

    @property
    def pending(self) -> int:
        """Tokens that are not yet in the context's memory."""
        return len(self.tokens) - self.computed

    def append(self, token: int, piece: bytes | None, logprob: TokenLogprob | None = None) -> Chunk:
        """Take the next token, whose bytes are `piece`; the chunk may be without text.

        An end token's piece is None; it counts as generated but is no part of the answer.
        """
        self.tokens.append(token)
        text = self._stop.feed(self._decoder.decode(piece or b""))
        reason: FinishReason | None = None
        if piece is None or self._stop.stopped:
            reason = "stop"
        elif self.generated >= self.generation.max_tokens:
            reason = "length"
        if reason and not self._stop.stopped:
            text += self._stop.feed(self._decoder.decode(b"", final=True)) + self._stop.flush()
        self.finished = reason is not None
        return Chunk(
            text=text,
            index=self.index,
            logprobs=(logprob,) if logprob and piece is not None else (),
            finish_reason=reason,
            model=self.generation.request.model,
        )
