"""Where weights come from, and that wrong ones are not loaded; the hub is a server on the loopback."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference.errors import WeightsError
from inference.weights import WeightsStore
from tests.inference.serving import serve

COMMIT = "a" * 40
WEIGHTS = b"GGUF weights"


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    bundled = tmp_path / "bundled"
    (bundled / "pico").mkdir(parents=True)
    (bundled / "pico" / "pico-q8.gguf").write_bytes(WEIGHTS)
    (bundled / "nano").mkdir()
    return WeightsStore(cache=tmp_path / "cache", bundled=bundled)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_bundled_model_is_its_one_gguf_file(store: WeightsStore) -> None:
    assert store.gguf("bundled:pico").name == "pico-q8.gguf"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("bundled:pica", "Bundled are: nano, pico"),
        ("bundled:nano", "must hold one GGUF file; there are none"),
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


def test_a_file_is_hashed_once_until_it_changes(store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
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
    (marker,) = (store.cache / "digests").glob("*.json")
    for damage in (b"", b"[]", b"{}"):
        marker.write_bytes(damage)
        assert store.digest(path) == sha256(WEIGHTS[::-1])
    assert len(hashed) == 5


def test_a_model_folder_has_a_config_and_the_digest_is_that_of_its_weights(store: WeightsStore, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(WeightsError, match=r"no .*config\.json"):
        store.folder(f"path:{folder}")
    (folder / "config.json").write_text("{}")
    assert store.folder(f"path:{folder}") == folder
    with pytest.raises(WeightsError, match=r"no file .*model\.safetensors"):
        store.folder(f"path:{folder}", sha256(WEIGHTS))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    assert store.folder(f"path:{folder}", sha256(WEIGHTS)) == folder


@dataclass
class Hub:
    """The little of the Hugging Face hub's protocol that downloads need, for the repository acme/coder."""

    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/models/acme/coder/revision/{revision}", self.info),
                Route("/api/models/acme/coder/tree/{revision}", self.tree),
                Route("/acme/coder/resolve/{revision}/{name:path}", self.resolve, methods=["GET", "HEAD"]),
            ]
        )

    def _note(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.url.path}")
        self.tokens.add(request.headers.get("authorization"))

    async def info(self, request: Request) -> Response:
        self._note(request)
        siblings = [{"rfilename": name} for name in self.files]
        return JSONResponse({"id": "acme/coder", "sha": COMMIT, "siblings": siblings})

    async def tree(self, request: Request) -> Response:
        self._note(request)
        return JSONResponse(
            [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
        )

    async def resolve(self, request: Request) -> Response:
        self._note(request)
        content = self.files.get(request.path_params["name"])
        if content is None:
            return Response(status_code=404, headers={"x-error-code": "EntryNotFound"})
        headers = {"etag": f'"{hashlib.sha1(content).hexdigest()}"', "x-repo-commit": COMMIT}
        return Response(content, headers=headers)

    def downloads(self) -> list[str]:
        return sorted(path.rsplit("/", 1)[1] for path in self.asked if path.startswith("GET /acme"))


@asynccontextmanager
async def hub_of(store: WeightsStore, **files: bytes) -> AsyncIterator[tuple[Hub, WeightsStore]]:
    hub = Hub({name.replace("__", "."): content for name, content in files.items()})
    async with serve(hub.app()) as url:
        yield hub, replace(store, endpoint=url)


async def test_the_one_gguf_file_of_a_repository_is_fetched_once(store: WeightsStore) -> None:
    async with hub_of(store, coder__gguf=WEIGHTS, README__md=b"hello") as (hub, store):
        path = await asyncio.to_thread(store.gguf, "hf:acme/coder@main", sha256(WEIGHTS))
        again = await asyncio.to_thread(store.gguf, "hf:acme/coder@main")
        offline = await asyncio.to_thread(replace(store, offline=True).gguf, "hf:acme/coder@main")
    assert path == again == offline
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(store.cache)
    assert hub.downloads() == ["coder.gguf"]
    assert hub.tokens == {None}


async def test_of_several_gguf_files_one_must_be_named(store: WeightsStore) -> None:
    async with hub_of(store, small__gguf=b"s", large__gguf=WEIGHTS) as (hub, store):
        with pytest.raises(WeightsError, match=r"hf:acme/coder/FILE@main; there are large\.gguf, small\.gguf"):
            await asyncio.to_thread(store.gguf, "hf:acme/coder@main")
        assert hub.downloads() == []
        path = await asyncio.to_thread(replace(store, token="t").gguf, "hf:acme/coder/large.gguf@main")
        missing = asyncio.to_thread(store.gguf, "hf:acme/coder/huge.gguf@main")
        with pytest.raises(WeightsError, match=r"missing|fetched"):
            await missing
    assert path.read_bytes() == WEIGHTS
    assert hub.downloads() == ["large.gguf"]
    assert "Bearer t" in hub.tokens


async def test_a_folder_is_fetched_without_what_is_not_needed(store: WeightsStore) -> None:
    files = {"config__json": b"{}", "model__safetensors": WEIGHTS, "pytorch_model__bin": b"unsafe"}
    async with hub_of(store, **files) as (hub, store):
        folder = await asyncio.to_thread(store.folder, "hf:acme/coder@main", sha256(WEIGHTS))
    assert (folder / "config.json").read_bytes() == b"{}"
    assert hub.downloads() == ["config.json", "model.safetensors"]


def test_offline_nothing_is_asked(store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match="downloads are switched off"):
        replace(store, offline=True, endpoint="http://127.0.0.1:9").gguf("hf:acme/coder@main")


def test_a_hub_that_cannot_be_reached_is_said_in_a_sentence(store: WeightsStore) -> None:
    with pytest.raises(WeightsError, match=r"'hf:acme/coder@main' cannot be fetched: .*refused"):
        replace(store, endpoint="http://127.0.0.1:9").gguf("hf:acme/coder@main")
