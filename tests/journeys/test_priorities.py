"""Somebody waits for an answer while a long one that may be slow is being written, with one slot for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.inference.tiny_model import END_OF_TEXT, IM_END, Shape, write_tiny_model
from tests.journeys.appliance import Appliance

CONTEXT_TOKENS = 8192
LONG_TOKENS = 5000
CONFIG = """
version: 1
tiers: [draft]
models:
  - {{name: tiny, engine: llama.cpp, tier: draft, source: "path:{weights}", context_tokens: {context}, concurrency: 1,
     queue: 1, threads: 1, capabilities: [chat]}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello"}]
NEVER_ENDS = {str(END_OF_TEXT): -100, str(IM_END): -100}


@pytest.fixture
def one_slot(tmp_path: Path) -> Iterator[Appliance]:
    weights = write_tiny_model(tmp_path / "tiny.gguf", Shape(context=CONTEXT_TOKENS))
    appliance = Appliance(tmp_path, config=CONFIG.format(weights=weights, context=CONTEXT_TOKENS))
    (tmp_path / "models.yaml").write_text(appliance.config)
    appliance.keys["ada"] = appliance.key("ada")
    yield appliance.start()
    appliance.stop()


def test_who_waits_is_answered_in_the_middle_of_a_flex_answer(one_slot: Appliance) -> None:
    begun, ended = threading.Event(), threading.Event()
    tiers: set[str | None] = set()
    tokens: list[int] = []

    def patient() -> None:
        stream = client.chat.completions.create(
            model="tiny",
            messages=QUESTION,
            service_tier="flex",
            max_completion_tokens=LONG_TOKENS,
            logit_bias=NEVER_ENDS,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            begun.set()
            tiers.add(chunk.service_tier)
            if chunk.usage:
                tokens.append(chunk.usage.completion_tokens)
        ended.set()

    with openai.OpenAI(base_url=f"{one_slot.url}/v1", api_key=one_slot.keys["ada"], max_retries=0) as client:
        slow = threading.Thread(target=patient)
        slow.start()
        assert begun.wait(60)
        answer = client.chat.completions.create(model="tiny", messages=QUESTION, max_completion_tokens=10)
        in_the_middle = not ended.is_set()
        slow.join(120)
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 10
    assert in_the_middle
    assert (tokens, tiers) == ([LONG_TOKENS], {"flex"})
