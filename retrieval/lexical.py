"""BM25 as sparse vectors: the weights of a passage's terms, and of a query's.

The dot product of the two, with Qdrant's IDF on the query side, is the BM25 score (Robertson and Zaragoza,
2009), over fields as in BM25F: a word of the path or of a symbol counts as so many words of the text.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable

from retrieval.protocol import Passage
from retrieval.spec import RetrievalWeights
from retrieval.terms import terms

SATURATION = 1.2
LENGTH_SHARE = 0.5
USUAL_TERMS = 70
"""A passage of this many terms is neither favoured nor punished. A constant, not the collection's mean: a passage's
weights then depend on nothing else, so an index kept current is the same as one built anew."""

SparseVector = dict[int, float]
"""Term number (32 bits) -> weight."""


def passage_vector(passage: Passage, weights: RetrievalWeights) -> SparseVector:
    """The weight of each term of a passage, its path and its symbols."""
    frequencies: dict[str, float] = dict(Counter(terms(passage.text)))
    scale = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * sum(frequencies.values()) / USUAL_TERMS)
    for boost, text in ((weights.path, passage.path), (weights.symbols, " ".join(passage.symbols))):
        for term in terms(text):
            frequencies[term] = frequencies.get(term, 0.0) + boost
    return _numbered((term, tf * (SATURATION + 1) / (tf + scale)) for term, tf in frequencies.items() if tf > 0)


def query_vector(query: str) -> SparseVector:
    """One for each term of a query; empty if there is none to search by."""
    return _numbered((term, 1.0) for term in dict.fromkeys(terms(query)))


def _numbered(weights: Iterable[tuple[str, float]]) -> SparseVector:
    """Terms by number, ascending; two terms of one number (one pair in 90,000 terms) keep the heavier weight."""
    vector: SparseVector = {}
    for term, weight in weights:
        number = zlib.crc32(term.encode())
        vector[number] = max(weight, vector.get(number, 0.0))
    return dict(sorted(vector.items()))
