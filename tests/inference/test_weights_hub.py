"""Pulling from a hub that fails in all the ways hubs and networks fail; the hub is a server on the loopback."""

from __future__ import annotations

import logging
import random
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.errors import WeightsError
from inference.weights import WeightsStore, http_range
from inference.weights.pull import Patience
from inference.weights.remote import Access
from tests.inference.weights_servers import Fault, Hub, git_sha1, served, sha256

WEIGHTS = random.Random(5).randbytes(100_000)
SOURCE = "hf:acme/coder@main"


@pytest.fixture
def hub() -> Hub:
    return Hub({"coder.gguf": WEIGHTS, "README.md": b"hello"})


@pytest.fixture
def store(hub: Hub, tmp_path: Path) -> Iterator[WeightsStore]:
    with served(hub.app()) as url:
        patience = Patience(failures=2, first_pause_seconds=0.01)
        yield WeightsStore(tmp_path / "store", tmp_path / "cache", access=Access(url), patience=patience)


def offline(store: WeightsStore) -> WeightsStore:
    """The same store where nothing can be asked."""
    return replace(store, offline=True, access=Access("http://127.0.0.1:9"))


def left(store: WeightsStore, pattern: str) -> list[Path]:
    return sorted(path for path in store.root.rglob(pattern) if "digests" not in path.parts)


def test_the_one_gguf_file_of_a_repository_is_fetched_once(hub: Hub, store: WeightsStore) -> None:
    path = store.gguf(SOURCE, sha256(WEIGHTS))
    asked = list(hub.asked)
    assert path == store.gguf(SOURCE) == offline(store).gguf(SOURCE)
    assert hub.asked == asked
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(store.root)
    assert hub.downloads() == ["coder.gguf"]
    assert hub.bodies.starts == {"coder.gguf": [0]}


def test_a_folder_is_fetched_without_what_is_not_needed(hub: Hub, store: WeightsStore) -> None:
    hub.files |= {"config.json": b"{}", "1_Pooling/config.json": b"[]", "model.safetensors": WEIGHTS}
    hub.files |= {"pytorch_model.bin": b"unsafe", "consolidated.safetensors": WEIGHTS, "original/params.json": b"{}"}
    folder = store.folder(SOURCE, sha256(WEIGHTS))
    assert (folder / "1_Pooling" / "config.json").read_bytes() == b"[]"
    assert hub.downloads() == ["1_Pooling/config.json", "config.json", "model.safetensors"]


def test_of_several_gguf_files_one_must_be_named_and_parts_belong_together(hub: Hub, store: WeightsStore) -> None:
    hub.files |= {f"Q4/big-0000{number}-of-00002.gguf": bytes([number]) for number in (1, 2)}
    with pytest.raises(WeightsError, match=r"name one of several; there are Q4/big-00001-of-00002\.gguf, coder\.gguf"):
        store.gguf(SOURCE)
    assert hub.downloads() == []
    assert store.gguf("hf:acme/coder/coder.gguf@main").read_bytes() == WEIGHTS
    first = store.gguf("hf:acme/coder/Q4/big-00001-of-00002.gguf@main")
    assert first.name == "big-00001-of-00002.gguf"
    assert first.with_name("big-00002-of-00002.gguf").read_bytes() == b"\2"
    manifest = store.manifest("hf:acme/coder/Q4/big-00001-of-00002.gguf@main", "gguf")
    assert manifest
    assert manifest.digest == store.identity(first)
    with pytest.raises(WeightsError, match=r"there is no huge\.gguf"):
        store.gguf("hf:acme/coder/huge.gguf@main")


def test_a_pull_goes_on_where_it_was_cut_off(hub: Hub, store: WeightsStore) -> None:
    hub.bodies.faults["coder.gguf"] = [Fault(ends_after=30_000), Fault(status=503), Fault(ends_after=20_000)]
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0, 30_000, 30_000, 50_000]


def test_a_pull_that_gave_up_goes_on_the_next_time(hub: Hub, store: WeightsStore) -> None:
    hub.bodies.faults["coder.gguf"] = [Fault(ends_after=30_000), *[Fault(status=503)] * 2]
    with pytest.raises(
        WeightsError, match=r"coder\.gguf: http://localhost:\d+/elsewhere/coder\.gguf answered 503 .*row"
    ):
        store.gguf(SOURCE)
    with pytest.raises(WeightsError, match="not in the store"):
        offline(store).gguf(SOURCE)
    hub.bodies.starts.clear()
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [30_000]
    assert not left(store, "*.partial")


def test_failures_count_only_while_nothing_comes(hub: Hub, store: WeightsStore) -> None:
    hub.bodies.faults["coder.gguf"] = [Fault(ends_after=9_000)] * 8
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS


def test_a_slow_trickle_is_waited_for_and_silence_is_not(
    hub: Hub, store: WeightsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_range, "SILENCE_SECONDS", 1.5)
    hub.bodies.faults["coder.gguf"] = [Fault(pause_seconds=0.07)]  # 25 times, so more than that altogether
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0]
    monkeypatch.setattr(http_range, "SILENCE_SECONDS", 0.3)
    hub.bodies.faults["coder.gguf"] = [Fault(pause_seconds=2)] * 3
    with pytest.raises(WeightsError, match=r"timed out.*3 times in a row"):
        replace(store, root=store.root / "other").gguf(SOURCE)


def test_large_files_are_asked_for_in_slices(hub: Hub, store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_range, "SLICE_BYTES", 40_000)
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"] == [0, 40_000, 80_000]


def test_a_mirror_that_ignores_ranges_is_read_from_the_beginning(hub: Hub, store: WeightsStore) -> None:
    hub.bodies.ignores_ranges = True
    hub.bodies.faults["coder.gguf"] = [Fault(ends_after=30_000)]
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS


def test_what_is_not_what_the_hub_declares_is_removed(hub: Hub, store: WeightsStore) -> None:
    hub.declared["coder.gguf"] = sha256(b"other")
    with pytest.raises(WeightsError) as caught:
        store.gguf(SOURCE)
    assert sha256(WEIGHTS) in caught.value.message
    assert sha256(b"other") in caught.value.message
    assert not left(store, "*.gguf")
    assert not left(store, "manifest.json")
    hub.declared.clear()
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS


def test_small_files_are_checked_as_git_names_them(
    hub: Hub, store: WeightsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files |= {"config.json": b"{}", "model.safetensors": WEIGHTS}
    listing = hub._entry
    monkeypatch.setattr(hub, "_entry", lambda name: listing(name) | {"oid": git_sha1(b"other")})
    with pytest.raises(
        WeightsError, match=rf"config\.json came with the digest {git_sha1(b'{}')}.*{git_sha1(b'other')}"
    ):
        store.folder(SOURCE)
    assert not left(store, "config.json")
    assert left(store, "model.safetensors"), "what was right is kept for the next pull"


def test_what_is_not_what_models_yaml_declares_is_not_fetched(hub: Hub, store: WeightsStore) -> None:
    with pytest.raises(WeightsError) as caught:
        store.gguf(SOURCE, sha256(b"other"))
    assert sha256(WEIGHTS) in caught.value.message
    assert sha256(b"other") in caught.value.message
    assert hub.downloads() == []


def test_a_key_is_used_only_if_it_was_handed_over_goes_to_no_other_host_and_is_not_shown(
    hub: Hub, store: WeightsStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.token = "the-key"
    monkeypatch.setenv("HF_TOKEN", "the-key")
    with pytest.raises(WeightsError, match="no repository acme/coder for callers without a key") as caught:
        store.gguf(SOURCE)
    access = Access(store.access.hf_endpoint, "the-key")
    with caplog.at_level(logging.DEBUG):
        assert replace(store, access=access).gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.keys_on_other_host == []
    assert "the-key" not in f"{caught.value.message} {access} {caplog.text}"


def test_a_repository_without_safe_weights_is_not_fetched(hub: Hub, store: WeightsStore) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"unsafe"}
    with pytest.raises(WeightsError, match=r"no \.safetensors files"):
        store.folder(SOURCE)
    assert hub.downloads() == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("hf:acme/coder@v9", "acme/coder has no revision 'v9'"),
        ("hf:acme/nothing@main", "has no repository acme/nothing for callers without a key"),
        ("hf:acme/../coder@main", "Repo id|not of the form"),
    ],
)
def test_what_the_hub_does_not_have_is_said_in_a_sentence(store: WeightsStore, source: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence) as caught:
        store.gguf(source)
    assert "\n" not in caught.value.message


def test_a_hub_that_cannot_be_reached_is_said_in_a_sentence(store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match=r"'hf:acme/coder@main' cannot be fetched: http://127.0.0.1:9: .*refused"):
        replace(store, access=Access("http://127.0.0.1:9")).gguf(SOURCE)


def test_a_name_that_leads_out_of_its_folder_is_refused(hub: Hub, store: WeightsStore) -> None:
    hub.files["../../evil.gguf"] = b"evil"
    with pytest.raises(WeightsError, match="leads out of its folder"):
        store.gguf(SOURCE)
    assert not left(store, "*.gguf")


def test_offline_nothing_is_asked(hub: Hub, store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match=r"nothing is fetched in an air gap.*bailey models pull --online"):
        replace(store, offline=True).gguf(SOURCE)
    assert hub.asked == []


def test_a_full_disk_is_said_in_a_sentence_and_the_pull_goes_on_afterwards(hub: Hub, store: WeightsStore) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # larger files cannot be written, as on a full disk
    try:
        with pytest.raises(WeightsError, match=r"cannot be stored in .*: File too large.*pull again"):
            store.gguf(SOURCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.gguf(SOURCE).read_bytes() == WEIGHTS
    assert hub.bodies.starts["coder.gguf"][1] > 0
