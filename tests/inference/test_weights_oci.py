"""Pulling from a container registry that wants tokens; it is a server on the loopback."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.errors import WeightsError
from inference.weights import WeightsStore
from inference.weights.pull import Patience
from inference.weights.remote import Access
from tests.inference.weights_servers import Fault, Registry, served, sha256

WEIGHTS = random.Random(7).randbytes(50_000)


@pytest.fixture
def registry() -> Registry:
    return Registry({"coder.gguf": WEIGHTS, "README.md": b"hello"})


@pytest.fixture
def host(registry: Registry) -> Iterator[str]:
    with served(registry.app()) as url:
        yield url.removeprefix("http://")


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    access = Access(registry_keys=tmp_path / "config.json")
    return WeightsStore(tmp_path / "store", access=access, patience=Patience(failures=2, first_pause_seconds=0.01))


def test_an_artefact_is_fetched_by_tag_or_digest(registry: Registry, host: str, store: WeightsStore) -> None:
    assert store.gguf(f"oci:{host}/acme/coder:v1", sha256(WEIGHTS)).read_bytes() == WEIGHTS
    digest = f"sha256:{sha256(registry.document())}"
    manifest = store.manifest(f"oci:{host}/acme/coder:v1", "gguf")
    assert manifest
    assert manifest.revision == digest
    assert store.gguf(f"oci:{host}/acme/coder@{digest}").read_bytes() == WEIGHTS
    assert registry.basic == {None}


def test_keys_are_those_of_docker_login(registry: Registry, host: str, store: WeightsStore) -> None:
    key = base64.b64encode(b"ann:secret").decode()
    store.access.registry_keys.write_text(json.dumps({"auths": {host: {"auth": key}, "other": {"auth": "x"}}}))
    assert store.gguf(f"oci:{host}/acme/coder:v1")
    assert registry.basic == {f"Basic {key}"}


def test_a_pull_goes_on_where_it_was_cut_off(registry: Registry, host: str, store: WeightsStore) -> None:
    registry.bodies.faults["coder.gguf"] = [Fault(ends_after=20_000), Fault(status=503)]
    assert store.gguf(f"oci:{host}/acme/coder:v1").read_bytes() == WEIGHTS
    assert registry.bodies.starts["coder.gguf"] == [0, 20_000, 20_000]


@pytest.mark.parametrize(
    ("reference", "annotations", "sentence"),
    [
        (":v2", {}, "answered 404"),
        (f"@sha256:{'f' * 64}", {}, "the manifest has the digest sha256:"),
        (":v1", {"io.deis.oras.content.unpack": "true"}, r"coder\.gguf was pushed as a packed folder"),
        (":v1", {"org.opencontainers.image.title": "../../evil.gguf"}, "leads out of its folder"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    registry: Registry, host: str, store: WeightsStore, reference: str, annotations: dict[str, str], sentence: str
) -> None:
    registry.annotations = annotations
    with pytest.raises(WeightsError, match=sentence):
        store.gguf(f"oci:{host}/acme/coder{reference}")


def test_content_that_is_not_what_its_digest_says_is_removed(
    registry: Registry, host: str, store: WeightsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = registry.bodies.answer
    monkeypatch.setattr(registry.bodies, "answer", lambda request, name, content: answer(request, name, content[::-1]))
    with pytest.raises(
        WeightsError, match=rf"digest {sha256(WEIGHTS[::-1])}, and its source declares {sha256(WEIGHTS)}"
    ):
        store.gguf(f"oci:{host}/acme/coder:v1")
    assert not list(store.root.rglob("*.gguf"))
