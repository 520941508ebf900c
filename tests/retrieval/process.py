"""Another process with an index: `python -m tests.retrieval.process FOLDER BATCHES`.

It refreshes the sample repository, prints `ready` after so many batches were embedded (or, with 0, when the
refresh is done), and then waits to be killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from inference.protocol import Embeddings, EmbedRequest
from retrieval.index import QdrantIndex
from retrieval.spec import RetrievalSpec
from tests.retrieval.embedders import SOMEBODY, WordEmbedder
from tests.retrieval.repository import FILES

SPEC = RetrievalSpec(embedder="words", embed_batch=4, passage_lines=10)


class HangingEmbedder(WordEmbedder):
    """Answers a number of batches of passages and never again."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.batches = batches

    async def embed(self, request: EmbedRequest) -> Embeddings:
        if len(self.requests) == 1 + self.batches > 1:  # the first request is the index's probe
            await ready()
        return await super().embed(request)


async def ready() -> None:
    print("ready", flush=True)  # noqa: T201  the parent waits for it
    await asyncio.Event().wait()


async def main(folder: str, batches: str) -> None:
    index = QdrantIndex(Path(folder), SPEC, HangingEmbedder(int(batches)))
    await index.refresh(FILES, SOMEBODY)
    await ready()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
