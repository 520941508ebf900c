"""Pulling from object storage; the bucket is a server on the loopback."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.errors import WeightsError
from inference.weights import WeightsStore, object_storage
from inference.weights.pull import Patience
from tests.inference.weights_servers import Bucket, Fault, served, sha256

WEIGHTS = random.Random(6).randbytes(50_000)
SOURCE = "s3://models/coder"


@pytest.fixture
def bucket() -> Bucket:
    files = {"config.json": b"{}", "model.safetensors": WEIGHTS, "notes.md": b"x", "tokenizer.json": b"[]"}
    others = {"coder-2/config.json": b"of another model", "gguf/a.gguf": WEIGHTS, "gguf/b.gguf": b"b"}
    return Bucket({**{f"coder/{name}": content for name, content in files.items()}, **others})


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(object_storage, "_BLOCK_BYTES", 20_000)
    with served(bucket.app()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        patience = Patience(failures=2, first_pause_seconds=0.01)
        yield WeightsStore(tmp_path / "store", tmp_path / "cache", patience=patience)


def test_a_folder_of_a_bucket_is_fetched_once_in_blocks(bucket: Bucket, store: WeightsStore) -> None:
    folder = store.folder(SOURCE, sha256(WEIGHTS))
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    assert (folder / "config.json").read_bytes() == b"{}"
    assert bucket.bodies.starts.pop("coder/model.safetensors") == [0, 20_000, 40_000]
    assert bucket.signed == {True}
    bucket.files.clear()
    assert store.folder(SOURCE) == folder


def test_a_server_of_ones_own_is_asked_by_its_own_name(store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as models.localhost, which no DNS may know."""
    port = os.environ["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://localhost:{port}")
    assert store.gguf("s3://models/gguf/a.gguf")


def test_without_s3fs_the_sentence_says_what_to_install(store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(WeightsError, match="needs the package s3fs; install Bailey with the extra `s3`"):
        store.folder(SOURCE)


def test_one_gguf_file_is_named_by_its_key(store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match=r"name one of several; there are a\.gguf, b\.gguf"):
        store.gguf("s3://models/gguf")
    assert store.gguf("s3://models/gguf/a.gguf").read_bytes() == WEIGHTS


def test_a_pull_goes_on_where_it_was_cut_off(bucket: Bucket, store: WeightsStore) -> None:
    bucket.bodies.faults["coder/model.safetensors"] = [Fault(), *[Fault(status=503)] * 30]
    with pytest.raises(WeightsError, match=r"model\.safetensors: .* 3 times in a row"):
        store.folder(SOURCE)
    bucket.bodies = type(bucket.bodies)()
    assert (store.folder(SOURCE) / "model.safetensors").read_bytes() == WEIGHTS
    assert bucket.bodies.starts["coder/model.safetensors"] == [20_000, 40_000]


def test_sums_beside_the_files_are_believed(bucket: Bucket, store: WeightsStore) -> None:
    bucket.files["coder/SHA256SUMS"] = f"{sha256(b'{}')}  config.json\n{'f' * 64} *./model.safetensors\n".encode()
    with pytest.raises(WeightsError, match=rf"digest {sha256(WEIGHTS)}, and its source declares {'f' * 64}"):
        store.folder(SOURCE)
    bucket.files["coder/SHA256SUMS"] = f"{sha256(WEIGHTS)}  model.safetensors\n".encode()
    assert store.folder(SOURCE)


def test_what_is_not_what_models_yaml_declares_is_removed(store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match=rf"what came has SHA-256 {sha256(WEIGHTS)}, models.yaml says {'f' * 64}"):
        store.folder(SOURCE, "f" * 64)
    assert not list(store.root.rglob("*.safetensors"))
    assert not list(store.root.rglob("manifest.json"))
    assert store.folder(SOURCE, sha256(WEIGHTS))


def test_an_object_that_changes_in_the_meantime_is_not_mixed(bucket: Bucket, store: WeightsStore) -> None:
    plan = store.plan(SOURCE, "folder")
    assert plan
    bucket.files["coder/model.safetensors"] = WEIGHTS[::-1]
    with pytest.raises(WeightsError, match=r"model\.safetensors: it was changed in the meantime"):
        store.fetch(SOURCE, "folder", plan, None, lambda name, here: None)
    assert (store.folder(SOURCE) / "model.safetensors").read_bytes() == WEIGHTS[::-1]


def test_what_is_not_there_and_what_may_not_be_read_is_said_in_a_sentence(
    store: WeightsStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"there is no config\.json"):
        store.folder("s3://models/nothing")
    with pytest.raises(WeightsError, match="cannot be fetched: "):
        store.folder("s3://other/coder")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="no keys for S3 were found; set AWS_ACCESS_KEY_ID"):
        store.folder(SOURCE)
