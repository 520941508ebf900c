"""What a source on this machine means, what its digest is, and that wrong weights are not loaded."""

from __future__ import annotations

import hashlib
import os
import subprocess
from io import BufferedReader
from pathlib import Path

import pytest

from inference.collect import complete
from inference.errors import WeightsError
from inference.weights import WeightsStore, weights_digest
from tests.inference.llama_engines import engine_of, prompt
from tests.inference.tiny_model import write_tiny_model
from tests.inference.weights_servers import sha256

WEIGHTS = b"GGUF weights"


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    bundled = tmp_path / "bundled"
    (bundled / "pico").mkdir(parents=True)
    (bundled / "pico" / "pico-q8.gguf").write_bytes(WEIGHTS)
    (bundled / "nano").mkdir()
    return WeightsStore(tmp_path / "store", tmp_path / "cache", bundled=bundled)


def test_a_bundled_model_is_its_one_gguf_file(store: WeightsStore) -> None:
    assert store.gguf("bundled:pico").name == "pico-q8.gguf"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("bundled:pica", "Bundled are: nano, pico"),
        ("bundled:nano", "must hold one GGUF file, or name one of several; there are none"),
        ("path:/nowhere/x.gguf", "there is no /nowhere/x.gguf"),
        ("hf:a/b/c", "not of the form"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(store: WeightsStore, source: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        store.gguf(source)


def test_a_path_is_a_file_or_a_folder_with_one(store: WeightsStore, tmp_path: Path) -> None:
    file = store.bundled / "pico" / "pico-q8.gguf"
    assert store.gguf(f"path:{file}") == store.gguf(f"path:{file.parent}") == file
    (file.parent / "other.gguf").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"other\.gguf, pico-q8\.gguf"):
        store.gguf(f"path:{file.parent}")


def test_a_digest_that_differs_names_both(store: WeightsStore) -> None:
    assert store.gguf("bundled:pico", sha256(WEIGHTS))
    with pytest.raises(WeightsError) as caught:
        store.gguf("bundled:pico", sha256(b"other"))
    for part in ("pico-q8.gguf", sha256(WEIGHTS), sha256(b"other"), "not loaded"):
        assert part in caught.value.message


def test_a_file_is_hashed_once_until_it_changes(
    store: WeightsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.gguf("bundled:pico")
    hashed = []
    original = hashlib.file_digest

    def counting(file: BufferedReader, name: str) -> object:
        hashed.append(file.name)
        return original(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    assert [store.digest(path), store.digest(path)] == [sha256(WEIGHTS)] * 2
    assert len(hashed) == 1
    path.write_bytes(WEIGHTS[::-1])
    os.utime(path, ns=(1, 1))
    assert store.digest(path) == sha256(WEIGHTS[::-1])
    (marker,) = (tmp_path / "cache" / "digests").glob("*.json")
    for damage in (b"", b"[]", b"{}"):
        marker.write_bytes(damage)
        assert store.digest(path) == sha256(WEIGHTS[::-1])
    assert len(hashed) == 5


def test_a_model_folder_has_a_config_and_the_digest_is_that_of_its_weights(store: WeightsStore, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(WeightsError, match=r"no config\.json"):
        store.folder(f"path:{folder}")
    (folder / "config.json").write_text("{}")
    assert store.folder(f"path:{folder}") == folder
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    assert store.folder(f"path:{folder}", sha256(WEIGHTS)) == folder
    assert store.folder(f"path:{folder}", store.identity(folder)) == folder
    with pytest.raises(WeightsError) as caught:
        store.folder(f"path:{folder}", sha256(b"other"))
    for part in ("model.safetensors", sha256(WEIGHTS), sha256(b"other"), "not loaded"):
        assert part in caught.value.message


def test_the_digest_of_several_files_is_what_sha256sum_says(store: WeightsStore, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    names = ["config.json", "Model.json", "1_Pooling/config.json", "model-00001-of-00002.safetensors", "ü.txt"]
    for name in names:
        (folder / name).write_bytes(name.encode())
    (folder / "README.md").write_text("not weights")
    quoted = " ".join(f"'{name}'" for name in names)
    command = f"sha256sum {quoted} | LC_ALL=C sort -k2 | sha256sum"
    said = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert store.identity(folder) == said[0]
    assert store.folder(f"path:{folder}", said[0]) == folder


def test_the_digest_of_one_file_is_its_sha256_and_of_several_does_not_depend_on_where_they_lie() -> None:
    assert weights_digest({"x.gguf": "a" * 64}) == "a" * 64
    parts = {"m-00001-of-00002.gguf": "a" * 64, "m-00002-of-00002.gguf": "b" * 64}
    assert weights_digest(parts) == weights_digest({f"Q4/{name}": digest for name, digest in parts.items()})
    assert weights_digest(parts) != weights_digest(dict(zip(parts, reversed(parts.values()), strict=True)))


def test_a_split_file_is_all_of_its_parts(store: WeightsStore, tmp_path: Path) -> None:
    parts = [tmp_path / f"coder-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for part in parts:
        part.write_bytes(part.name.encode())
    first = store.gguf(f"path:{tmp_path}")
    assert first == store.gguf(f"path:{parts[2]}") == parts[0]
    together = weights_digest({part.name: sha256(part.read_bytes()) for part in parts})
    assert store.identity(first) == together
    assert store.gguf(f"path:{tmp_path}", together) == first
    with pytest.raises(WeightsError, match="not those declared"):
        store.gguf(f"path:{tmp_path}", sha256(parts[0].read_bytes()))
    parts[1].unlink()
    with pytest.raises(WeightsError, match=r"coder-00002-of-00003\.gguf is missing"):
        store.gguf(f"path:{tmp_path}")


async def test_a_split_file_answers_as_the_whole(tiny_gguf: Path, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf", tensors_a_file=5)
    assert len(list(tmp_path.glob("tiny-*.gguf"))) > 2
    first = WeightsStore(tmp_path / "store").gguf(f"path:{tmp_path}")
    async with engine_of(tiny_gguf) as whole, engine_of(first) as split:
        assert (await complete(split, prompt())).text == (await complete(whole, prompt())).text
