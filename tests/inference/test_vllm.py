"""Supervision of vLLM's server, with our stand-in in its place."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference.collect import complete
from inference.errors import EngineUnavailable, ModelNotFound
from inference.protocol import ChatRequest, EmbedRequest, Message
from inference.vllm import VllmEngine
from tests.contracts.engines import NAME, vllm_spec, write_interpreter
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
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        answer: dict[str, Any] = (await client.get(f"{engine.url}/environment")).json()
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
    return engine.url is None


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
            return "was not ready after 0.1 seconds; it is started again" in (await engine.health()).detail

        await eventually(explained)
