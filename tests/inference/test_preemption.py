"""The llama.cpp engine sets batch answers aside, and nobody can tell from them. With the tiny model."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.collect import Collector, complete
from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.llamacpp.embedder import BATCH_TEXTS
from inference.llamacpp.engine import LlamaCppEngine
from inference.llamacpp.scheduler import Step
from inference.protocol import ChatRequest, Completion, EmbedRequest, ResponseFormat
from tests.inference.llama_engines import engine_of, prompt
from tests.inference.tiny_model import END_OF_TEXT, IM_END

LONG = {END_OF_TEXT: -100.0, IM_END: -100.0}
"""A bias that lets no answer end early."""


def batch(request: ChatRequest) -> ChatRequest:
    return replace(request, priority="batch")


class Brake:
    """Has the worker wait before calls of `owner.name`: before the first that `whens[0]` holds of, and so on."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: object, name: str, *whens: Callable[[Any], bool]) -> None:
        self._loop, self._whens, self._call = asyncio.get_running_loop(), deque(whens), getattr(owner, name)
        self._reached, self._go_on = asyncio.Event(), threading.Event()
        patch.setattr(owner, name, self._slowed)

    def _slowed(self, argument: Any) -> Any:
        if self._whens and self._whens[0](argument):
            self._whens.popleft()
            self._loop.call_soon_threadsafe(self._reached.set)
            assert self._go_on.wait(30)
            self._go_on.clear()
        return self._call(argument)

    @asynccontextmanager
    async def standstill(self) -> AsyncIterator[None]:
        """Until the end of the block the worker stands still."""
        async with asyncio.timeout(30):
            await self._reached.wait()
        self._reached.clear()
        try:
            yield
        finally:
            self._go_on.set()


def call(number: int) -> Callable[[Any], bool]:
    """The nth call from now on."""
    left = itertools.count(1)
    return lambda _: next(left) == number


def batch_has(tokens: int) -> Callable[[list[Step]], bool]:
    """A step in which a batch answer has so many tokens already."""
    return lambda steps: any(not step.sequence.urgent and step.sequence.generated >= tokens for step in steps)


async def arrived(engine: LlamaCppEngine, commands: int) -> None:
    """Wait until the worker has so many commands to carry out."""
    while engine._worker._commands.qsize() < commands:
        await asyncio.sleep(0)


class Order:
    """Answers requests side by side and notes who began and ended when."""

    def __init__(self, engine: LlamaCppEngine) -> None:
        self._engine = engine
        self.events: list[str] = []

    def ask(self, name: str, request: ChatRequest) -> asyncio.Task[Completion]:
        return asyncio.create_task(self._answer(name, request))

    async def _answer(self, name: str, request: ChatRequest) -> Completion:
        collector = Collector()
        async with aclosing(self._engine.stream(request)) as chunks:
            async for chunk in chunks:
                if not collector.chunks:
                    self.events.append(f"{name} begins")
                collector.add(chunk)
        self.events.append(f"{name} ends")
        return collector.completion()


JSON = ResponseFormat("json_schema", schema={"type": "array", "items": {"enum": ["alpha", "beta"]}, "minItems": 9})
PATIENT = {
    "greedy": prompt(max_tokens=120, logit_bias=LONG),
    "seeded": prompt(max_tokens=120, logit_bias=LONG, temperature=1, seed=7),
    "penalties": prompt(max_tokens=120, logit_bias=LONG, temperature=0.8, seed=3, frequency_penalty=0.5),
    "held-back text": prompt(max_tokens=120, logit_bias={**LONG, ord("a"): 100.0}, stop=("a" * 90,)),
    "grammar": replace(prompt(max_tokens=120, temperature=1, seed=5), response_format=JSON),
    "choices": prompt(max_tokens=40, logit_bias=LONG, temperature=1, seed=7, n=3),
    "guesses": prompt("def f(x):\n    return x\n" * 4, max_tokens=100, logit_bias=LONG),
}


@pytest.mark.parametrize("kind", PATIENT)
async def test_a_batch_answer_is_the_same_however_often_it_is_set_aside(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    urgent = [prompt(f"urgent {number}") for number in range(3)]
    async with engine_of(tiny_gguf, concurrency=1) as quiet:
        undisturbed = await complete(quiet, PATIENT[kind])
        expected = [(await complete(quiet, request)).choices for request in urgent]
    async with engine_of(tiny_gguf, concurrency=1) as engine:
        order = Order(engine)
        brake = Brake(monkeypatch, engine._worker._runner, "forward", batch_has(0), batch_has(1), batch_has(20))
        patient = order.ask("batch", batch(PATIENT[kind]))
        answers = []
        for request in urgent:
            async with brake.standstill():
                answers.append(order.ask("urgent", request))
                await arrived(engine, 1)
        assert [(await answer).choices for answer in answers] == expected
        answered = await patient
    assert answered.choices == undisturbed.choices
    assert answered.usage == undisturbed.usage
    assert order.events[-1] == "batch ends"


async def test_a_long_prompt_is_set_aside_in_its_middle(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.llamacpp.loading.BATCH_TOKENS", 16)
    long = prompt("x = 1\n" * 20, max_tokens=30)
    async with engine_of(tiny_gguf, concurrency=1) as engine:
        undisturbed = (await complete(engine, long)).choices
        expected = (await complete(engine, prompt())).choices
    async with engine_of(tiny_gguf, concurrency=1) as engine:
        order = Order(engine)
        brake = Brake(monkeypatch, engine._worker._runner, "forward", call(3))
        patient = order.ask("batch", batch(long))
        async with brake.standstill():
            urgent = order.ask("urgent", prompt())
            await arrived(engine, 1)
        assert ((await urgent).choices, (await patient).choices) == (expected, undisturbed)
    assert order.events == ["urgent begins", "urgent ends", "batch begins", "batch ends"]


async def test_a_first_token_comes_long_before_a_batch_answer_ends(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slots full of batch answers: both give way, the rest of their queue waits, and all are right."""
    patient = [prompt(f"batch {number} ", max_tokens=100, logit_bias=LONG) for number in range(4)]
    urgent = [prompt(f"urgent {number} ", max_tokens=60, logit_bias=LONG) for number in range(3)]
    async with engine_of(tiny_gguf, concurrency=2) as engine:
        expected = [(await complete(engine, request)).choices for request in (*patient, *urgent)]
        order, brake = Order(engine), Brake(monkeypatch, engine._worker._runner, "forward", batch_has(20))
        answers = [order.ask("batch", batch(request)) for request in patient]
        async with brake.standstill():
            answers += [order.ask("urgent", request) for request in urgent]
            await arrived(engine, 3)
        assert [(await answer).choices for answer in answers] == expected
    ends = [event for event in order.events if event.endswith("ends")]
    assert ends == ["urgent ends"] * 3 + ["batch ends"] * 4


async def test_who_was_set_aside_can_leave(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine_of(tiny_gguf, concurrency=1) as engine:
        expected = (await complete(engine, prompt())).choices
        order, brake = Order(engine), Brake(monkeypatch, engine._worker._runner, "forward", call(3), call(2))
        patient = order.ask("batch", batch(PATIENT["greedy"]))
        async with brake.standstill():
            urgent = order.ask("urgent", prompt())
            await arrived(engine, 1)
        async with brake.standstill():
            assert engine._worker.load == (1, 1)
            patient.cancel()
            await arrived(engine, 1)
        assert (await urgent).choices == expected
        assert engine.in_flight == 0
        assert (await complete(engine, batch(prompt()))).choices == expected


async def test_a_deadline_takes_a_waiting_request_out_of_the_queue_and_nothing_else(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_of(tiny_gguf, concurrency=1) as engine:
        expected = (await complete(engine, prompt())).choices
        brake = Brake(monkeypatch, engine._worker._runner, "forward", call(3), call(2))
        running = asyncio.create_task(complete(engine, prompt()))
        async with brake.standstill():
            with pytest.raises(DeadlineExceeded):
                await complete(engine, replace(prompt("late"), deadline=time.time() + 0.05))
            assert engine._accepted.total() == 1
        async with brake.standstill():
            assert engine._worker.load == (1, 0)
        assert (await running).choices == expected


async def test_batch_does_not_fill_the_engine_for_others(tiny_gguf: Path) -> None:
    async with engine_of(tiny_gguf, concurrency=1, queue=1) as engine, AsyncExitStack() as streams:
        for _ in range(2):
            stream = await streams.enter_async_context(aclosing(engine.stream(batch(PATIENT["greedy"]))))
            await anext(stream)
        with pytest.raises(EngineUnavailable, match="full"):
            await complete(engine, batch(prompt()))
        assert (await engine.health()).ready
        assert (await complete(engine, prompt())).text


def embedding(count: int, **fields: Any) -> EmbedRequest:
    return EmbedRequest("tiny", tuple(f"text {number}" for number in range(count)), **fields)


async def test_batch_embeddings_wait_between_two_groups_of_texts(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def note(name: str) -> Callable[[object], None]:
        return lambda _: ended.append(name)

    brake = Brake(monkeypatch, engine._worker._embedder, "embed", call(2))
    first = asyncio.create_task(engine.embed(embedding(5 * BATCH_TEXTS, priority="batch")))
    first.add_done_callback(note("batch"))
    async with brake.standstill():
        second = asyncio.create_task(engine.embed(embedding(3 * BATCH_TEXTS)))
        second.add_done_callback(note("urgent"))
        await arrived(engine, 1)
    vectors, urgent = (await first).vectors, (await second).vectors
    assert ended == ["urgent", "batch"]
    assert len(vectors) == 5 * BATCH_TEXTS
    for one, other in zip(vectors[: len(urgent)], urgent, strict=True):
        assert one == pytest.approx(other, abs=2e-3)


async def test_a_deadline_ends_an_embedding_and_drops_what_is_left_of_it(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    brake = Brake(monkeypatch, engine._worker._embedder, "embed", call(1))
    late = asyncio.create_task(engine.embed(embedding(5 * BATCH_TEXTS, deadline=time.time() + 1)))
    async with brake.standstill():
        with pytest.raises(DeadlineExceeded):
            await late
        await arrived(engine, 1)
    assert (await complete(engine, prompt())).text  # after the command that drops the job
    assert not engine._worker._jobs
