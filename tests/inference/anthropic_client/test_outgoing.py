"""Requests on their way to Anthropic: how what differs is written, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from inference.anthropic.outgoing import messages_body
from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import (
    ChatRequest,
    Message,
    ResponseFormat,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
)

USER = Message("user", "How high is the water?")
CALL = ToolCall("c1", "tide", '{"at": "noon"}')
TIDE = Tool("tide", "The tide.", {"type": "object", "properties": {"at": {"type": "string"}}})
MARK = {"type": "ephemeral"}


def body_of(request: ChatRequest, prompt_cache: bool = False) -> Any:
    """The body as it arrives at the other end."""
    return json.loads(json.dumps(messages_body(request, "m", 64, prompt_cache)))


def test_results_stand_together_and_before_what_the_user_says() -> None:
    first, second = ToolCall("functions.tide:0", "tide", ""), replace(CALL, id="c2")
    messages = (
        *(USER, Message("assistant", "\n", (first, second)), Message("user", "Well?")),
        *(Message("tool", "2 m", tool_call_id=first.id), Message("tool", " ", tool_call_id="c2")),
        *(Message("assistant"), Message("user", "Thanks.")),
    )
    asked, called, answered, thanked = body_of(ChatRequest("m", messages))["messages"]
    assert asked == {"role": "user", "content": [{"type": "text", "text": USER.content}]}
    uses = [
        {"type": "tool_use", "id": "functions_tide_0", "name": "tide", "input": {}},
        {"type": "tool_use", "id": "c2", "name": "tide", "input": {"at": "noon"}},
    ]
    assert called == {"role": "assistant", "content": uses}
    assert answered["content"] == [
        {"type": "tool_result", "tool_use_id": "functions_tide_0", "content": "2 m"},
        {"type": "tool_result", "tool_use_id": "c2"},
        {"type": "text", "text": "Well?"},
    ]
    assert thanked["content"] == [{"type": "text", "text": "Thanks."}]


def test_instructions_go_to_the_top_in_their_order() -> None:
    messages = (Message("system", "Be brief."), USER, Message("system", " "), Message("system", "In Dutch."))
    body = body_of(ChatRequest("m", messages))
    assert [block["text"] for block in body["system"]] == ["Be brief.", "In Dutch."]
    assert len(body["messages"]) == 1


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (ToolChoice(), True, None),
        (ToolChoice(), False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), True, {"type": "any"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("function", "tide"), True, {"type": "tool", "name": "tide"}),
    ],
)
def test_every_tool_choice(choice: ToolChoice, parallel: bool, written: object) -> None:
    request = ChatRequest("m", (USER,), tools=(TIDE,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body_of(request).get("tool_choice") == written


def test_tools_say_what_the_api_insists_on_and_no_more() -> None:
    bare, strict = body_of(ChatRequest("m", (USER,), tools=(Tool("f"), replace(TIDE, strict=True))))["tools"]
    assert bare == {"name": "f", "input_schema": {"type": "object"}}
    assert strict == {
        **bare,
        "name": "tide",
        "description": "The tide.",
        "strict": True,
        "input_schema": TIDE.parameters,
    }


def test_the_longest_answer_is_the_requests_or_else_the_models() -> None:
    assert body_of(ChatRequest("m", (USER,)))["max_tokens"] == 64
    assert body_of(ChatRequest("m", (USER,), sampling=Sampling(max_tokens=7)))["max_tokens"] == 7


def test_only_sampling_that_differs_from_the_defaults_is_sent() -> None:
    plain = body_of(ChatRequest("m", (USER,)))
    assert plain.keys() == {"model", "stream", "max_tokens", "messages"}
    sampling = Sampling(temperature=0, top_p=0.5, top_k=3, stop=("end",))
    body = body_of(ChatRequest("m", (USER,), sampling=sampling))
    assert {key: body[key] for key in body.keys() - plain.keys()} == {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "stop_sequences": ["end"],
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *(
            ({"sampling": sampling}, param)
            for param, sampling in {
                "seed": Sampling(seed=0),
                "n": Sampling(n=2),
                "min_p": Sampling(min_p=0.1),
                "repetition_penalty": Sampling(repetition_penalty=1.1),
                "presence_penalty": Sampling(presence_penalty=0.1),
                "frequency_penalty": Sampling(frequency_penalty=0.1),
                "logit_bias": Sampling(logit_bias={1: 1.0}),
                "logprobs": Sampling(logprobs=True),
                "temperature": Sampling(temperature=1.5),
            }.items()
        ),
        ({"response_format": ResponseFormat("json_object")}, "response_format"),
        ({"messages": (USER, Message("assistant", "It is"))}, "messages"),
        ({"messages": (Message("user", " "),)}, "messages"),
        ({"messages": (Message("system", "Be brief."),)}, "messages"),
    ],
)
def test_what_the_api_lacks_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameter, match=param) as caught:
        body_of(replace(ChatRequest("m", (USER,)), **fields))
    assert caught.value.param == param


@pytest.mark.parametrize("arguments", ["{", "[1]", "null"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = replace(CALL, arguments=arguments)
    messages = (USER, Message("assistant", tool_calls=(call,)), Message("tool", "2 m", tool_call_id="c1"))
    with pytest.raises(InvalidRequest, match="'tide'") as caught:
        body_of(ChatRequest("m", messages))
    assert caught.value.param == "messages"


def test_a_schema_is_closed_where_it_does_not_say() -> None:
    schema = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "open": {"type": "object", "additionalProperties": {"type": "integer"}},
            "list": {"type": "array", "items": {"type": ["object", "null"], "properties": {}}},
            "either": {"anyOf": [{"$ref": "#/$defs/one"}, {"type": "object"}]},
            "kept": {"enum": [{"type": "object"}], "default": {"type": "object"}},
        },
        "$defs": {"one": {"type": "object", "required": ["a"]}, "any": True},
    }
    before = json.dumps(schema)
    wanted = ResponseFormat("json_schema", schema=schema)
    body = body_of(ChatRequest("m", (USER,), response_format=wanted))
    assert body["output_config"]["format"]["type"] == "json_schema"
    closed = body["output_config"]["format"]["schema"]
    assert closed["additionalProperties"] is False
    assert closed["properties"] == {
        "type": {"type": "string"},
        "open": schema["properties"]["open"],  # type: ignore[index]
        "list": {
            "type": "array",
            "items": {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
        },
        "either": {"anyOf": [{"$ref": "#/$defs/one"}, {"type": "object", "additionalProperties": False}]},
        "kept": schema["properties"]["kept"],  # type: ignore[index]
    }
    assert closed["$defs"] == {"one": {"type": "object", "required": ["a"], "additionalProperties": False}, "any": True}
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        ({}, ["messages.0.content.0"]),
        ({"tools": (Tool("f"), TIDE)}, ["messages.0.content.0", "tools.1"]),
        (
            {"tools": (TIDE,), "messages": (Message("system", "a"), Message("system", "b"), USER)},
            ["messages.0.content.0", "system.1"],
        ),
        (
            {
                "messages": (
                    *(Message("user", "Hello."), Message("assistant", "Hello.")),
                    *(USER, Message("assistant", "2 m", (CALL, replace(CALL, id="c2")))),
                    *(Message("tool", "2 m", tool_call_id="c1"), Message("tool", "3 m", tool_call_id="c2")),
                )
            },
            ["messages.2.content.0", "messages.4.content.1"],
        ),
    ],
)
def test_marks_stand_at_the_ends_of_what_this_request_and_the_last_one_said(
    fields: dict[str, Any], marked: list[str]
) -> None:
    request = replace(ChatRequest("m", (USER,)), **fields)
    assert [*marks(body_of(request, prompt_cache=True))] == marked
    assert not [*marks(body_of(request))]


def marks(value: Any, path: str = "") -> Iterator[str]:
    """Where the marks are."""
    if isinstance(value, dict):
        if value.get("cache_control") == MARK:
            yield path
        for key, each in value.items():
            yield from marks(each, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from marks(each, f"{path}.{number}")
