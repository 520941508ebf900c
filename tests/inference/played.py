"""An engine that plays a fixed list: chunks, errors, and gates that hold it until a test opens them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from inference.errors import EngineError
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens, Usage
from tests.inference.serving import app_for, serve

Item = Chunk | EngineError | asyncio.Event


class PlayedEngine:
    """Plays `items` for every request; `requests` are those it got."""

    def __init__(self, *items: Item) -> None:
        self._items = items
        self.requests: list[ChatRequest] = []
        self.ended = asyncio.Event()
        self.waiting = asyncio.Event()

    def models(self) -> Sequence[ModelCard]:
        """One model that can do everything."""
        capabilities = frozenset({"chat", "completion", "infill", "embeddings", "tools", "json_schema", "logprobs"})
        return (ModelCard("played", capabilities, 100),)  # type: ignore[arg-type]  # a set of literals

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Play the list."""
        self.requests.append(request)
        try:
            for item in self._items:
                if isinstance(item, EngineError):
                    raise item
                if isinstance(item, asyncio.Event):
                    self.waiting.set()
                    await item.wait()
                else:
                    yield item
        finally:
            self.ended.set()

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """The vector (0.6, 0.8) for every text, after the gates."""
        try:
            for item in self._items:
                if isinstance(item, asyncio.Event):
                    self.waiting.set()
                    await item.wait()
        finally:
            self.ended.set()
        return Embeddings(((0.6, 0.8),) * len(request.texts), Usage(prompt_tokens=3), request.model)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """Three tokens, whatever is asked."""
        return Tokens(3, (1, 2, 3), request.model)

    async def health(self) -> Health:
        """Always ready."""
        return Health(ready=True)

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def http_of(*items: Item) -> AsyncIterator[tuple[httpx.AsyncClient, PlayedEngine]]:
    engine = PlayedEngine(*items)
    async with serve(app_for(engine)) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
        yield client, engine
