"""The index of one repository in Qdrant's embedded form, kept current by content hash.

Qdrant's local mode holds everything in memory however it is opened, and writes to disk one transaction a point. So
the collection is built in memory when an index is opened, and only what is dear to make again, the embeddings, is
on disk (`cache.py`). The only file that knows qdrant_client.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from inference.protocol import Caller, Embedder
from retrieval.cache import Vector, VectorCache
from retrieval.embedding import TextEmbedder
from retrieval.fusion import fuse
from retrieval.lexical import SparseVector, query_vector
from retrieval.points import IndexedFile, Point, digest, embedded_text, index_file
from retrieval.protocol import IndexReport, IndexUnavailable, Passage
from retrieval.spec import RetrievalSpec

T = TypeVar("T")
Changes = Mapping[str, tuple[IndexedFile, Sequence[Point]]]
"""New or changed files by path."""

_PROBE = "def parse(text: str) -> list[str]: return text.split()"
_CANDIDATES = 100
"""Passages that each ranking hands to the fusion, at least."""


class QdrantIndex:
    """A `RepositoryIndex`. One process at a time may have a folder; within it, searches and refreshes may overlap.

    It is empty until the first refresh; each becomes visible as a whole, at its end. Reports count files, but for
    `passages`; `added` are new or changed. Besides `RetrievalError`, methods raise the embedder's `EngineError`.
    """

    def __init__(self, folder: Path, spec: RetrievalSpec, embedder: Embedder | None = None) -> None:
        """Opens nothing yet. Without an embedder, or with weight 0 for it, search goes by words alone."""
        if embedder is not None and spec.embedder is None:
            raise ValueError("An embedder was given, but `retrieval.embedder` in models.yaml names no model.")
        self._folder = folder
        self._spec = spec
        self._embedder = None
        if embedder is not None and spec.embedder is not None and spec.weights.dense > 0:
            self._embedder = TextEmbedder(embedder, spec.embedder, spec.embed_characters)
        self._opened: _Opened | None = None
        self._opening, self._refreshing = asyncio.Lock(), asyncio.Lock()
        # Neither local Qdrant nor an SQLite connection may be used by two threads: one thread does it all.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="retrieval")
        self._closed = False

    async def refresh(self, files: Mapping[str, bytes], caller: Caller) -> IndexReport:
        """Make the index hold exactly these files (path -> content); only those of unknown content are worked on."""
        async with self._refreshing:
            return await self._refresh(files, caller)

    async def search_in(
        self, files: Mapping[str, bytes], query: str, caller: Caller, *, limit: int = 20
    ) -> list[Passage]:
        """Refresh, then search, with nobody's refresh in between: every passage is one of these files'."""
        async with self._refreshing:
            await self._refresh(files, caller)
            return await self.search(query, caller, limit=limit)

    async def _refresh(self, files: Mapping[str, bytes], caller: Caller) -> IndexReport:
        opened = await self._open(caller)
        changed = await asyncio.to_thread(self._read, dict(files), opened.files)
        vectors = await self._embed(opened, [point for _, points in changed.values() for point in points], caller)
        return await self._run(lambda: opened.apply(changed, frozenset(files), vectors))

    async def search(self, query: str, caller: Caller, *, limit: int = 20) -> list[Passage]:
        """The best passages for words and identifiers, best first; none if the query has no words."""
        opened = await self._open(caller)
        weights, depth = self._spec.weights, max(_CANDIDATES, limit)
        words = query_vector(query) if weights.lexical > 0 else {}
        meaning: Vector = ()
        if self._embedder is not None and query.strip():
            (meaning,) = await self._embedder.embed([query], caller)

        def rankings() -> list[tuple[float, list[Passage]]]:
            by_words = opened.collection.by_words(words, depth) if words else []
            by_meaning = opened.collection.by_meaning(meaning, depth) if meaning else []
            return [(weights.lexical, by_words), (weights.dense, by_meaning)]

        return fuse(await self._run(rankings), limit)

    async def close(self) -> None:
        """Release the folder and the memory; safe to call twice. A refresh under way ends with IndexUnavailable."""
        if self._closed:
            return
        released = asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._closed = True
        await released
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise IndexUnavailable(f"The index in {self._folder} is closed. Open it again.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _open(self, caller: Caller) -> _Opened:
        """Take the folder, once. The embedder is asked first, to know its width and whether it is still the same."""
        async with self._opening:
            if self._opened is not None:
                return self._opened
            probe = (await self._embedder.embed([_PROBE], caller))[0] if self._embedder is not None else None
            return await self._run(lambda: self._start(probe))

    def _start(self, probe: Vector | None) -> _Opened:
        if self._opened is None:  # an attempt that was cancelled may still have got here
            cache = VectorCache(self._folder)
            try:
                if self._embedder is not None and probe is not None:
                    cache.claim(self._embedder.model, probe)
            except IndexUnavailable:
                cache.close()
                raise
            self._opened = _Opened(cache, None if probe is None else len(probe))
        return self._opened

    def _release(self) -> None:
        if self._opened is not None:
            self._opened.cache.close()
            self._opened = None

    def _read(self, files: Mapping[str, bytes], known: Mapping[str, IndexedFile]) -> Changes:
        """The files whose content is not the known one, cut into points."""
        return {
            path: index_file(path, content, self._spec)
            for path, content in files.items()
            if path not in known or known[path].digest != digest(content)
        }

    async def _embed(self, opened: _Opened, points: Sequence[Point], caller: Caller) -> Mapping[str, Vector]:
        """The points' vectors by key. Each batch is on disk before the next is asked for."""
        if self._embedder is None or not points:
            return {}
        texts = {point.key: embedded_text(point.passage) for point in points}
        vectors = await self._run(lambda: opened.cache.get(texts))
        missing = [key for key in texts if key not in vectors]
        for start in range(0, len(missing), self._spec.embed_batch):
            keys = missing[start : start + self._spec.embed_batch]
            made = await self._embedder.embed([texts[key] for key in keys], caller)
            batch = dict(zip(keys, made, strict=True))
            await self._run(partial(opened.cache.put, batch))
            vectors |= batch
        return vectors


class _Opened:
    """What an open index holds. Everything but `files` is for the index's one thread."""

    def __init__(self, cache: VectorCache, width: int | None) -> None:
        self.cache = cache
        self.collection = _Collection(width)
        self.files: dict[str, IndexedFile] = {}

    def apply(self, changed: Changes, paths: frozenset[str], vectors: Mapping[str, Vector]) -> IndexReport:
        """Put in what changed and take out what is not among `paths`."""
        before, gone = self.files, self.files.keys() - paths
        old = {name for path in gone | (before.keys() & changed.keys()) for name in _names(path, before[path])}
        new = {
            name: point
            for path, (file, points) in changed.items()
            for name, point in zip(_names(path, file), points, strict=True)
        }
        self.collection.put(new, vectors)
        self.collection.drop(old - new.keys())
        self.files = {path: file for path, file in before.items() if path in paths}
        self.files |= {path: file for path, (file, _) in changed.items()}
        if vectors:
            self.cache.trim({key for file in self.files.values() for key in file.keys})
        indexed = sum(file.skipped is None for file in self.files.values())
        added = sum(file.skipped is None for file, _ in changed.values())
        return IndexReport(
            files=indexed,
            passages=sum(len(file.keys) for file in self.files.values()),
            added=added,
            removed=sum(before[path].skipped is None for path in gone),
            unchanged=indexed - added,
            skipped=tuple(sorted(f"{path} {file.skipped}" for path, file in self.files.items() if file.skipped)),
        )


def _names(path: str, file: IndexedFile) -> list[str]:
    """The points' ids in Qdrant: the same place keeps its id, so the collection does not grow by being changed."""
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}#{place}")) for place in range(len(file.keys))]


class _Collection:
    """Points in Qdrant: a sparse vector each, a dense one where there is an embedder, the passage as payload."""

    def __init__(self, width: int | None) -> None:
        from qdrant_client import QdrantClient, models

        self._models = models
        self._client = QdrantClient(":memory:")
        dense = {} if width is None else {"dense": models.VectorParams(size=width, distance=models.Distance.COSINE)}
        lexical = models.SparseVectorParams(modifier=models.Modifier.IDF)
        self._client.create_collection("passages", vectors_config=dense, sparse_vectors_config={"lexical": lexical})

    def put(self, points: Mapping[str, Point], vectors: Mapping[str, Vector]) -> None:
        """Write points by id, over those that had the id."""
        structs = [self._struct(name, point, vectors.get(point.key)) for name, point in points.items()]
        if structs:
            self._client.upsert("passages", structs)

    def drop(self, names: Collection[str]) -> None:
        """Delete points by id."""
        if names:
            self._client.delete("passages", self._models.PointIdsList(points=list(names)))

    def by_words(self, query: SparseVector, limit: int) -> list[Passage]:
        """The passages with the highest BM25 score; only those with a word of the query."""
        return self._nearest("lexical", self._sparse(query), limit)

    def by_meaning(self, query: Vector, limit: int) -> list[Passage]:
        """The passages with the highest cosine."""
        return self._nearest("dense", list(query), limit)

    def _nearest(self, using: str, query: object, limit: int) -> list[Passage]:
        points = self._client.query_points("passages", query=query, using=using, limit=limit).points
        passages = [_passage(point.payload, point.score) for point in points]
        # Equal scores come in the order of storage, which differs between an index kept current and a new one.
        return sorted(passages, key=lambda passage: (-round(passage.score, 5), passage.path, passage.start_line))

    def _struct(self, name: str, point: Point, vector: Vector | None) -> object:
        dense = {} if vector is None else {"dense": list(vector)}
        passage = point.passage
        payload = {
            "path": passage.path,
            "start": passage.start_line,
            "end": passage.end_line,
            "text": passage.text,
            "symbols": list(passage.symbols),
            "file_sha256": point.file,
            "embedded_sha256": point.key,
        }
        return self._models.PointStruct(
            id=name, vector={"lexical": self._sparse(point.lexical), **dense}, payload=payload
        )

    def _sparse(self, vector: SparseVector) -> object:
        return self._models.SparseVector(indices=list(vector), values=list(vector.values()))


def _passage(payload: Mapping[str, Any], score: float) -> Passage:
    return Passage(
        path=payload["path"],
        start_line=payload["start"],
        end_line=payload["end"],
        text=payload["text"],
        symbols=tuple(payload["symbols"]),
        score=score,
    )
