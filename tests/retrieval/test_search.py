"""What a search finds in the sample repository, by words alone and with embeddings."""

from __future__ import annotations

import pytest

from tests.retrieval.conftest import HYBRID, Make, places
from tests.retrieval.embedders import SOMEBODY, WordEmbedder
from tests.retrieval.repository import FILES


@pytest.mark.parametrize(
    ("query", "path", "symbol"),
    [
        ("cents owed after the due date up to a ceiling", "library/fines.py", "overdue_fine"),  # a docstring
        ("forgive a debt", "library/fines.py", "waive"),
        ("where do we compute the checksum", "library/catalogue.py", "isbn_checksum"),  # part of a snake_case name
        (
            "notify the next one",
            "library/reservations.py",
            "ReservationQueue.notifyNextMember",
        ),  # parts of a camelCase name
        ("notifyNextMember", "library/reservations.py", "ReservationQueue.notifyNextMember"),
        ("TokenBucket", "library/http/rate_limit.py", "TokenBucket"),
        ("retry-after", "library/http/rate_limit.py", "TokenBucket"),
        ("migrations", "library/storage/migrations.py", "migrate"),
        ("library/storage/sqlite_store.py", "library/storage/sqlite_store.py", "connect"),  # a path
        ("due date badge colour", "web/src/loanTable.ts", "DueDateBadge"),
        ("how to restore a backup", "docs/operations.md", "Restore"),
        ("refuse members who owe money", "library/loans.py", "LoanDesk.check_out"),
    ],
)
@pytest.mark.parametrize("hybrid", [False, True], ids=["words", "hybrid"])
async def test_the_right_passage_is_among_the_first_two(
    make: Make, query: str, path: str, symbol: str, hybrid: bool
) -> None:
    index = make(HYBRID, WordEmbedder()) if hybrid else make()
    await index.refresh(FILES, SOMEBODY)
    found = await index.search(query, SOMEBODY)
    best = [(passage.path, name) for passage in found[:2] for name in passage.symbols]
    assert (path, symbol) in best, places(found)
    scores = [passage.score for passage in found]
    assert scores == sorted(scores, reverse=True)


async def test_a_synonym_is_found_by_meaning_only(make: Make) -> None:
    query = "delete unused user accounts"
    words, hybrid = make(), make(HYBRID, WordEmbedder(), "hybrid")
    await words.refresh(FILES, SOMEBODY)
    await hybrid.refresh(FILES, SOMEBODY)
    by_words = await words.search("delete user", SOMEBODY)
    assert "purge_inactive" not in {name for passage in by_words for name in passage.symbols}
    assert "purge_inactive" in (await hybrid.search(query, SOMEBODY, limit=3))[0].symbols


async def test_passages_say_where_they_are_from(make: Make) -> None:
    index = make()
    await index.refresh(FILES, SOMEBODY)
    for passage in await index.search("member loan isbn", SOMEBODY, limit=50):
        lines = FILES[passage.path].decode().splitlines(keepends=True)
        assert passage.text == "".join(lines[passage.start_line - 1 : passage.end_line])


async def test_rare_words_decide(make: Make) -> None:
    """Qdrant's IDF is applied: three common words weigh less than a rare one."""
    files = {f"f{n}.txt": b"alpha beta gamma\n" for n in range(30)} | {"rare.txt": b"omega one two\n"}
    index = make()
    await index.refresh(files, SOMEBODY)
    assert (await index.search("alpha beta gamma omega", SOMEBODY))[0].path == "rare.txt"


async def test_limits_and_queries_without_words(make: Make) -> None:
    index = make()
    assert await index.search("anything", SOMEBODY) == []
    await index.refresh(FILES, SOMEBODY)
    assert len(await index.search("member", SOMEBODY, limit=3)) == 3
    assert await index.search("  ", SOMEBODY) == await index.search("of the", SOMEBODY) == []
