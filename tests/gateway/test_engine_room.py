"""Engines under the names that the router asks for, and the digests of what they have loaded."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.engine_factory import EngineFactory
from gateway.engine_room import EngineRoom, weights_of
from inference.catalog import HttpModel, LlamaCppModel, ScriptedModel, ScriptedReply, VllmModel
from inference.collect import complete
from inference.engines import Resources
from inference.errors import EngineUnavailable
from inference.protocol import ChatRequest
from inference.weights import WeightsStore
from inference.weights.store import BUNDLED

SCRIPTED = ScriptedModel(
    name="coder", engine="scripted", tier="draft", context_tokens=1000, replies=(ScriptedReply(text="one"),)
)
ELSEWHERE = HttpModel(name="coder", engine="http", tier="draft", context_tokens=1000, url="http://127.0.0.1:9/v1")


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", offline=True)


@pytest.fixture
def weighed() -> dict[str, str | None]:
    return {}


@pytest.fixture
async def room(store: WeightsStore, tmp_path: Path, weighed: dict[str, str | None]) -> AsyncIterator[EngineRoom]:
    factory = EngineFactory(Resources(store, tmp_path / "logs"))
    made = EngineRoom(factory, store, weighed.__setitem__, air_gapped=True)
    yield made
    await made.close_all()


async def test_versions_of_a_model_have_engines_of_their_own(room: EngineRoom, weighed: dict[str, str | None]) -> None:
    second = SCRIPTED.model_copy(update={"version": "v2", "replies": (ScriptedReply(text="two"),)})
    await room.open("coder", SCRIPTED)
    await room.open("coder@v2", second)
    await room.ready("coder@v2")
    asked = ChatRequest("coder--v2", prompt="Which?")
    assert (await complete(room.engines["coder@v2"], asked)).text == "two"
    assert len({*weighed.values()}) == 2
    kept = room.engines["coder"]
    await room.open("coder", SCRIPTED)
    assert room.engines["coder"] is kept
    await room.close("coder@v2")
    await room.close("coder@v2")
    assert list(room.engines) == ["coder"]


async def test_in_an_air_gap_nothing_outside_is_built(room: EngineRoom) -> None:
    await room.open("coder", ELSEWHERE)
    assert room.engines == {}
    with pytest.raises(EngineUnavailable, match="outside the walls"):
        await room.ready("coder")


async def test_another_server_knows_the_model_by_its_own_name(room: EngineRoom) -> None:
    await room.open("coder@v2", ELSEWHERE.model_copy(update={"location": "local"}))
    (card,) = room.engines["coder@v2"].models()
    assert card.id == "coder--v2"
    assert room.engines["coder@v2"]._model.model == "coder"  # type: ignore[attr-defined]


def test_weights_are_known_by_their_digest_and_scripts_by_theirs(store: WeightsStore) -> None:
    bundled = LlamaCppModel(
        name="nano", engine="llama.cpp", tier="draft", context_tokens=1024, source="bundled:nano-coder"
    )
    (file,) = (BUNDLED / "nano-coder").glob("*.gguf")
    assert weights_of(bundled, store) == hashlib.sha256(file.read_bytes()).hexdigest()
    folder = VllmModel(name="nano", engine="vllm", tier="draft", context_tokens=1024, source="bundled:nano-coder")
    assert weights_of(folder, store) not in {None, weights_of(bundled, store)}
    assert weights_of(SCRIPTED, store) == weights_of(SCRIPTED.model_copy(update={"delay_seconds": 1.0}), store)
    assert weights_of(ELSEWHERE, store) is None
    on_a_node = bundled.model_copy(update={"source": "path:/nowhere/model.gguf"})
    assert weights_of(on_a_node, store) is None
