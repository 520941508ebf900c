"""The llama.cpp engine on a tiny model: what goes beyond the contract suite."""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inference.collect import complete
from inference.errors import (
    ContextLengthExceeded,
    InvalidRequest,
)
from inference.llamacpp.embedder import BATCH_TEXTS
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import ChatRequest, EmbedRequest, Message, ResponseFormat, Sampling
from tests.inference.llama_engines import engine_of, prompt
from tests.inference.tiny_model import IM_START

SCHEMA = {
    "type": "object",
    "properties": {
        "ok": {"type": "boolean"},
        "grade": {"enum": ["a", "b"]},
        "note": {"type": "string", "maxLength": 4},
    },
    "required": ["ok", "grade"],
    "additionalProperties": False,
}


async def test_greedy_answers_are_those_of_the_plain_library(engine: LlamaCppEngine, tiny_gguf: Path) -> None:
    from llama_cpp import Llama

    reference = Llama(str(tiny_gguf), n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False)
    for text in ("def add(", "x", "for number in range(10):\n    "):
        tokens = list(islice(reference.generate(reference.tokenize(text.encode(), add_bos=False), temp=0), 24))
        expected = reference.detokenize(tokens).decode("utf-8", "replace")
        assert (await complete(engine, prompt(text))).text == expected
    reference.close()


async def test_embeddings_are_those_of_the_plain_library(engine: LlamaCppEngine, tiny_gguf: Path) -> None:
    from llama_cpp import LLAMA_POOLING_TYPE_MEAN, Llama

    reference = Llama(str(tiny_gguf), n_ctx=256, embedding=True, pooling_type=LLAMA_POOLING_TYPE_MEAN, verbose=False)
    texts = ("def add(a, b):", "a cup of tea")
    expected = [reference.embed(text, normalize=True) for text in texts]
    vectors = (await engine.embed(EmbedRequest("tiny", texts))).vectors
    for vector, other in zip(vectors, expected, strict=True):
        assert vector == pytest.approx(other, abs=2e-3)
    reference.close()


async def test_many_texts_come_back_in_order(engine: LlamaCppEngine) -> None:
    texts = tuple(f"text number {number} " * (number % 5 + 1) for number in range(2 * BATCH_TEXTS + 3))
    together = (await engine.embed(EmbedRequest("tiny", texts))).vectors
    for text, vector in list(zip(texts, together, strict=True))[::7]:
        (alone,) = (await engine.embed(EmbedRequest("tiny", (text,)))).vectors
        assert vector == pytest.approx(alone, abs=2e-3)


async def test_a_text_that_is_too_long_to_embed_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(ContextLengthExceeded, match="257 tokens"):
        await engine.embed(EmbedRequest("tiny", ("a", "b" * 257)))


async def test_a_seed_repeats_an_answer_and_choices_differ(engine: LlamaCppEngine) -> None:
    first, second = [await complete(engine, prompt(temperature=1, seed=11, n=3)) for _ in range(2)]
    assert first == second
    assert len({choice.text for choice in first.choices}) == 3
    assert first.text != (await complete(engine, prompt(temperature=1, seed=12))).text
    assert len({(await complete(engine, prompt(temperature=1))).text for _ in range(3)}) == 3


async def test_a_tiny_nucleus_is_greedy(engine: LlamaCppEngine) -> None:
    assert (await complete(engine, prompt(temperature=1, top_p=1e-6))).text == (await complete(engine, prompt())).text


async def test_bias_forces_and_penalties_spread(engine: LlamaCppEngine) -> None:
    letters = {ord("a"): 100.0, ord("b"): 80.0}
    assert set((await complete(engine, prompt(logit_bias=letters))).text) == {"a"}
    spread = (await complete(engine, prompt(logit_bias=letters, frequency_penalty=2.0))).text
    assert set(spread) == {"a", "b"}


@pytest.mark.parametrize("only_one", [{"top_k": 1}, {"min_p": 1.0}])
async def test_drawing_among_the_likeliest_only_is_greedy(engine: LlamaCppEngine, only_one: dict[str, Any]) -> None:
    drawn = await complete(engine, prompt(temperature=1, **only_one))
    assert drawn.text == (await complete(engine, prompt())).text


async def test_a_repetition_penalty_spreads(engine: LlamaCppEngine) -> None:
    letters = {ord("a"): 100.0, ord("b"): 80.0}
    assert set((await complete(engine, prompt(logit_bias=letters, repetition_penalty=1.5))).text) == {"a", "b"}


@pytest.mark.parametrize("token", [262, -1])
async def test_a_bias_on_a_token_that_does_not_exist_is_refused(engine: LlamaCppEngine, token: int) -> None:
    with pytest.raises(InvalidRequest, match="0 to 261"):
        await complete(engine, prompt(logit_bias={token: 1.0}))


@pytest.mark.parametrize("temperature", [0, 0.7, 2])
async def test_answers_follow_their_schema(engine: LlamaCppEngine, temperature: float) -> None:
    wanted = ResponseFormat("json_schema", schema=SCHEMA)
    request = ChatRequest("tiny", prompt="x", response_format=wanted, sampling=Sampling(temperature, seed=1, n=4))
    for choice in (await complete(engine, request)).choices:
        answer = json.loads(choice.text)
        assert choice.finish_reason == "stop"
        assert set(answer) in ({"ok", "grade"}, {"ok", "grade", "note"})
        assert answer["ok"] in (True, False)
        assert answer["grade"] in ("a", "b")
        note = answer.get("note", "")
        assert len(note) <= 4 or "\ufffd" in note  # random bytes need not be characters


async def test_any_json_object_begins_like_one(engine: LlamaCppEngine) -> None:
    request = ChatRequest("tiny", prompt="x", response_format=ResponseFormat("json_object"), sampling=Sampling(0))
    completion = await complete(engine, request)
    assert completion.text.startswith("{")
    if completion.choices[0].finish_reason == "stop":
        json.loads(completion.text)


async def test_a_bias_against_what_the_schema_needs_gives_way(engine: LlamaCppEngine) -> None:
    request = ChatRequest(
        "tiny",
        prompt="x",
        response_format=ResponseFormat("json_schema", schema=SCHEMA),
        sampling=Sampling(0, logit_bias={ord('"'): -100.0, ord("x"): 100.0}),
    )
    assert json.loads((await complete(engine, request)).text)["grade"] in ("a", "b")


async def test_the_middle_is_filled_in(engine: LlamaCppEngine) -> None:
    def infill(suffix: str) -> ChatRequest:
        return ChatRequest("tiny", prompt="def f(", suffix=suffix, sampling=Sampling(0, max_tokens=8))

    answer = await complete(engine, infill("): pass"))
    assert answer.usage.prompt_tokens == len("def f(") + len("): pass") + 3
    assert answer.text != (await complete(engine, infill("other"))).text


async def test_it_counts_tokens_as_data(engine: LlamaCppEngine) -> None:
    assert (engine.count_tokens("héllo"), engine.count_tokens(""), engine.count_tokens("<|im_end|>")) == (6, 0, 10)


async def test_an_empty_prompt_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        await complete(engine, prompt(""))


async def test_a_model_without_embeddings_or_only_with_them(tiny_gguf: Path) -> None:
    async with engine_of(tiny_gguf, capabilities=["embeddings"]) as engine:
        assert len((await engine.embed(EmbedRequest("tiny", ("a",)))).vectors) == 1
        with pytest.raises(InvalidRequest):
            await complete(engine, prompt())
    async with engine_of(tiny_gguf, capabilities=["completion"]) as engine:
        assert (await complete(engine, prompt())).text


async def test_chat_and_completion_go_on_together(engine: LlamaCppEngine) -> None:
    def talk(number: int) -> ChatRequest:
        return ChatRequest("tiny", messages=(Message("user", f"{number} " * 20),), sampling=Sampling(0, max_tokens=30))

    requests = [talk(number) if number % 2 else prompt(f"{number} ") for number in range(12)]
    embedding = asyncio.create_task(engine.embed(EmbedRequest("tiny", ("while others are written",) * 40)))
    together = await asyncio.gather(*(complete(engine, request) for request in requests))
    assert len((await embedding).vectors) == 40
    for request, answer in zip(requests, together, strict=True):
        assert answer.choices == (await complete(engine, request)).choices


async def test_a_control_token_is_no_way_to_write_its_name(engine: LlamaCppEngine) -> None:
    request = ChatRequest(
        "tiny",
        prompt="x",
        response_format=ResponseFormat("json_schema", schema={"enum": ["<|im_start|>"]}),
        sampling=Sampling(0, logit_bias={IM_START: 100.0}),
    )
    assert (await complete(engine, request)).text == '"<|im_start|>"'
