"""Chooses the passages that go into a prompt: the best that fit a token budget, in whole pieces.

Pure and deterministic; who builds the prompt calls it with what a search (or `chunk`, for a named file) gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from retrieval.chunk import split_lines
from retrieval.protocol import CountTokens, Passage


def select(
    passages: Sequence[Passage],
    budget_tokens: int,
    count: CountTokens,
    must: Sequence[str] = (),
    per_file: int = 5,
) -> list[Passage]:
    """The passages for a prompt, whose texts cost at most `budget_tokens` together.

    All passages of files named in `must` come first, in that order; then the others by score, at most `per_file` of
    each file. Passages that touch become one. What does not fit is left out, and smaller ones may take its place;
    only if the very first is alone over the budget it is cut after a line, and its last line says so. The result
    goes by file, in the order in which files were chosen, and by line.
    """
    cost = cache(count)
    chosen: list[Passage] = []
    taken: Counter[str] = Counter()
    for passage in _in_order(passages, must):
        if taken[passage.path] == per_file and passage.path not in must:
            continue
        if any(_overlap(passage, other) for other in chosen):
            continue
        if not chosen and cost(passage.text) > budget_tokens:
            return _cut(passage, budget_tokens, count)
        longer = _merged([*chosen, passage])
        if sum(cost(part.text) for part in longer) <= budget_tokens:
            chosen = longer
            taken[passage.path] += 1
    return chosen


def _in_order(passages: Iterable[Passage], must: Sequence[str]) -> list[Passage]:
    def rank(passage: Passage) -> tuple[int, float, str, int]:
        if passage.path in must:
            return must.index(passage.path), 0.0, passage.path, passage.start_line
        return len(must), -passage.score, passage.path, passage.start_line

    return sorted(passages, key=rank)


def _overlap(one: Passage, other: Passage) -> bool:
    return one.path == other.path and one.start_line <= other.end_line and other.start_line <= one.end_line


def _merged(passages: Sequence[Passage]) -> list[Passage]:
    """Passages by file, as the files first come, and by line; those that touch are one, with the better score."""
    files = list(dict.fromkeys(passage.path for passage in passages))
    merged: list[Passage] = []
    for passage in sorted(passages, key=lambda passage: (files.index(passage.path), passage.start_line)):
        before = merged[-1] if merged else None
        if before is None or (before.path, before.end_line + 1) != (passage.path, passage.start_line):
            merged.append(passage)
            continue
        merged[-1] = replace(
            before,
            end_line=passage.end_line,
            text=before.text + passage.text,
            symbols=tuple(dict.fromkeys(before.symbols + passage.symbols)),
            score=max(before.score, passage.score),
        )
    return merged


def _cut(passage: Passage, budget_tokens: int, count: CountTokens) -> list[Passage]:
    """As many first lines of a passage as fit together with a line that says what is missing; none if none do."""
    lines = split_lines(passage.text)
    for kept in range(len(lines) - 1, 0, -1):
        end = passage.start_line + kept - 1
        note = f"[cut: lines {end + 1} to {passage.end_line} of {passage.path} did not fit]\n"
        text = "".join(lines[:kept]) + note
        if count(text) <= budget_tokens:
            return [replace(passage, end_line=end, text=text)]
    return []
