"""Reciprocal rank fusion (Cormack et al., 2009) of rankings of passages, with a weight for each ranking.

Ours and not Qdrant's, whose weights divide the rank (1 / (k + rank / weight)): at k = 60 a weight of two then
changes next to nothing at the top, where it matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieval.protocol import Passage

RANK_OFFSET = 60


def fuse(rankings: Sequence[tuple[float, Sequence[Passage]]], limit: int) -> list[Passage]:
    """The best passages over all rankings (weight, passages best first), with the fused score: the sum of
    weight / (60 + rank) over the rankings that have it. Equal scores go by path and line."""
    scores: dict[tuple[str, int], float] = {}
    passages: dict[tuple[str, int], Passage] = {}
    for weight, ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            key = (passage.path, passage.start_line)
            passages[key] = passage
            scores[key] = scores.get(key, 0.0) + weight / (RANK_OFFSET + rank)
    best = sorted(scores, key=lambda key: (-scores[key], key))[:limit]
    return [replace(passages[key], score=scores[key]) for key in best]
