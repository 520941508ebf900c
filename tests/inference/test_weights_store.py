"""What is in the store stays right: read-only, copied to another machine, damaged, pulled again, pulled by two."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

import pytest

from inference.errors import WeightsError
from inference.weights import WeightsStore
from inference.weights.remote import Access
from tests.inference.weights_servers import Hub, served, sha256

WEIGHTS = random.Random(8).randbytes(20_000)
SOURCE = "hf:acme/coder@main"


@pytest.fixture
def hub() -> Hub:
    return Hub({"coder.gguf": WEIGHTS})


@pytest.fixture
def store(hub: Hub, tmp_path: Path) -> Iterator[WeightsStore]:
    """A store on the side that has a network, with one model in it."""
    with served(hub.app()) as url:
        filled = WeightsStore(tmp_path / "store", tmp_path / "cache", access=Access(url))
        filled.gguf(SOURCE)
        yield filled


@pytest.fixture
def other_side(store: WeightsStore, tmp_path: Path) -> WeightsStore:
    """The same store, copied to where there is none."""
    shutil.copytree(store.root, tmp_path / "mounted", copy_function=shutil.copyfile)
    return WeightsStore(tmp_path / "mounted", tmp_path / "other cache", offline=True)


def everything(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_on_the_other_side_nothing_is_written_and_nothing_hashed(
    other_side: WeightsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(other_side.root)

    def never(file: BufferedReader, name: str) -> object:
        raise AssertionError(f"{file.name} was read to hash it")

    monkeypatch.setattr(hashlib, "file_digest", never)
    path = other_side.gguf(SOURCE, sha256(WEIGHTS))
    assert path.read_bytes() == WEIGHTS
    assert other_side.identity(path) == other_side.digest(path) == sha256(WEIGHTS)
    assert everything(other_side.root) == before
    assert not [path for path in other_side.root.rglob("*") if path.is_symlink()]


def test_a_read_only_store_without_any_place_to_remember_works_too(other_side: WeightsStore, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert replace(other_side, cache=tmp_path / "file").gguf(SOURCE, sha256(WEIGHTS))


@pytest.mark.parametrize("damage", [WEIGHTS[:-1], b"x" + WEIGHTS[1:], None])
def test_damage_is_noticed_at_the_start(other_side: WeightsStore, damage: bytes | None) -> None:
    path = other_side.gguf(SOURCE)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
        os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsError, match=r"damaged: .*coder\.gguf is .*was pulled as 20000 bytes"):
        other_side.gguf(SOURCE)
    (problem,) = other_side.problems(SOURCE, "gguf", None)
    assert sha256(WEIGHTS) in problem


def test_verify_sees_what_a_start_cannot_see(other_side: WeightsStore) -> None:
    path = other_side.gguf(SOURCE)
    state = path.stat()
    assert list(other_side.problems(SOURCE, "gguf", sha256(WEIGHTS))) == []
    path.write_bytes(WEIGHTS[::-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert other_side.gguf(SOURCE), "nothing that a start looks at has changed"
    (problem,) = other_side.problems(SOURCE, "gguf", None)
    assert sha256(WEIGHTS[::-1]) in problem
    assert sha256(WEIGHTS) in problem


def test_verify_says_what_is_not_there(other_side: WeightsStore) -> None:
    (problem,) = other_side.problems("hf:acme/other@main", "gguf", None)
    assert "not in the store" in problem


def pull_again(store: WeightsStore) -> Path:
    plan = store.plan(SOURCE, "gguf")
    assert plan
    store.fetch(SOURCE, "gguf", plan, None, lambda name, here: None)
    return store.gguf(SOURCE)


def test_a_revision_that_moved_is_used_when_it_was_pulled_and_the_one_in_use_stays(
    hub: Hub, store: WeightsStore
) -> None:
    old = store.gguf(SOURCE)
    hub.files["coder.gguf"], hub.commit = WEIGHTS[::-1], "b" * 40
    assert store.gguf(SOURCE) == old, "a start asks nobody"
    new = pull_again(store)
    assert (new.read_bytes(), old.read_bytes()) == (WEIGHTS[::-1], WEIGHTS)
    hub.files["coder.gguf"], hub.commit = b"third", "c" * 40
    assert pull_again(store).read_bytes() == b"third"
    assert new.exists()
    assert not old.exists()


def test_a_file_that_stayed_the_same_is_fetched_once_for_all_revisions_and_sources(
    hub: Hub, store: WeightsStore
) -> None:
    hub.commit = "b" * 40
    plan = store.plan(SOURCE, "gguf")
    assert plan
    assert plan.missing_bytes == 0
    assert pull_again(store).read_bytes() == WEIGHTS
    assert store.gguf("hf:acme/coder/coder.gguf@v1").read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0]


def test_what_is_here_is_not_fetched_again(hub: Hub, store: WeightsStore) -> None:
    pull_again(store)
    assert hub.bodies.starts["coder.gguf"] == [0]


@pytest.mark.parametrize("damage", [WEIGHTS[:-1], b"x" + WEIGHTS[1:], None])
def test_a_pull_mends_what_is_damaged(hub: Hub, store: WeightsStore, damage: bytes | None) -> None:
    path = store.gguf(SOURCE)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
        os.utime(path, ns=(1, 1))
    assert pull_again(store).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0, 0]


def test_a_manifest_that_was_lost_is_written_again_without_fetching(hub: Hub, store: WeightsStore) -> None:
    """As if the process had been killed between the last two steps of a pull."""
    (manifest,) = store.root.glob("*/manifest.json")
    manifest.unlink()
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0]
    manifest.write_bytes(b'{"half')
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS


def test_two_do_not_pull_the_same_at_once(hub: Hub, store: WeightsStore) -> None:
    hub.commit = "b" * 40
    plan = store.plan(SOURCE, "gguf")
    assert plan

    def second(name: str, here: int) -> None:
        with pytest.raises(WeightsError, match="Another process is fetching"):
            store.fetch(SOURCE, "gguf", plan, None, lambda name, here: None)
        seen.append(name)

    seen: list[str] = []
    store.fetch(SOURCE, "gguf", plan, None, second)
    assert seen


def test_what_does_not_fit_is_not_begun(hub: Hub, store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(store.root)._replace(free=2**28 + 10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    empty = replace(store, root=store.root / "other")
    with pytest.raises(WeightsError, match=r"20000 bytes would have to be fetched .* only 256\.01 MiB are free"):
        empty.gguf(SOURCE)
    assert hub.bodies.starts["coder.gguf"] == [0]
    assert not empty.root.exists()
