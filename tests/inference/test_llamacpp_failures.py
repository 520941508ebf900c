"""The llama.cpp engine when it is full, late, closed or broken, and files it refuses."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from inference.collect import complete
from inference.errors import DeadlineExceeded, EngineError, EngineUnavailable, WeightsError
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import EmbedRequest
from tests.inference.llama_engines import engine_of, prompt, spec
from tests.inference.tiny_model import Shape, write_tiny_model


@contextmanager
def held(engine: LlamaCppEngine) -> Iterator[None]:
    """Keep the worker between two steps."""
    gate = threading.Event()

    def wait() -> None:
        gate.wait(30)

    engine._worker._command(wait)
    try:
        yield
    finally:
        gate.set()


async def test_a_full_engine_refuses_at_once(tiny_gguf: Path) -> None:
    async with engine_of(tiny_gguf, concurrency=1, queue=1) as engine:
        async with aclosing(engine.stream(prompt())) as first, aclosing(engine.stream(prompt())) as second:
            await anext(first)
            await anext(second)
            with pytest.raises(EngineUnavailable, match="full") as caught:
                await complete(engine, prompt())
            assert caught.value.retry_after_seconds
            assert not (await engine.health()).ready
        assert (await engine.health()).ready
        assert (await complete(engine, prompt())).text


async def test_a_deadline_passes_while_waiting(engine: LlamaCppEngine) -> None:
    with held(engine), pytest.raises(DeadlineExceeded):
        await complete(engine, replace(prompt(), deadline=time.time() + 0.05))
    assert (await complete(engine, prompt())).text
    assert engine.in_flight == 0


async def test_closing_tells_those_who_wait(tiny_gguf: Path) -> None:
    engine = LlamaCppEngine(spec(concurrency=1), tiny_gguf)
    with held(engine):
        waiting = [
            asyncio.create_task(complete(engine, prompt())),
            asyncio.create_task(engine.embed(EmbedRequest("tiny", ("a",) * 100))),
        ]
        while engine._accepted.total() < 2 or engine._worker._commands.qsize() < 2:
            await asyncio.sleep(0)
        closing = asyncio.create_task(engine.close())
        while engine._worker._commands.qsize() < 3:
            await asyncio.sleep(0)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    await closing
    assert all(isinstance(result, EngineUnavailable) for result in results)
    with pytest.raises(EngineUnavailable, match="closed"):
        engine.count_tokens("a")


async def test_a_step_that_fails_fails_its_requests_only(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = engine._worker._runner
    assert runner is not None
    with monkeypatch.context() as patch:
        patch.setattr(runner._api, "llama_decode", lambda *_: -3)
        with pytest.raises(EngineError, match="code -3"):
            await complete(engine, prompt())
        with pytest.raises(EngineError, match="code -3"):
            await engine.embed(EmbedRequest("tiny", ("a",)))
    assert (await complete(engine, prompt())).text
    assert engine.in_flight == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_worker_that_dies_tells_everybody(engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise ZeroDivisionError

    runner = engine._worker._runner
    assert runner is not None
    monkeypatch.setattr(runner, "forward", die)
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await complete(engine, prompt())
    assert not (await engine.health()).ready


def test_a_context_the_model_was_not_made_for_is_refused(tiny_gguf: Path) -> None:
    with pytest.raises(WeightsError, match="made for 256"):
        LlamaCppEngine(spec(context_tokens=257), tiny_gguf)


def test_a_capability_the_engine_does_not_offer_is_refused(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.llamacpp.loading.OFFERED", frozenset({"chat"}))
    with pytest.raises(WeightsError, match="does not offer tools"):
        LlamaCppEngine(spec(capabilities=["chat", "tools"]), tiny_gguf)


@pytest.mark.parametrize(
    ("capability", "sentence"),
    [
        ("chat", "'chat' is .* chat template"),
        ("tools", "'tools' is .* chat template"),
        ("infill", "fill-in-the-middle"),
    ],
)
def test_promises_the_file_cannot_keep_are_refused(tmp_path: Path, capability: str, sentence: str) -> None:
    plain = write_tiny_model(tmp_path / "plain.gguf", Shape(plain=True))
    with pytest.raises(WeightsError, match=sentence):
        LlamaCppEngine(spec(capabilities=[capability]), plain)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF but not really")
    with pytest.raises(WeightsError, match=r"cannot load .*broken\.gguf: .*failed to load model"):
        LlamaCppEngine(spec(), path)
    assert capfd.readouterr() == ("", "")
