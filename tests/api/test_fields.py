"""Every field that the official clients know works, or is refused by its name; none is ignored in silence."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params

from tests.api.peers import Peer

TALK: list[Any] = [{"role": "user", "content": "hi"}]
FUNCTION: dict[str, Any] = {"name": "ping", "parameters": {"type": "object", "properties": {}}}
SAMPLES: dict[str, dict[str, Any]] = {
    "chat/completions": {
        "messages": TALK, "model": "pico-coder", "audio": {"voice": "alloy", "format": "mp3"}, "frequency_penalty": 1,
        "function_call": "auto", "functions": [FUNCTION], "logit_bias": {"300": 1}, "logprobs": True,
        "max_completion_tokens": 3, "max_tokens": 3, "metadata": {"a": "b"}, "modalities": ["text"],
        "moderation": {"model": "omni"}, "n": 2, "parallel_tool_calls": False,
        "prediction": {"type": "content", "content": "hi"}, "presence_penalty": 1, "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "implicit"}, "prompt_cache_retention": "24h", "reasoning_effort": "low",
        "response_format": {"type": "text"}, "safety_identifier": "s", "seed": 1, "service_tier": "flex", "stop": "x",
        "store": True, "stream": True, "stream_options": {"include_usage": True}, "temperature": 0,
        "tool_choice": "none", "tools": [{"type": "function", "function": FUNCTION}], "top_logprobs": 2, "top_p": 0.5,
        "user": "u", "verbosity": "low", "web_search_options": {},
    },
    "completions": {
        "model": "pico-coder", "prompt": "a", "best_of": 2, "echo": True, "frequency_penalty": 1,
        "logit_bias": {"300": 1}, "logprobs": 2, "max_tokens": 3, "n": 2, "presence_penalty": 1, "seed": 1, "stop": "x",
        "stream": True, "stream_options": {"include_usage": True}, "suffix": "b", "temperature": 0, "top_p": 0.5,
        "user": "u",
    },
    "embeddings": {"input": "a", "model": "pico-coder", "dimensions": 8, "encoding_format": "base64", "user": "u"},
    "responses": {
        "access_programs": {"cyber": "standard"}, "background": True, "context_management": [{"type": "compaction"}],
        "conversation": "conv_1", "image": {"prewarm": True}, "include": ["message.output_text.logprobs"], "input": "a",
        "instructions": "b", "max_output_tokens": 3, "max_tool_calls": 1, "metadata": {"a": "b"}, "model": "pico-coder",
        "moderation": {"model": "omni"}, "parallel_tool_calls": False, "previous_response_id": "resp_1",
        "prompt": {"id": "pmpt_1"}, "prompt_cache_key": "k", "prompt_cache_options": {"mode": "implicit"},
        "prompt_cache_retention": "24h", "reasoning": {"effort": "low"}, "safety_identifier": "s",
        "service_tier": "flex", "store": False, "stream": True, "stream_options": {"include_obfuscation": False},
        "temperature": 0, "text": {"format": {"type": "text"}}, "tool_choice": "none",
        "tools": [{"type": "function", **FUNCTION}], "top_logprobs": 2, "top_p": 0.5, "truncation": "auto", "user": "u",
    },
}  # fmt: skip
NEEDS: dict[tuple[str, str], dict[str, Any]] = {
    ("chat/completions", "top_logprobs"): {"logprobs": True},
    ("chat/completions", "stream_options"): {"stream": True},
    ("completions", "stream_options"): {"stream": True},
    ("responses", "stream_options"): {"stream": True},
    ("responses", "top_logprobs"): {"include": ["message.output_text.logprobs"]},
}
REFUSED = {
    "chat/completions": {
        "audio", "function_call", "functions", "moderation", "prediction", "prompt_cache_options", "reasoning_effort",
        "store", "tools", "verbosity", "web_search_options",
    },
    "completions": {"best_of", "echo"},
    "embeddings": set[str](),
    "responses": {
        "access_programs", "background", "context_management", "conversation", "image", "max_tool_calls", "moderation",
        "prompt", "prompt_cache_options", "tools", "truncation",
    },
}  # fmt: skip
"""`tools` because this model has no template for them."""
BASE: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": TALK, "max_tokens": 3},
    "completions": {"prompt": "a", "max_tokens": 3},
    "embeddings": {"input": "a"},
    "responses": {"input": "a", "max_output_tokens": 3},
}
KNOWN = {
    "chat/completions": (chat_params.CompletionCreateParamsBase, chat_params.CompletionCreateParamsStreaming),
    "completions": (
        completion_create_params.CompletionCreateParamsBase,
        completion_create_params.CompletionCreateParamsStreaming,
    ),
    "embeddings": (embedding_create_params.EmbeddingCreateParams,),
    "responses": (
        response_create_params.ResponseCreateParamsBase,
        response_create_params.ResponseCreateParamsStreaming,
    ),
}


@pytest.mark.parametrize("route", SAMPLES)
def test_the_list_is_the_clients(route: str) -> None:
    known = {name for kind in KNOWN[route] for name in kind.__annotations__}
    assert known == set(SAMPLES[route])


@pytest.mark.parametrize(("route", "field"), [(route, field) for route in SAMPLES for field in SAMPLES[route]])
def test_a_field_works_or_is_refused_by_its_name(text: Peer, route: str, field: str) -> None:
    body = {"model": text.model, **BASE[route], **NEEDS.get((route, field), {}), field: SAMPLES[route][field]}
    answer = text.http.post(f"/v1/{route}", json=body)
    if field in REFUSED[route]:
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "unsupported_parameter"
        assert error["param"].split(".")[0] == field
        assert field in error["message"]
    elif (route, field) == ("responses", "previous_response_id"):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("route", "field"),
    [
        *(("chat/completions", field) for field in ("max_completion_tokens", "max_tokens", "top_k")),
        *(("completions", field) for field in ("max_tokens", "top_k")),
        ("responses", "max_output_tokens"),
        *(("messages", field) for field in ("max_tokens", "top_k")),
    ],
)
def test_a_count_beyond_all_engines_is_refused_by_its_name(text: Peer, route: str, field: str) -> None:
    base = {"messages": TALK, "max_tokens": 3} if route == "messages" else BASE[route]
    if field == "max_completion_tokens":
        base = {"messages": TALK}
    answer = text.http.post(f"/v1/{route}", json={"model": text.model, **base, field: 10**40})
    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]
