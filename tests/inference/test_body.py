"""Request bodies: what is accepted, and the sentence that each wrong one gets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.openai.errors import error_body
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody
from inference.protocol import Caller, ChatRequest, Message, ResponseFormat, ToolChoice
from inference.wire.body import Body, explain

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "look_up"}}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **fields}


def read(**fields: Any) -> ChatRequest:
    return ChatBody.model_validate(chat(**fields)).read(Caller(), "req_1")


def refusal(kind: type[Body], body: object) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    return explain(caught.value.errors())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"top_a": 5}, "top_a"),
        ({"functions": []}, "functions"),
        ({"store": True}, "store"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"messages": [{**USER, "name": "ann"}]}, "messages.0.name"),
        ({"messages": [USER, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages.1.content.0.image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
         "messages.0.content.0.input_audio"),
        ({"tools": [{**TOOL, "defer": True}]}, "tools.0.defer"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refusal(ChatBody, chat(**fields))
    assert isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert repr(param) in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"n": 1.0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"stop": ["a"] * 65}, "stop"),
        ({"stop": ""}, "stop"),
        ({"seed": 2**63}, "seed"),
        ({"logit_bias": {"x": 1}}, None),
        ({"logit_bias": {"1": 101}}, None),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}, "tools": [TOOL]}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {"name": "not a name"}}]}, "tools.0.function.name"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "user", "content": "hi", "tool_call_id": "1"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "user", "content": "half \ud83d"}]}, "messages.0.content"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": "\ud800"}}}]},
         "tools.0.function.parameters"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": float("inf")}}}]},
         "tools.0.function.parameters"),
        ({"model": None}, "model"),
        ({"modalities": ["audio"]}, "modalities.0"),
        ({"service_tier": "cheap"}, "service_tier"),
    ],
)  # fmt: skip
def test_wrong_values_name_their_field(fields: dict[str, Any], param: str | None) -> None:
    error = refusal(ChatBody, chat(**fields))
    assert not isinstance(error, UnsupportedParameter)
    assert error.param is not None
    assert param is None or error.param == param
    assert error.message.endswith(".")


@pytest.mark.parametrize("body", [[], "text", 3, None])
def test_a_body_must_be_an_object(body: object) -> None:
    assert "JSON object" in refusal(ChatBody, body).message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "messages": [USER]}, "messages"),
        ({}, "prompt"),
    ],
)
def test_wrong_completion_bodies(body: dict[str, Any], param: str) -> None:
    error = refusal(CompletionBody, {"model": "m", **body})
    assert error.param is not None
    assert error.param.startswith(param)


@pytest.mark.parametrize("given", ["", [], ["a", ""], [[1, 2]], [1], None])
def test_embeddings_need_texts(given: object) -> None:
    error = refusal(EmbeddingsBody, {"model": "m", "input": given})
    assert error.param is not None
    assert error.param.startswith("input")


def test_null_counts_as_absent() -> None:
    nothing = dict.fromkeys(set(ChatBody.model_fields) - {"model", "messages"})
    assert read(**nothing) == read()


def test_harmless_fields_change_nothing() -> None:
    harmless = {"user": "ann", "metadata": {"a": "b"}, "store": False, "modalities": ["text"]}
    assert read(**harmless, safety_identifier="x", prompt_cache_key="y") == read()


@pytest.mark.parametrize(
    ("tier", "priority", "served_as"),
    [
        (None, "interactive", None),
        ("auto", "interactive", "default"),
        ("default", "interactive", "default"),
        ("priority", "interactive", "default"),
        ("flex", "batch", "flex"),
    ],
)
def test_a_service_tier_is_a_priority(tier: str | None, priority: str, served_as: str | None) -> None:
    bodies: list[ChatBody | CompletionBody | EmbeddingsBody] = [
        ChatBody.model_validate(chat(service_tier=tier)),
        CompletionBody.model_validate({"model": "m", "prompt": "a", "service_tier": tier}),
        EmbeddingsBody.model_validate({"model": "m", "input": "a", "service_tier": tier}),
    ]
    for body in bodies:
        assert (body.read(Caller(), "req_1").priority, body.served_as) == (priority, served_as)


def test_max_tokens_has_two_names() -> None:
    assert read(max_tokens=3) == read(max_completion_tokens=3) == read(max_tokens=3, max_completion_tokens=3)


def test_a_completion_has_sixteen_tokens_unless_null_lifts_the_limit() -> None:
    def limit(**fields: Any) -> int | None:
        body = CompletionBody.model_validate({"model": "m", "prompt": "a", **fields})
        return body.read(Caller(), "req_1").sampling.max_tokens

    assert (limit(), limit(max_tokens=None), limit(max_tokens=3)) == (16, None, 3)


def test_text_parts_are_joined_and_developer_means_system() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = read(messages=[{"role": "developer", "content": parts}, {"role": "assistant", "content": None}])
    assert request.messages == (Message("system", "ab"), Message("assistant", ""))


def test_tools_and_formats_are_read() -> None:
    request = read(
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "look_up"}},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    )
    assert request.tool_choice == ToolChoice("function", "look_up")
    assert request.response_format == ResponseFormat("json_schema", "n", {"type": "object"})


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"\ud800": 1}, "\\ud800"),
        ({"messages": [{"role": "user", "content": [{"type": "\ud800"}]}]}, "messages.0.content.0.\\ud800"),
        ({"a\x1b[31m\n": 1}, "a\\x1b[31m\\n"),
        ({"x" * 100_000: 1}, "x" * 64 + "…"),
    ],
)
def test_a_name_that_cannot_be_shown_as_it_is(fields: dict[str, Any], shown: str) -> None:
    error = refusal(ChatBody, chat(**fields))
    assert error.param == shown
    assert error_body(error).json_text()
    assert len(error.message) < 1000
