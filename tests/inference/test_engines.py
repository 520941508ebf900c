"""The registry: from an entry of models.yaml to an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from inference.catalog import ModelSpec
from inference.collect import complete
from inference.engines import Resources, build_engine
from inference.errors import AuthenticationFailed, WeightsError
from inference.http import HttpEngine
from inference.isolated.engine import IsolatedEngine
from inference.protocol import ChatRequest, Sampling
from inference.scripted import ScriptedEngine
from inference.vllm.engine import VllmEngine
from inference.weights import WeightsStore


def spec(**fields: Any) -> ModelSpec:
    adapter: TypeAdapter[ModelSpec] = TypeAdapter(ModelSpec)
    return adapter.validate_python({"name": "m", "tier": "draft", "context_tokens": 256, **fields})


def resources(folder: Path, **secrets: str) -> Resources:
    return Resources(WeightsStore(folder / "cache"), log_dir=folder / "logs", secrets=secrets)


async def test_each_kind_of_model_has_its_engine(tmp_path: Path, tiny_gguf: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    kinds = {
        ScriptedEngine: spec(engine="scripted", replies=[{"text": "hi"}]),
        HttpEngine: spec(engine="http", url="http://127.0.0.1:9/v1", api_key_env="KEY"),
        IsolatedEngine: spec(engine="llama.cpp", source=f"path:{tiny_gguf}"),
        VllmEngine: spec(engine="vllm", source=f"path:{tmp_path}", python="/nowhere/python"),
    }
    for kind, model in kinds.items():
        engine = await build_engine(model, resources(tmp_path, KEY="k"))
        try:
            assert type(engine) is kind
            assert [card.id for card in engine.models()] == ["m"]
            assert (await engine.health()).detail
        finally:
            await engine.close()


async def test_a_built_llama_cpp_engine_answers(tmp_path: Path, tiny_gguf: Path) -> None:
    engine = await build_engine(spec(engine="llama.cpp", source=f"path:{tiny_gguf}"), resources(tmp_path))
    assert (await complete(engine, ChatRequest("m", prompt="a", sampling=Sampling(0, max_tokens=3)))).text
    await engine.close()


async def test_a_key_that_is_not_set_is_named(tmp_path: Path) -> None:
    model = spec(engine="http", url="http://127.0.0.1:9/v1", api_key_env="STRONG_API_KEY")
    with pytest.raises(AuthenticationFailed, match="STRONG_API_KEY"):
        await build_engine(model, resources(tmp_path))


async def test_wrong_weights_are_not_loaded(tmp_path: Path, tiny_gguf: Path) -> None:
    model = spec(engine="llama.cpp", source=f"path:{tiny_gguf}", sha256="0" * 64)
    with pytest.raises(WeightsError, match="not loaded"):
        await build_engine(model, resources(tmp_path))


def test_resources_do_not_show_secrets(tmp_path: Path) -> None:
    assert "sk-1" not in repr(resources(tmp_path, KEY="sk-1"))
