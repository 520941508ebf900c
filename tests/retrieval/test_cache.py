from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from retrieval.cache import VectorCache
from retrieval.protocol import IndexUnavailable

PROBE = (1.0, 0.0)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[VectorCache]:
    cache = VectorCache(tmp_path / "index")
    yield cache
    cache.close()


def reopened(folder: Path, model: str, probe: Sequence[float]) -> set[str]:
    """What of the keys a and b is left when a cache is opened by another run."""
    cache = VectorCache(folder)
    cache.claim(model, probe)
    left = set(cache.get(["a", "b"]))
    cache.close()
    return left


def test_vectors_are_kept_as_single_precision(cache: VectorCache) -> None:
    cache.put({"a": (0.5, -1.0), "b": (0.1, 0.2)})
    found = cache.get(["a", "b", "c"])
    assert list(found["a"]) == [0.5, -1.0]
    assert list(found["b"]) == pytest.approx([0.1, 0.2])
    assert set(found) == {"a", "b"}


def test_any_number_of_keys_may_be_asked_for(cache: VectorCache) -> None:
    cache.put({str(number): (float(number),) for number in range(5000)})
    found = cache.get([str(number) for number in range(4990, 40_000)])
    assert {key: list(vector) for key, vector in found.items()} == {str(n): [n] for n in range(4990, 5000)}


def test_what_is_not_wanted_goes_once_it_is_most(cache: VectorCache) -> None:
    cache.put({str(number): (0.0,) for number in range(1040)})
    wanted = [str(number) for number in range(10)]
    cache.trim(wanted)
    assert len(cache.get([str(number) for number in range(1040)])) == 1040
    cache.put({"one more": (0.0,)})
    cache.trim(wanted)
    assert set(cache.get([str(number) for number in range(1040)])) == set(wanted)


@pytest.mark.parametrize(
    ("model", "probe", "said"),
    [
        ("other", PROBE, "The embedder was mini and is now other."),
        ("mini", (1.0, 0.0, 0.0), "The embedder mini gave 2 numbers a text and now gives 3."),
        ("mini", (0.0, 1.0), "The embedder mini now gives other vectors for the same text: its weights have changed."),
    ],
)
def test_vectors_of_another_model_are_dropped_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, model: str, probe: Sequence[float], said: str
) -> None:
    cache = VectorCache(tmp_path)
    cache.claim("mini", PROBE)
    cache.put({"a": PROBE})
    cache.close()
    with caplog.at_level(logging.WARNING):
        assert reopened(tmp_path, "mini", (0.999, 0.01)) == {"a"}
        assert caplog.messages == []
        assert reopened(tmp_path, model, probe) == set()
        assert [message.startswith(said) for message in caplog.messages] == [True]
        assert reopened(tmp_path, model, probe) == set()
        assert len(caplog.messages) == 1


def test_a_damaged_file_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with caplog.at_level(logging.WARNING):
        cache = VectorCache(tmp_path)
    cache.put({"a": (1.0,)})
    cache.close()
    assert "computed again" in caplog.text


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    first = VectorCache(tmp_path)
    with pytest.raises(IndexUnavailable, match="another process holds it") as error:
        VectorCache(tmp_path)
    assert error.value.retryable
    first.close()
    VectorCache(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="can be written"):
        VectorCache(tmp_path / "file" / "index")
