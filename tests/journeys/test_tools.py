"""An agent of the official OpenAI client has a local model call a function, and tells it what came of that."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.inference.tiny_model import write_tiny_model
from tests.inference.tool_models import CONTEXT, SHAPES
from tests.journeys.appliance import Appliance

CONFIG = """
version: 1
tiers: [draft]
models:
  - {{name: tiny, engine: llama.cpp, tier: draft, source: "path:{weights}", context_tokens: {context}, threads: 1,
     capabilities: [chat, tools]}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""
LAMP: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "switch_lamp",
        "description": "Switches a lamp.",
        "parameters": {
            "type": "object",
            "properties": {"room": {"enum": ["kitchen", "bath"]}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


@pytest.fixture
def with_tools(tmp_path: Path) -> Iterator[Appliance]:
    weights = write_tiny_model(tmp_path / "tiny.gguf", SHAPES["hermes"])
    appliance = Appliance(tmp_path, config=CONFIG.format(weights=weights, context=CONTEXT))
    (tmp_path / "models.yaml").write_text(appliance.config)
    appliance.keys["ada"] = appliance.key("ada")
    yield appliance.start()
    appliance.stop()


def test_an_operator_sees_what_memory_a_model_takes(with_tools: Appliance) -> None:
    with urllib.request.urlopen(f"{with_tools.url}/metrics") as answer:
        found = re.findall(
            r'^bailey_engine_memory_mebibytes{model="tiny",part="(.+)"} (.+)$', answer.read().decode(), re.M
        )
    parts = {part: float(mib) for part, mib in found}
    assert list(parts) == ["weights", "context", "compute", "resident"]
    assert parts["resident"] > parts["context"] > 0
    with urllib.request.urlopen(f"{with_tools.url}/readyz") as answer:
        assert json.load(answer)["memory"]["tiny"].startswith(f"weights {parts['weights']:.1f} MiB, context ")


def test_a_function_is_called_and_its_result_is_heard(with_tools: Appliance) -> None:
    talk: list[ChatCompletionMessageParam] = [{"role": "user", "content": "It is dark in here."}]
    with openai.OpenAI(base_url=f"{with_tools.url}/v1", api_key=with_tools.keys["ada"], max_retries=0) as client:
        with client.chat.completions.stream(
            model="tiny", messages=talk, tools=[LAMP], tool_choice="required", parallel_tool_calls=False
        ) as stream:
            choice = stream.get_final_completion().choices[0]
        (call,) = choice.message.tool_calls or []
        wanted = json.loads(call.function.arguments)
        assert (choice.finish_reason, call.function.name) == ("tool_calls", "switch_lamp")
        assert wanted["room"] in ("kitchen", "bath")
        assert wanted["on"] in (True, False)

        function = {"name": call.function.name, "arguments": call.function.arguments}
        talk += [
            {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]},  # type: ignore[typeddict-item]  # as agents do it
            {"role": "tool", "tool_call_id": call.id, "content": "Done."},
        ]
        last = client.chat.completions.create(
            model="tiny", messages=talk, tools=[LAMP], tool_choice="none", max_completion_tokens=20
        )
    assert last.choices[0].message.content
    assert not last.choices[0].message.tool_calls
    assert [entry.type for entry in with_tools.entries("calls")].count("call.finished") == 2
