"""The indexes of repositories, one each, opened at its first use."""

from __future__ import annotations

from pathlib import Path

from codegen.repository import Repository
from inference.protocol import Embedder
from retrieval.index import QdrantIndex
from retrieval.spec import RetrievalSpec


class Indexes:
    """Keeps them in `folder`, each in one of its own."""

    def __init__(self, spec: RetrievalSpec, folder: Path, embedder: Embedder) -> None:
        """Open none yet. `embedder` is used if the settings name a model to embed with."""
        self._spec = spec
        self._folder = folder
        self._embedder = embedder if spec.embedder else None
        self._open: dict[str, QdrantIndex] = {}

    def open(self, repository: Repository) -> QdrantIndex:
        """The index of a repository."""
        if repository.name not in self._open:
            folder = self._folder / repository.name
            self._open[repository.name] = QdrantIndex(folder, self._spec, self._embedder)
        return self._open[repository.name]

    async def close(self) -> None:
        """Close all of them."""
        for index in self._open.values():
            await index.close()
