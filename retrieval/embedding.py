"""Asks an embedder for the vectors of texts, shorter where a text does not fit its context."""

from __future__ import annotations

from collections.abc import Sequence

from inference.errors import ContextLengthExceeded
from inference.protocol import Caller, Embedder, EmbedRequest
from retrieval.cache import Vector
from retrieval.protocol import IndexUnavailable

_SHORTEST = 64
"""Characters of a text below which a context too short is the embedder's fault."""


class TextEmbedder:
    """One embedding model.

    Raises what the embedder raises (`EngineError`), and IndexUnavailable if the vectors' width changes.
    """

    def __init__(self, embedder: Embedder, model: str, characters: int) -> None:
        """`characters`: how much of each text is sent at most."""
        self._embedder = embedder
        self._characters = characters
        self._width: int | None = None
        self.model = model

    async def embed(self, texts: Sequence[str], caller: Caller) -> list[Vector]:
        """A vector for the beginning of each text, in order, from one request where they all fit."""
        shortened = tuple(text[: self._characters] for text in texts)
        try:
            return await self._request(shortened, caller)
        except ContextLengthExceeded:
            return [await self._fitting(text, caller) for text in shortened]

    async def _fitting(self, text: str, caller: Caller) -> Vector:
        """The vector of as much of a text as the model reads: all, half, a quarter ..."""
        while True:
            try:
                return (await self._request((text,), caller))[0]
            except ContextLengthExceeded:
                if len(text) < _SHORTEST:
                    raise
                text = text[: len(text) // 2]

    async def _request(self, texts: tuple[str, ...], caller: Caller) -> list[Vector]:
        request = EmbedRequest(model=self.model, texts=texts, caller=caller)
        vectors = (await self._embedder.embed(request)).vectors
        for width in map(len, vectors):
            self._width = width if self._width is None else self._width
            if width != self._width:
                raise IndexUnavailable(
                    f"The embedder {self.model} gave {self._width} numbers a text and now gives {width}. "
                    "Open the index again; it is then built anew."
                )
        return list(vectors)
