"""Indexes of the sample repository, by words alone and with embeddings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest_asyncio

from retrieval.index import QdrantIndex
from retrieval.protocol import Passage
from retrieval.spec import RetrievalSpec
from tests.retrieval.embedders import WordEmbedder

WORDS = RetrievalSpec(passage_lines=12)
HYBRID = RetrievalSpec(passage_lines=12, embedder="words", embed_batch=4)


class Make(Protocol):
    """Makes an index in a folder of the test's own."""

    def __call__(
        self, spec: RetrievalSpec = WORDS, embedder: WordEmbedder | None = None, folder: str = "index"
    ) -> QdrantIndex: ...


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes indexes and closes them."""
    made: list[QdrantIndex] = []

    def make(spec: RetrievalSpec = WORDS, embedder: WordEmbedder | None = None, folder: str = "index") -> QdrantIndex:
        made.append(QdrantIndex(tmp_path / folder, spec, embedder))
        return made[-1]

    yield make
    for index in made:
        await index.close()


def places(passages: list[Passage]) -> list[str]:
    return [f"{passage.path}:{passage.start_line}" for passage in passages]
