"""The model of random weights loads in llama.cpp and works as the measurements need it; the texts fit it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.cpu.cells import nano_coder
from bench.cpu.prompts import Author, Letters, Workload
from bench.cpu.random_model import END_TOKENS, Shape, write_random_model
from inference.catalog import LlamaCppModel
from inference.collect import complete
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import ChatRequest, Message, Sampling

SMALL = Shape(width=64, layers=2, heads=2, kv_heads=1, feed_forward=96, vocabulary=400, context=512)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one."""
    return write_random_model(tmp_path_factory.mktemp("model") / "random.gguf", SMALL)


def test_it_is_written_once_and_always_the_same(weights: Path, tmp_path: Path) -> None:
    again = write_random_model(tmp_path / "random.gguf", SMALL)
    assert again.read_bytes() == weights.read_bytes()
    again.write_bytes(b"kept")
    assert write_random_model(again, SMALL).read_bytes() == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["random.gguf"]


async def test_llama_cpp_answers_with_it(weights: Path) -> None:
    spec = LlamaCppModel(
        name="random", engine="llama.cpp", source=f"path:{weights}", tier="draft", context_tokens=256, threads=1,
        capabilities=frozenset({"chat", "completion", "infill"}),
    )  # fmt: skip
    engine = LlamaCppEngine(spec, weights)
    text = Letters().text(random.Random(1), 40)
    sampling = Sampling(temperature=0.0, max_tokens=16, logit_bias=dict.fromkeys(END_TOKENS, -100.0))
    try:
        assert engine.count_tokens(text) == 40
        chat = await complete(engine, ChatRequest(model="random", messages=(Message("user", text),), sampling=sampling))
        marked = f"<|fim_prefix|>{text}<|fim_suffix|>{text}<|fim_middle|>"
        written = await complete(engine, ChatRequest(model="random", prompt=marked, sampling=sampling))
        filled = await complete(engine, ChatRequest(model="random", prompt=text, suffix=text, sampling=sampling))
    finally:
        await engine.close()
    assert chat.usage.completion_tokens == 16
    assert (written.usage.prompt_tokens, written.text) == (83, filled.text)


def test_texts_of_the_bundled_model_have_the_wanted_length() -> None:
    author = nano_coder().author
    texts = [author.texts.text(random.Random(seed), 100) for seed in range(5)]
    assert len({text[:10] for text in texts}) == 5


def test_requests_are_the_same_for_a_seed_and_share_what_they_should() -> None:
    author = Author("random", Letters(), END_TOKENS, template_tokens=10)
    workload = Workload("shared", 60, 8, shared=40)
    requests = author.requests(workload, 3, "1")
    assert requests == author.requests(workload, 3, "1")
    assert requests != author.requests(workload, 3, "2")
    begin = requests[0].body[:70]
    assert all(request.body.startswith(begin) for request in requests)
    assert len({request.body for request in requests}) == 3
