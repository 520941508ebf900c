"""Supervision of vLLM's server, with our stand-in in its place."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.collect import complete
from inference.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    InvalidRequest,
    ModelNotFound,
    UnsupportedParameter,
)
from inference.protocol import ChatRequest, EmbedRequest, Message, Sampling
from inference.vllm.engine import VllmEngine
from inference.vllm.placement import Lora, VllmPlacement
from tests.contracts.engines import NAME, ask_child, vllm_spec, write_interpreter
from tests.inference.serving import eventually

ASK = ChatRequest(NAME, messages=(Message("user", "1"),))


@asynccontextmanager
async def engine_with(python: Path, **fields: Any) -> AsyncIterator[VllmEngine]:
    folder = python.parent
    spec = vllm_spec(python).model_copy(update=fields)
    engine = VllmEngine(spec, folder, folder / "logs", hidden=("OTHER_KEY",), first_pause_seconds=0.05)
    engine.start()
    engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def script(folder: Path, text: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def ready(engine: VllmEngine) -> bool:
    return (await engine.health()).ready


async def environment(engine: VllmEngine) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await ask_child(engine, "/environment"))
    return answer


async def test_a_server_that_is_killed_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    async with engine_with(write_interpreter(tmp_path)) as engine:
        assert not (await engine.health()).ready
        with pytest.raises(EngineUnavailable, match=r"starting|not been started") as caught:
            await complete(engine, ASK)
        assert caught.value.retry_after_seconds
        await eventually(lambda: ready(engine), within_seconds=60)
        before = await environment(engine)
        assert "OTHER_KEY" not in before
        assert (before["VLLM_NO_USAGE_STATS"], before["HF_HUB_OFFLINE"]) == ("1", "1")
        os.kill(before["pid"], signal.SIGKILL)
        await eventually(lambda: is_down(engine))
        with pytest.raises(EngineUnavailable):
            await complete(engine, ASK)
        await eventually(lambda: ready(engine), within_seconds=60)
        assert (await complete(engine, ASK)).text
        after = await environment(engine)
        assert after["pid"] != before["pid"]
    assert not is_alive(after["pid"])


async def is_down(engine: VllmEngine) -> bool:
    return engine.socket is None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    previous = tmp_path / "logs" / f"vllm-{NAME}.previous.log"

    async with engine_with(script(tmp_path, "echo out of luck >&2; exit 3")) as engine:

        async def explained() -> bool:
            detail = (await engine.health()).detail
            return "did not start" in detail and "out of luck" in detail and "started again in" in detail

        async def tried_again() -> bool:
            return previous.exists()

        await eventually(explained)
        await eventually(tried_again)
        with pytest.raises(EngineUnavailable):
            await engine.tokenize(ASK)
        with pytest.raises(UnsupportedParameter):
            await engine.embed(EmbedRequest(NAME, ("a",)))
        with pytest.raises(ModelNotFound):
            await complete(engine, ChatRequest("other", prompt="a"))
    assert "closed" in (await engine.health()).detail
    assert previous.read_text() == "out of luck\n"


async def test_an_interpreter_that_does_not_exist_says_so(tmp_path: Path) -> None:
    async with engine_with(tmp_path / "nowhere") as engine:

        async def explained() -> bool:
            detail = (await engine.health()).detail
            return "did not start" in detail and "nowhere" in detail

        await eventually(explained)


async def test_a_server_that_takes_too_long_is_started_anew(tmp_path: Path) -> None:
    async with engine_with(script(tmp_path, "exec sleep 1000"), start_timeout_seconds=0.1) as engine:

        async def explained() -> bool:
            detail = (await engine.health()).detail
            return "was not ready after 0.1 seconds (starting Python); it is started again" in detail

        await eventually(explained)


async def test_a_server_that_does_not_answer_any_more_is_started_anew(tmp_path: Path) -> None:
    async with engine_with(write_interpreter(tmp_path), silence_timeout_seconds=0.5) as engine:
        await eventually(lambda: ready(engine), within_seconds=60)
        before = await environment(engine)
        os.kill(before["pid"], signal.SIGSTOP)

        async def explained() -> bool:
            return "did not answer for 0.5 seconds and was stopped" in (await engine.health()).detail

        await eventually(explained, within_seconds=60)
        await eventually(lambda: ready(engine), within_seconds=60)
        assert (await environment(engine))["pid"] != before["pid"]


async def test_nobody_else_may_reach_the_server(tmp_path: Path) -> None:
    async with engine_with(write_interpreter(tmp_path)) as engine:
        await eventually(lambda: ready(engine), within_seconds=60)
        socket = engine.socket
        assert socket is not None
        assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert not socket.parent.exists()


async def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    async with engine_with(write_interpreter(tmp_path)) as engine:

        async def explained() -> bool:
            return "set TMPDIR to a shorter one" in (await engine.health()).detail

        await eventually(explained)


async def test_a_model_without_lora_takes_no_adapters(tmp_path: Path) -> None:
    async with engine_with(write_interpreter(tmp_path)) as engine:
        with pytest.raises(EngineUnavailable):
            await engine.load_adapter("red", tmp_path)
        await eventually(lambda: ready(engine), within_seconds=60)
        with pytest.raises(InvalidRequest, match=r"placement\.lora"):
            await engine.load_adapter("red", tmp_path)


async def test_what_might_not_fit_is_counted_before_it_is_asked(tmp_path: Path) -> None:
    async with engine_with(write_interpreter(tmp_path)) as engine:
        await eventually(lambda: ready(engine), within_seconds=60)
        with pytest.raises(ContextLengthExceeded, match="256 tokens") as refused:
            await complete(engine, replace(ASK, sampling=Sampling(max_tokens=256)))
        assert refused.value.param == "messages"


async def test_adapters_survive_the_end_of_the_server(tmp_path: Path) -> None:
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}')
        (tmp_path / name / "adapter_model.safetensors").write_bytes(b"weights")
    lora = Lora(adapters={"red": f"path:{tmp_path}/red", "lost": f"path:{tmp_path}/nowhere"})
    async with engine_with(write_interpreter(tmp_path), placement=VllmPlacement(lora=lora)) as engine:
        assert [card.id for card in engine.models()] == [NAME, f"{NAME}:red", f"{NAME}:lost"]
        await eventually(lambda: ready(engine), within_seconds=60)
        assert "'subject:lost' cannot be used" in (await engine.health()).detail
        with pytest.raises(EngineUnavailable, match="nowhere"):
            await complete(engine, replace(ASK, model=f"{NAME}:lost"))
        await engine.load_adapter("blue", tmp_path / "blue")
        with pytest.raises(InvalidRequest, match="unload it first"):
            await engine.load_adapter("blue", tmp_path / "blue")
        assert await adapters(engine) == {"subject:red": f"{tmp_path}/red", "subject:blue": f"{tmp_path}/blue"}
        os.kill((await environment(engine))["pid"], signal.SIGKILL)
        await eventually(lambda: is_down(engine))
        with pytest.raises(EngineUnavailable, match="subject:red"):
            await complete(engine, replace(ASK, model=f"{NAME}:red"))
        await eventually(lambda: ready(engine), within_seconds=60)
        assert await adapters(engine) == {"subject:red": f"{tmp_path}/red", "subject:blue": f"{tmp_path}/blue"}
        await engine.unload_adapter("red")
        await engine.unload_adapter("lost")
        assert [card.id for card in engine.models()] == [NAME, f"{NAME}:blue"]
        assert await adapters(engine) == {"subject:blue": f"{tmp_path}/blue"}
        with pytest.raises(ModelNotFound, match=f"{NAME}:blue"):
            await engine.unload_adapter("red")


async def adapters(engine: VllmEngine) -> dict[str, str]:
    loaded: dict[str, str] = json.loads(await ask_child(engine, "/adapters"))
    return loaded
