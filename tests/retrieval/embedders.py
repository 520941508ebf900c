"""Embedders for tests: deterministic, offline, and willing to be counted, refused and broken."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

from inference.errors import ContextLengthExceeded
from inference.protocol import Caller, Embeddings, EmbedRequest, Usage
from retrieval.terms import terms

SOMEBODY = Caller("default", "ada")
SYNONYMS = {"delet": "eras", "remov": "eras", "account": "member", "user": "member"}
"""Stems that mean the same to this embedder, though not to a search by words."""


class WordEmbedder:
    """Hashes the words of a text, synonyms as one, into a vector of unit length; remembers what it was asked."""

    def __init__(
        self, width: int = 64, context_characters: int = 100_000, synonyms: Mapping[str, str] | None = None
    ) -> None:
        self.width = width
        self.context_characters = context_characters
        self.synonyms = SYNONYMS if synonyms is None else synonyms
        self.requests: list[EmbedRequest] = []
        self.embedded: list[str] = []

    async def embed(self, request: EmbedRequest) -> Embeddings:
        self.requests.append(request)
        if any(len(text) > self.context_characters for text in request.texts):
            raise ContextLengthExceeded("A text is longer than the context.")
        self.embedded += request.texts
        return Embeddings(tuple(map(self._vector, request.texts)), Usage(), request.model)

    def _vector(self, text: str) -> tuple[float, ...]:
        numbers = [0.0] * self.width
        for term in terms(text):
            digest = zlib.crc32(self.synonyms.get(term, term).encode())
            numbers[digest % self.width] += 1.0 if digest & (1 << 20) else -1.0
        length = math.sqrt(sum(number * number for number in numbers)) or 1.0
        return tuple(number / length for number in numbers)
