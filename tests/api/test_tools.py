"""Tools through the official OpenAI client: whatever random weights say, calls are well-formed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

from tests.api.peers import LAMP_SCHEMA, Peer

QUESTION: list[Any] = [{"role": "user", "content": "It is dark in here."}]
LAMP: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "switch_lamp",
        "description": "Switches a lamp.",
        "parameters": LAMP_SCHEMA,
        "strict": True,
    },
}
PING: dict[str, Any] = {
    "type": "function",
    "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}},
}


def ask(peer: Peer, **fields: Any) -> ChatCompletion:
    fields = {"messages": QUESTION, "tools": [LAMP, PING], "max_completion_tokens": 300, "temperature": 0, **fields}
    answer: ChatCompletion = peer.openai.chat.completions.create(model=peer.model, **fields)
    return answer


def check(calls: Any) -> list[str]:
    """The names of the functions called, after a look at the arguments."""
    for call in calls:
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        arguments = json.loads(call.function.arguments)
        if call.function.name == "switch_lamp":
            assert arguments["room"] in ("kitchen", "bath")
            assert arguments["on"] in (True, False)
            assert len(arguments) == 2
        else:
            assert (call.function.name, arguments) == ("ping", {})
    assert len({call.id for call in calls}) == len(calls)
    return [call.function.name for call in calls]


def test_a_call_can_be_required(tools: Peer) -> None:
    choice = ask(tools, tool_choice="required", parallel_tool_calls=False).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert len(check(choice.message.tool_calls)) == 1


@pytest.mark.parametrize("name", ["switch_lamp", "ping"])
def test_one_function_can_be_required(tools: Peer, name: str) -> None:
    named = {"type": "function", "function": {"name": name}}
    choice = ask(tools, tool_choice=named, parallel_tool_calls=False).choices[0]
    assert check(choice.message.tool_calls) == [name]


def test_calls_can_be_forbidden(tools: Peer) -> None:
    choice = ask(tools, tool_choice="none", max_completion_tokens=20).choices[0]
    assert not choice.message.tool_calls
    assert choice.finish_reason in ("stop", "length")


def test_calls_can_be_left_to_the_model(tools: Peer) -> None:
    choice = ask(tools, tool_choice="auto", max_completion_tokens=100).choices[0]
    if choice.finish_reason == "tool_calls":
        assert check(choice.message.tool_calls)
    else:
        assert choice.message.content


def test_several_calls_in_one_answer(tools: Peer) -> None:
    found = set()
    for seed in range(8):
        choice = ask(tools, tool_choice="required", temperature=1, seed=seed).choices[0]
        if choice.finish_reason == "tool_calls":
            found.add(len(check(choice.message.tool_calls)))
    assert max(found) > 1


def test_a_streamed_call_comes_in_pieces(tools: Peer) -> None:
    whole = ask(tools, tool_choice="required", parallel_tool_calls=False).choices[0].message.tool_calls or []
    fields: dict[str, Any] = {"tools": [LAMP, PING], "tool_choice": "required", "parallel_tool_calls": False}
    chunks = list(
        tools.openai.chat.completions.create(
            model=tools.model, messages=QUESTION, temperature=0, max_completion_tokens=300, stream=True, **fields
        )
    )
    deltas = [delta for chunk in chunks for choice in chunk.choices for delta in choice.delta.tool_calls or []]
    assert deltas[0].id
    assert deltas[0].type == "function"
    assert {delta.index for delta in deltas} == {0}
    assert [delta.function.name for delta in deltas if delta.function and delta.function.name] == [
        call.function.name for call in whole if isinstance(call, ChatCompletionMessageFunctionToolCall)
    ]
    arguments = "".join((delta.function and delta.function.arguments) or "" for delta in deltas)
    assert [json.loads(arguments)] == [
        json.loads(call.function.arguments) for call in whole if isinstance(call, ChatCompletionMessageFunctionToolCall)
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_stream_helper_puts_calls_together(tools: Peer) -> None:
    fields: dict[str, Any] = {"tools": [LAMP], "tool_choice": "required", "parallel_tool_calls": False}
    with tools.openai.chat.completions.stream(
        model=tools.model, messages=QUESTION, max_completion_tokens=300, temperature=0, **fields
    ) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    assert check(final.choices[0].message.tool_calls) == ["switch_lamp"]


def test_an_agents_loop(tools: Peer) -> None:
    said = ask(tools, tool_choice="required", parallel_tool_calls=False).choices[0].message
    (call,) = said.tool_calls or []
    talk = [*QUESTION, said, {"role": "tool", "tool_call_id": call.id, "content": "Done."}]
    last = ask(tools, messages=talk, tool_choice="none", max_completion_tokens=10)
    assert last.choices[0].message.content


def test_results_may_come_in_parts(tools: Peer) -> None:
    said = ask(tools, tool_choice="required", parallel_tool_calls=False).choices[0].message
    (call,) = said.tool_calls or []
    parts = [{"type": "text", "text": "Done."}]
    talk = [*QUESTION, said, {"role": "tool", "tool_call_id": call.id, "content": parts}]
    assert ask(tools, messages=talk, tool_choice="none", max_completion_tokens=10).choices[0].message.content


def test_tools_are_part_of_the_prompt(tools: Peer) -> None:
    with_tools = ask(tools, tool_choice="auto", max_completion_tokens=1).usage
    without = tools.openai.chat.completions.create(model=tools.model, messages=QUESTION, max_completion_tokens=1).usage
    assert with_tools
    assert without
    assert with_tools.prompt_tokens > without.prompt_tokens + 100
