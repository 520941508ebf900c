"""One request being answered and its choices, each a sequence of tokens. Data and text; no C++ here."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError
from inference.llamacpp.lookup import PromptLookup
from inference.llamacpp.output import Output
from inference.llamacpp.toolcalls.calling import Calling
from inference.protocol import ChatRequest, Chunk, FinishReason, TokenLogprob, Usage

if TYPE_CHECKING:
    from inference.llamacpp.sampler import Sampler


class Generation:
    """One request: the prompt's tokens, a sequence per choice, and the way back to whoever waits for chunks.

    Of the prompt, `cached_tokens` were not computed anew; requests of the same `scope` may share computed tokens.
    The answers follow `grammar` from their beginning, or may or must call tools.
    """

    def __init__(self, request: ChatRequest, prompt: list[int], max_tokens: int, grammar: str | Calling | None) -> None:
        self.request = request
        self.prompt = prompt
        self.prompt_tokens = np.array(prompt, np.int32)
        self.scope = request.caller.tenant
        self.priority = request.priority
        self.cached_tokens = 0
        self.max_tokens = max_tokens
        self.grammar = grammar
        self.sequences = [Sequence(self, index) for index in range(request.sampling.n)]
        self.loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[list[Chunk] | EngineError] = asyncio.Queue()

    @property
    def finished(self) -> bool:
        """Whether every choice has ended."""
        return all(sequence.finished for sequence in self.sequences)

    def usage(self) -> Usage:
        """Tokens of the prompt and of all choices together."""
        answered = sum(sequence.generated for sequence in self.sequences)
        return Usage(len(self.prompt), answered, cached_tokens=self.cached_tokens)

    def delivery(self, what: list[Chunk] | EngineError) -> Callable[[], None]:
        """What, called on the request's event `loop`, hands chunks or the reason of failure over."""
        return functools.partial(self._arrived.put_nowait, what)

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
        self._calling = generation.grammar if isinstance(generation.grammar, Calling) else None
        self._output = Output(
            generation.request.sampling.stop, None if self._calling is None else self._calling.parser()
        )

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for it."""
        return self.generation.priority == "interactive"

    @property
    def known_tokens(self) -> NDArray[np.int32]:
        """All its tokens as an array; made anew only for an answer that was begun and set aside."""
        return np.array(self.tokens, np.int32) if self.generated else self.generation.prompt_tokens

    @property
    def generated(self) -> int:
        """Tokens drawn so far, an end token included."""
        return len(self.tokens) - len(self.generation.prompt)

    @property
    def answering(self) -> bool:
        """Whether only the token drawn last is to be computed."""
        return self.generated > 0 and self.pending == 1

    @property
    def pending(self) -> int:
        """Tokens that are not yet in the context's memory."""
        return len(self.tokens) - self.computed

    def append(self, token: int, piece: bytes | None, logprob: TokenLogprob | None = None) -> Chunk:
        """Take the next token, whose bytes are `piece`; the chunk may be without text.

        An end token's piece is None; it counts as generated but is no part of the answer.
        """
        self.tokens.append(token)
        ended, full = piece is None, self.generated >= self.generation.max_tokens
        if self._calling is not None and not ended:
            piece = self._calling.marks.get(token, piece)
        text, calls = self._output.feed(piece or b"", last=ended or full)
        reason: FinishReason | None = None
        if ended or self._output.stopped:
            reason = "tool_calls" if self._output.called else "stop"
        elif full:
            reason = "length"
        self.finished = reason is not None
        return Chunk(
            text=text,
            index=self.index,
            tool_calls=calls,
            logprobs=(logprob,) if logprob and not ended else (),
            finish_reason=reason,
            stop_string=self._output.stop_string,
            model=self.generation.request.model,
        )
