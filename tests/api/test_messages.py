"""Messages through the official Anthropic client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, TextBlock, ToolUseBlock

from tests.api.peers import LAMP_SCHEMA, Peer

QUESTION: list[Any] = [{"role": "user", "content": "Write a function that adds two numbers."}]
LAMP: Any = {
    "name": "switch_lamp",
    "description": "Switches a lamp.",
    "input_schema": LAMP_SCHEMA,
}
GREEDY = {"temperature": 0}  # a field that the newest models do not take any more, nor this client
PING: Any = {"name": "ping", "input_schema": {"type": "object", "properties": {}}}


def ask(peer: Peer, **fields: Any) -> Message:
    fields = {"messages": QUESTION, "max_tokens": 16, "extra_body": GREEDY, **fields}
    answer: Message = peer.anthropic.messages.create(model=peer.model, **fields)
    return answer


def said(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def calls(message: Message) -> list[ToolUseBlock]:
    return [block for block in message.content if isinstance(block, ToolUseBlock)]


def test_an_answer_is_whole(text: Peer) -> None:
    answer = ask(text)
    assert (answer.type, answer.role) == ("message", "assistant")
    assert answer.id.startswith("msg_")
    assert said(answer)
    assert answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 0
    assert answer.usage.output_tokens <= 16


def test_an_answer_that_is_cut_off_says_so(text: Peer) -> None:
    answer = ask(text, max_tokens=3)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 3)


def test_a_stream_has_its_events_in_order(text: Peer) -> None:
    events = list(
        text.anthropic.messages.create(
            model=text.model, messages=QUESTION, max_tokens=16, extra_body=GREEDY, stream=True
        )
    )
    kinds = [event.type for event in events if event.type not in ("content_block_delta", "ping")]
    assert kinds == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert events[0].type == "message_start"
    assert events[0].message.usage.input_tokens > 0


def test_the_stream_helper_gives_the_whole_at_the_end(text: Peer) -> None:
    with text.anthropic.messages.stream(
        model=text.model, messages=QUESTION, max_tokens=16, extra_body=GREEDY
    ) as stream:
        seen = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert seen == said(final) == said(ask(text))
    assert final.usage.output_tokens == 16


@pytest.mark.parametrize("system", ["You write Python.", [{"type": "text", "text": "You write Python."}]])
def test_instructions_come_first(text: Peer, system: Any) -> None:
    with_system = text.anthropic.messages.count_tokens(model=text.model, messages=QUESTION, system=system)
    without = text.anthropic.messages.count_tokens(model=text.model, messages=QUESTION)
    assert with_system.input_tokens > without.input_tokens
    assert said(ask(text, system=system))


def test_tokens_are_counted_as_they_will_be(text: Peer) -> None:
    counted = text.anthropic.messages.count_tokens(model=text.model, messages=QUESTION).input_tokens
    usage = ask(text).usage
    assert counted == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_a_conversation_goes_on(text: Peer) -> None:
    first = ask(text)
    talk = [*QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Go on."}]
    assert said(ask(text, messages=talk))


def test_content_may_come_in_blocks(text: Peer) -> None:
    blocks = [
        {"type": "text", "text": "Write a function ", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "that adds two numbers."},
    ]
    assert said(ask(text, messages=[{"role": "user", "content": blocks}])) == said(ask(text))


def test_a_stop_sequence_ends_and_is_named(text: Peer) -> None:
    whole = said(ask(text))
    end = whole[5:9]
    answer = ask(text, stop_sequences=["\x00never", end])
    assert said(answer) == whole[: whole.index(end)]
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", end)


def test_a_stop_sequence_in_a_stream_is_named(text: Peer) -> None:
    end = said(ask(text))[5:9]
    with text.anthropic.messages.stream(
        model=text.model, messages=QUESTION, max_tokens=16, extra_body=GREEDY, stop_sequences=[end]
    ) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.stop_sequence) == ("stop_sequence", end)


def test_only_the_likeliest_token(text: Peer) -> None:
    assert said(ask(text, extra_body={"temperature": 1, "top_k": 1})) == said(ask(text))


@pytest.mark.parametrize("choice", ["any", "tool"])
def test_a_call_can_be_required(tools: Peer, choice: str) -> None:
    wanted = {
        "type": choice,
        "disable_parallel_tool_use": True,
        **({"name": "switch_lamp"} if choice == "tool" else {}),
    }
    answer = ask(tools, tools=[LAMP], tool_choice=wanted, max_tokens=300)
    (call,) = calls(answer)
    assert answer.stop_reason == "tool_use"
    assert call.name == "switch_lamp"
    assert set(call.input) == {"room", "on"}


def test_calls_can_be_forbidden(tools: Peer) -> None:
    assert not calls(ask(tools, tools=[LAMP], tool_choice={"type": "none"}))


def test_a_streamed_call(tools: Peer) -> None:
    fields: dict[str, Any] = {"tools": [LAMP, PING], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}}
    with tools.anthropic.messages.stream(
        model=tools.model, messages=QUESTION, max_tokens=300, extra_body=GREEDY, **fields
    ) as stream:
        pieces = [
            event.delta.partial_json
            for event in stream
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta"
        ]
        final = stream.get_final_message()
    (call,) = calls(final)
    assert json.loads("".join(pieces) or "{}") == call.input
    assert final.stop_reason == "tool_use"


def test_an_agents_loop(tools: Peer) -> None:
    fields: dict[str, Any] = {"tools": [LAMP], "max_tokens": 300}
    first = ask(tools, tool_choice={"type": "any", "disable_parallel_tool_use": True}, **fields)
    (call,) = calls(first)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Done."}]}
    talk = [*QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    assert said(ask(tools, messages=talk, tool_choice={"type": "none"}, tools=[LAMP]))


def test_a_failed_tool_is_heard_of(tools: Peer) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "switch_lamp", "input": {"room": "bath", "on": True}}
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such lamp", "is_error": error}
        for error in (True, False)
    ]
    counts = [
        tools.anthropic.messages.count_tokens(
            model=tools.model,
            tools=[LAMP],
            messages=[*QUESTION, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}],
        ).input_tokens
        for result in results
    ]
    assert counts[0] > counts[1]


def test_a_schema_is_followed(text: Peer) -> None:
    schema = {
        "type": "object",
        "properties": {"good": {"type": "boolean"}},
        "required": ["good"],
        "additionalProperties": False,
    }
    answer = ask(text, output_config={"format": {"type": "json_schema", "schema": schema}}, max_tokens=60)
    assert set(json.loads(said(answer))) == {"good"}


def test_many_at_once(text: Peer) -> None:
    async def all_at_once() -> list[Message]:
        async with anthropic.AsyncAnthropic(
            base_url=text.url, api_key=text.key, max_retries=0, _strict_response_validation=True
        ) as client:
            return await asyncio.gather(
                *(
                    client.messages.create(model=text.model, messages=QUESTION, max_tokens=8, extra_body=GREEDY)
                    for _ in range(8)
                )
            )

    assert {said(answer) for answer in asyncio.run(all_at_once())} == {said(ask(text, max_tokens=8))}


def test_every_answer_has_an_id_for_the_log(text: Peer) -> None:
    answer = ask(text, max_tokens=1)
    assert answer._request_id
    raw = text.anthropic.messages.with_raw_response.create(model=text.model, messages=QUESTION, max_tokens=1)
    assert raw.headers["request-id"] == raw.headers["x-request-id"]
