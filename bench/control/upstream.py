"""An upstream that fails, stalls and is down by chance, and keeps books: what it worked, and whose data it saw."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import numpy as np

from inference.catalog import ModelBase
from inference.deadline import within_deadline
from inference.errors import EngineUnavailable, RateLimited
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens, Usage
from inference.vectors import unit_vectors
from router.policy import prompt_bytes

WORD = "word "


@dataclass(slots=True)
class Work:
    """A request as the upstream saw it; `counted` says whether it told its count before the request ended."""

    request_id: str
    data_class: str
    usage: Usage
    counted: bool = False


@dataclass(slots=True)
class Faults:
    """Chances of a request: refused before anything is sent, broken in the middle, stalled for a moment."""

    refuse: float = 0.03
    limit: float = 0.02
    break_off: float = 0.03
    stall: float = 0.05


@dataclass(slots=True)
class Upstream:
    """An Engine of made-up words; `down` refuses everything."""

    model: ModelBase
    chance: random.Random
    faults: Faults = field(default_factory=Faults)
    down: bool = False
    books: list[Work] = field(default_factory=list)

    def models(self) -> Sequence[ModelCard]:
        """The one model."""
        return (self.model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Words, one a chunk, and the usage; every word is booked when it is made."""
        return within_deadline(self._words(request), request.deadline)

    async def _words(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        await self._begin()
        words = self.chance.randint(1, min(request.sampling.max_tokens or 60, 60))
        breaks = self.chance.randint(1, words) if self._happens(self.faults.break_off) else None
        work = self._book(request.request_id, request.caller.data_class, prompt_bytes(request))
        for number in range(words):
            if number == breaks:
                raise EngineUnavailable(f"{self.model.name} broke off.")
            await asyncio.sleep(0)
            work.usage = Usage(work.usage.prompt_tokens, number + 1)
            yield Chunk(WORD, model=self.model.name, finish_reason="stop" if number == words - 1 else None)
        work.counted = True
        yield Chunk(model=self.model.name, usage=work.usage)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Vectors by chance."""
        await self._begin()
        work = self._book(request.request_id, request.caller.data_class, sum(len(t.encode()) for t in request.texts))
        work.counted = True
        rows = np.array([[self.chance.random() for _ in range(4)] for _ in request.texts], dtype=np.float32)
        return Embeddings(unit_vectors(rows, None), work.usage, self.model.name)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt's count."""
        return Tokens(_tokens(prompt_bytes(request)), None, self.model.name)

    async def health(self) -> Health:
        """Whether it is up."""
        return Health(not self.down, "down" if self.down else "up")

    async def close(self) -> None:
        """Nothing is held."""

    async def _begin(self) -> None:
        if self._happens(self.faults.stall):
            await asyncio.sleep(0.002)
        if self.down or self._happens(self.faults.refuse):
            raise EngineUnavailable(f"{self.model.name} is down.")
        if self._happens(self.faults.limit):
            raise RateLimited(f"{self.model.name} has had enough for now.", retry_after_seconds=0.01)

    def _book(self, request_id: str, data_class: str, size: int) -> Work:
        work = Work(request_id, data_class, Usage(_tokens(size), 0))
        self.books.append(work)
        return work

    def _happens(self, share: float) -> bool:
        return self.chance.random() < share


def _tokens(size: int) -> int:
    """Some tokens for so many bytes: the upstream's own rule, which the router does not know."""
    return max(1, size // 5)
