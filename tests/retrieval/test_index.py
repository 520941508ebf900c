"""How an index is kept current, and what becomes of it when things go wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from inference.errors import ContextLengthExceeded, EngineUnavailable
from inference.protocol import Caller, Embeddings, EmbedRequest
from retrieval.cache import VectorCache
from retrieval.index import QdrantIndex
from retrieval.protocol import IndexUnavailable
from retrieval.spec import RetrievalSpec, RetrievalWeights
from tests.retrieval.conftest import HYBRID, WORDS, Make, places
from tests.retrieval.embedders import SOMEBODY, WordEmbedder
from tests.retrieval.repository import FILES


async def test_a_refresh_counts_files_and_touches_only_what_changed(make: Make) -> None:
    embedder = WordEmbedder()
    index = make(HYBRID, embedder)
    first = await index.refresh(FILES | {"logo.png": b"\0", "yarn.lock": b"x"}, SOMEBODY)
    assert (first.files, first.added, first.removed, first.unchanged) == (len(FILES), len(FILES), 0, 0)
    assert first.skipped == ("logo.png is binary", "yarn.lock is skipped by `*.lock`")
    assert first.passages == len(embedder.embedded) - 1 > len(FILES)

    embedder.embedded.clear()
    same = await index.refresh(FILES, SOMEBODY)
    assert (same.added, same.removed, same.unchanged, same.skipped) == (0, 0, len(FILES), ())
    assert (same.passages, embedder.embedded) == (first.passages, [])

    changed = dict(FILES)
    del changed["Makefile"]
    changed["library/fines.py"] = b"# A new line at the top moves every passage.\n" + FILES["library/fines.py"]
    changed["library/new.py"] = b"def renew(loan): ...\n"
    third = await index.refresh(changed, SOMEBODY)
    assert (third.files, third.added, third.removed, third.unchanged) == (len(FILES), 2, 1, len(FILES) - 2)
    assert [text.split("\n")[0] for text in embedder.embedded] == ["library/fines.py", "library/new.py"]
    (moved,) = await index.search("waive forgive debt", SOMEBODY, limit=1)
    assert moved.text.startswith("def waive")
    assert FILES["library/fines.py"].decode().split("\n").index("def waive(member, reason):") + 2 == moved.start_line


async def test_an_index_kept_current_is_the_same_as_one_built_anew(make: Make) -> None:
    kept = make(HYBRID, WordEmbedder())
    files = dict(FILES)
    for path in list(FILES):
        await kept.refresh({other: content for other, content in files.items() if other != path}, SOMEBODY)
        files[path] = b"\n".join(FILES[path].split(b"\n")[:-3]) + b"\n"
        await kept.refresh(files, SOMEBODY)
    await kept.refresh(FILES, SOMEBODY)
    fresh = make(HYBRID, WordEmbedder(), "fresh")
    await fresh.refresh(FILES, SOMEBODY)
    for query in ("member", "loan isbn due", "execute connection", "docs"):
        assert await kept.search(query, SOMEBODY, limit=100) == await fresh.search(query, SOMEBODY, limit=100)


async def test_equal_scores_go_by_path_whatever_came_first(make: Make) -> None:
    files = {f"{letter}.txt": b"harbour\n" for letter in "dbeac"}
    index = make()
    for path in files:
        await index.refresh({known: files[known] for known in list(files)[: list(files).index(path) + 1]}, SOMEBODY)
    assert places(await index.search("harbour", SOMEBODY)) == ["a.txt:1", "b.txt:1", "c.txt:1", "d.txt:1", "e.txt:1"]


async def test_embeddings_outlive_the_process_and_go_with_their_model(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    first = make(HYBRID, WordEmbedder())
    passages = (await first.refresh(FILES, SOMEBODY)).passages
    await first.close()

    second = make(HYBRID, again := WordEmbedder())
    await second.refresh(FILES, SOMEBODY)
    await second.close()
    assert len(again.embedded) == 1  # the probe

    with caplog.at_level(logging.WARNING):
        third = make(HYBRID, wider := WordEmbedder(width=96))
        await third.refresh(FILES, SOMEBODY)
    assert len(wider.embedded) == 1 + passages
    assert "gave 64 numbers a text and now gives 96" in caplog.text
    assert await third.search("loan", SOMEBODY)


async def test_an_embedder_replaced_under_an_open_index_is_noticed(make: Make) -> None:
    index = make(HYBRID, embedder := WordEmbedder())
    await index.refresh(FILES, SOMEBODY)
    embedder.width = 96
    with pytest.raises(IndexUnavailable, match="gave 64 numbers a text and now gives 96"):
        await index.search("loan", SOMEBODY)
    with pytest.raises(IndexUnavailable, match="Open the index again"):
        await index.refresh(FILES | {"new.py": b"x = 1\n"}, SOMEBODY)


async def test_searches_and_refreshes_may_overlap(make: Make) -> None:
    index = make(HYBRID, WordEmbedder())
    await index.refresh(FILES, SOMEBODY)
    expected = await index.search("member loan", SOMEBODY)
    grown = FILES | {"extra.py": b"def member_loan_extra(): ...\n"}
    refreshes = [asyncio.create_task(index.refresh(files, SOMEBODY)) for files in (grown, FILES)]
    found = await asyncio.gather(*[index.search("member loan", SOMEBODY) for _ in range(4)])
    await asyncio.gather(*refreshes)
    assert all(result == expected or places(result)[0] == "extra.py:1" for result in found)
    assert await index.search("member loan", SOMEBODY) == expected


async def test_a_refresh_does_not_block_the_event_loop_and_shows_only_when_complete(make: Make) -> None:
    started, released = asyncio.Event(), asyncio.Event()

    class SlowEmbedder(WordEmbedder):
        async def embed(self, request: EmbedRequest) -> Embeddings:
            if any("slow.py" in text for text in request.texts):
                started.set()
                await released.wait()
            return await super().embed(request)

    index = make(HYBRID, SlowEmbedder())
    await index.refresh(FILES, SOMEBODY)
    refresh = asyncio.create_task(index.refresh({"slow.py": b"def member(): ...\n"}, SOMEBODY))
    await started.wait()
    assert {passage.path for passage in await index.search("member", SOMEBODY)} <= FILES.keys()
    released.set()
    await refresh
    assert places(await index.search("member", SOMEBODY)) == ["slow.py:1"]


async def test_a_cancelled_refresh_leaves_the_index_as_it_was(make: Make) -> None:
    waiting = asyncio.Event()

    class StuckEmbedder(WordEmbedder):
        async def embed(self, request: EmbedRequest) -> Embeddings:
            if any("stuck.py" in text for text in request.texts):
                waiting.set()
                await asyncio.Event().wait()
            return await super().embed(request)

    index = make(HYBRID, StuckEmbedder())
    await index.refresh(FILES, SOMEBODY)
    expected = await index.search("member", SOMEBODY)
    refresh = asyncio.create_task(index.refresh({"stuck.py": b"x = 1\n"}, SOMEBODY))
    await waiting.wait()
    refresh.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refresh
    assert await index.search("member", SOMEBODY) == expected
    assert (await index.refresh(FILES, SOMEBODY)).unchanged == len(FILES)


async def test_a_search_cancelled_while_the_folder_is_taken_does_not_lock_us_out(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking, go_on = threading.Event(), threading.Event()

    class SlowCache(VectorCache):
        def __init__(self, folder: Path) -> None:
            taking.set()
            assert go_on.wait(30)
            super().__init__(folder)

    monkeypatch.setattr("retrieval.index.VectorCache", SlowCache)
    index = make()
    search = asyncio.create_task(index.search("loan", SOMEBODY))
    await asyncio.to_thread(taking.wait, 30)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    go_on.set()
    assert await index.search("loan", SOMEBODY) == []


async def test_texts_are_shortened_until_they_fit_the_embedder(make: Make) -> None:
    files = {"long.py": b"def wordy():\n    '''" + b"text " * 200 + b"'''\n", "short.py": b"x = 1\n"}
    index = make(HYBRID, embedder := WordEmbedder(context_characters=300))
    await index.refresh(files, SOMEBODY)
    assert sorted(map(len, embedder.embedded[1:])) == [len("short.py\n\nx = 1\n"), 259]
    capped = make(RetrievalSpec(embedder="words", embed_characters=80), embedder := WordEmbedder(), "capped")
    await capped.refresh(files, SOMEBODY)
    assert max(map(len, embedder.embedded)) == 80
    hopeless = make(HYBRID, WordEmbedder(context_characters=10), "hopeless")
    with pytest.raises(ContextLengthExceeded):
        await hopeless.refresh(files, SOMEBODY)


async def test_an_embedder_that_is_down_is_an_engine_error_and_the_next_refresh_goes_on(make: Make) -> None:
    class FailingEmbedder(WordEmbedder):
        failing = False

        async def embed(self, request: EmbedRequest) -> Embeddings:
            if self.failing and len(self.requests) == 3:
                raise EngineUnavailable("The embedder restarts.")
            return await super().embed(request)

    index = make(HYBRID, embedder := FailingEmbedder())
    embedder.failing = True
    with pytest.raises(EngineUnavailable):
        await index.refresh(FILES, SOMEBODY)
    assert len(embedder.embedded) == 1 + 2 * HYBRID.embed_batch
    embedder.failing = False
    report = await index.refresh(FILES, SOMEBODY)
    assert len(embedder.embedded) == 1 + report.passages


async def test_whoever_asks_pays_and_decides_where_texts_may_go(make: Make) -> None:
    index = make(HYBRID, embedder := WordEmbedder())
    ada, grace = Caller("first", "ada", "secret"), Caller("second", "grace", "public")
    await index.search_in(FILES, "loan", ada)
    assert {(request.model, request.caller) for request in embedder.requests} == {("words", ada)}
    embedder.requests.clear()
    await index.search_in(FILES | {"new.py": b"x = 1\n"}, "member", grace)
    assert [request.caller for request in embedder.requests] == [grace, grace]


async def test_searches_at_once_find_only_what_is_in_the_files_they_name(make: Make) -> None:
    index = make(HYBRID, WordEmbedder())
    mine = [FILES | {f"secret_{number}.py": b"def member_loan_secret(): ...\n"} for number in range(6)]
    found = await asyncio.gather(*[index.search_in(files, "member loan secret", SOMEBODY) for files in mine])
    for files, passages in zip(mine, found, strict=True):
        assert {passage.path for passage in passages} <= files.keys()
        assert passages[0].path == (files.keys() - FILES.keys()).pop()


async def test_a_weight_of_zero_leaves_a_ranking_out(make: Make) -> None:
    index = make(RetrievalSpec(embedder="words", weights=RetrievalWeights(dense=0)), embedder := WordEmbedder())
    await index.refresh(FILES, SOMEBODY)
    assert await index.search("loan", SOMEBODY)
    assert embedder.requests == []


async def test_closing_is_final_and_may_be_repeated(make: Make) -> None:
    index = make()
    await index.refresh(FILES, SOMEBODY)
    await asyncio.gather(index.close(), index.close())
    with pytest.raises(IndexUnavailable, match="Open it again"):
        await index.search("loan", SOMEBODY)
    with pytest.raises(IndexUnavailable, match="is closed"):
        await index.refresh(FILES, SOMEBODY)


def test_an_embedder_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"retrieval\.embedder"):
        QdrantIndex(tmp_path, WORDS, WordEmbedder())
