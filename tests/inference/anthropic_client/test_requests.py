"""Requests on their way to Anthropic, whatever they are: what another Bailey and Anthropic's own types make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from inference.anthropic.outgoing import messages_body, prompt_body
from inference.anthropic.requests import CountBody, MessagesBody
from inference.protocol import Caller, ChatRequest, Message, ResponseFormat, Sampling, Tool, ToolCall, ToolChoice
from tests.inference import strategies
from tests.inference.strategies import quick

SAMPLED = {"temperature", "top_p", "top_k"}
"""Anthropic's client has no types for these any more, because its newer models refuse them; the API takes them."""
PARAMS = TypeAdapter(MessageCreateParamsStreaming)  # kept: it reads lazily, and crashes if it is gone by then

said = strategies.texts.filter(str.strip)
calls = st.builds(
    ToolCall,
    id=strategies.names,
    name=strategies.names,
    arguments=strategies.json_objects.map(lambda arguments: json.dumps(arguments, ensure_ascii=False)),
)
tools = st.builds(
    Tool,
    name=strategies.names,
    description=strategies.texts,
    parameters=strategies.json_objects.map(lambda properties: {"type": "object", "examples": [properties]}),
    strict=st.booleans(),
)
samplings = st.builds(
    Sampling,
    temperature=st.floats(0, 1),
    top_p=st.floats(0.01, 1),
    top_k=st.integers(0, 100),
    max_tokens=st.integers(1, 10**6),
    stop=st.lists(st.text(min_size=1, max_size=5), max_size=4).map(tuple),
)
formats = st.sampled_from(
    [ResponseFormat(), ResponseFormat("json_schema", schema={"type": "object", "additionalProperties": False})]
)


@st.composite
def turns(draw: st.DrawFn) -> Iterator[Message]:
    """What the user says, or what an assistant calls and the tools answer."""
    asked = draw(st.lists(calls, min_size=1, max_size=3))
    if draw(st.booleans()):
        return iter([Message("user", draw(said)), Message("assistant", draw(said))])
    results = [Message("tool", draw(said), tool_call_id=call.id) for call in asked]
    return iter([Message("assistant", draw(said | st.just("")), tuple(asked)), *results])


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    """Any request that the Messages API carries without a loss."""
    system = [Message("system", text) for text in draw(st.lists(said, max_size=1))]
    before = [message for turn in draw(st.lists(turns(), max_size=3)) for message in turn]
    chosen = draw(st.lists(tools, max_size=2, unique_by=lambda tool: tool.name))
    choices = [ToolChoice()]
    if chosen:
        choices += [ToolChoice("none"), ToolChoice("required"), ToolChoice("function", chosen[0].name)]
    choice = draw(st.sampled_from(choices))
    return ChatRequest(
        model="m",
        messages=(*system, *before, Message("user", draw(said))),
        sampling=draw(samplings),
        tools=tuple(chosen),
        tool_choice=choice,
        parallel_tool_calls=not chosen or choice.mode == "none" or draw(st.booleans()),
        response_format=draw(formats),
        request_id="req_1",
    )


def all_of(value: Any) -> Any:
    """What pydantic validates of an iterable only while it is read."""
    if isinstance(value, Mapping):
        return {key: all_of(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [all_of(each) for each in value]
    return value


def body_of(request: ChatRequest, prompt_cache: bool) -> Any:
    """The body as it arrives at the other end."""
    return json.loads(json.dumps(messages_body(request, "m", 64, prompt_cache)))


@quick
@given(requests(), st.booleans())
def test_a_request_arrives_as_it_was_sent(request_: ChatRequest, prompt_cache: bool) -> None:
    body = MessagesBody.model_validate(body_of(request_, prompt_cache))
    assert body.read(Caller(), "req_1") == request_
    assert body.stream


@quick
@given(requests(), st.booleans())
def test_anthropics_own_types_take_a_request(request_: ChatRequest, prompt_cache: bool) -> None:
    body = body_of(request_, prompt_cache)
    assert body.keys() <= MessageCreateParamsStreaming.__annotations__.keys() | SAMPLED
    validated = all_of(PARAMS.validate_python(body))
    assert validated == {name: value for name, value in body.items() if name not in SAMPLED}


@quick
@given(requests())
def test_what_is_counted_is_what_is_shown(request_: ChatRequest) -> None:
    body = json.loads(json.dumps(prompt_body(request_, "m")))
    assert body.keys() <= MessageCountTokensParams.__annotations__.keys()
    read = CountBody.model_validate(body).read(Caller(), "req_1")
    assert replace(read, sampling=request_.sampling) == request_
