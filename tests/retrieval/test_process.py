"""What happens between processes: one has the folder, and one that is killed leaves it in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from retrieval.index import QdrantIndex
from retrieval.protocol import IndexUnavailable
from tests.retrieval.embedders import SOMEBODY, WordEmbedder
from tests.retrieval.process import SPEC
from tests.retrieval.repository import FILES

ROOT = Path(__file__).parents[2]
QUERIES = ("overdue fine", "erase old user accounts", "notify next member", "library/http/routes.py")


@asynccontextmanager
async def other_process(folder: Path, batches: int) -> AsyncIterator[None]:
    """A process that got as far as `batches` and is killed with SIGKILL at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.retrieval.process", str(folder), str(batches),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    index = QdrantIndex(tmp_path, SPEC, WordEmbedder())
    async with other_process(tmp_path, 0):
        with pytest.raises(IndexUnavailable, match="another process holds it") as error:
            await index.refresh(FILES, SOMEBODY)
        assert str(tmp_path) in str(error.value)
        with pytest.raises(IndexUnavailable):
            await index.search("loan", SOMEBODY)
    assert (await index.refresh(FILES, SOMEBODY)).files == len(FILES)
    await index.close()


async def test_a_refresh_killed_half_way_is_completed_by_the_next(tmp_path: Path) -> None:
    fresh = QdrantIndex(tmp_path / "fresh", SPEC, every := WordEmbedder())
    await fresh.refresh(FILES, SOMEBODY)
    async with other_process(tmp_path / "killed", 3):
        pass
    resumed = QdrantIndex(tmp_path / "killed", SPEC, rest := WordEmbedder())
    report = await resumed.refresh(FILES, SOMEBODY)
    assert report.added == report.files == len(FILES)
    assert len(every.embedded) - len(rest.embedded) == 3 * SPEC.embed_batch
    for query in QUERIES:
        assert await resumed.search(query, SOMEBODY) == await fresh.search(query, SOMEBODY)
    await fresh.close()
    await resumed.close()
