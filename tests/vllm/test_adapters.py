"""Adapters on real vLLM: loaded and unloaded while it runs. That they survive its end, the stand-in shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.collect import complete
from inference.errors import InvalidRequest, ModelNotFound, WeightsError
from inference.protocol import ChatRequest, Message, Sampling
from inference.vllm.engine import VllmEngine
from tests.contracts.engines import NAME, Subject
from tests.vllm.adapters import write_adapter

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = ChatRequest(NAME, (Message("user", "Question 1"),), sampling=Sampling(0, max_tokens=12))


@pytest.fixture
def engine(subject: Subject) -> VllmEngine:
    assert isinstance(subject.engine, VllmEngine)
    return subject.engine


async def said(engine: VllmEngine, name: str = NAME) -> str:
    return (await complete(engine, replace(ASK, model=name))).text


async def test_an_adapter_changes_what_is_said_until_it_is_unloaded(engine: VllmEngine, tmp_path: Path) -> None:
    base = await said(engine)
    for name, seed in (("red", 1), ("blue", 2)):
        await engine.load_adapter(name, write_adapter(tmp_path / name, seed))
    assert [card.id for card in engine.models()] == [NAME, f"{NAME}:red", f"{NAME}:blue"]
    spoken = {name: await said(engine, f"{NAME}:{name}") for name in ("red", "blue")}
    assert len({base, *spoken.values()}) == 3
    with pytest.raises(InvalidRequest, match="unload it first"):
        await engine.load_adapter("red", tmp_path / "red")
    answer = await complete(engine, replace(ASK, model=f"{NAME}:red"))
    assert (answer.text, answer.model) == (spoken["red"], f"{NAME}:red")
    tokens = await engine.tokenize(replace(ASK, model=f"{NAME}:red"))
    assert (tokens.count, tokens.model) == (answer.usage.prompt_tokens, f"{NAME}:red")
    assert await said(engine) == base
    await engine.unload_adapter("red")
    await engine.unload_adapter("blue")
    with pytest.raises(ModelNotFound, match=NAME):
        await said(engine, f"{NAME}:red")
    with pytest.raises(ModelNotFound, match="none"):
        await engine.unload_adapter("red")


async def test_what_is_no_adapter_is_refused_and_the_model_goes_on(engine: VllmEngine, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"adapter_config\.json"):
        await engine.load_adapter("nothing", tmp_path)
    with pytest.raises(WeightsError, match="rank"):
        await engine.load_adapter("large", write_adapter(tmp_path / "large", 1, rank=16))
    with pytest.raises(InvalidRequest, match="name"):
        await engine.load_adapter("a:b", write_adapter(tmp_path / "named", 1))
    assert [card.id for card in engine.models()] == [NAME]
    assert await said(engine)
