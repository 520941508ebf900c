"""From a file's bytes to the points that an index stores: its passages with their terms and digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from retrieval.chunk import chunk
from retrieval.files import skip_reason
from retrieval.lexical import SparseVector, passage_vector
from retrieval.protocol import Passage
from retrieval.spec import RetrievalSpec


@dataclass(frozen=True, slots=True)
class Point:
    """A passage with its lexical vector, its file's digest and the digest (`key`) of what is embedded of it."""

    passage: Passage
    lexical: SparseVector
    file: str
    key: str


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """What an index remembers of a file: the digest of its content and the keys of its points, or why it has none."""

    digest: str
    keys: tuple[str, ...]
    skipped: str | None


def digest(content: bytes) -> str:
    """What content is known by: SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def index_file(path: str, content: bytes, spec: RetrievalSpec) -> tuple[IndexedFile, list[Point]]:
    """Cut a file into points, unless there is a reason to skip it."""
    file = digest(content)
    if (reason := skip_reason(path, content, spec)) is not None:
        return IndexedFile(file, (), reason), []
    passages = chunk(path, content.decode("utf-8-sig"), spec.passage_lines)
    points = [
        Point(passage, passage_vector(passage, spec.weights), file, digest(embedded_text(passage).encode()))
        for passage in passages
    ]
    return IndexedFile(file, tuple(point.key for point in points), None), points


def embedded_text(passage: Passage) -> str:
    """What an embedder reads of a passage: path and symbols first, for they say what the text is about."""
    return f"{passage.path}\n{' '.join(passage.symbols)}\n{passage.text}"
