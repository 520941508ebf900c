"""Responses through the official OpenAI client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseFunctionToolCall, ResponseOutputMessage, ResponseStreamEvent
from pydantic import BaseModel

from tests.api.peers import LAMP_SCHEMA, Peer

QUESTION = "Write a function that adds two numbers."
LAMP: Any = {
    "type": "function",
    "name": "switch_lamp",
    "parameters": LAMP_SCHEMA,
    "strict": True,
}


def ask(peer: Peer, **fields: Any) -> Response:
    fields = {"input": QUESTION, "max_output_tokens": 16, "temperature": 0, **fields}
    answer: Response = peer.openai.responses.create(model=peer.model, **fields)
    return answer


def stream(peer: Peer, **fields: Any) -> list[ResponseStreamEvent]:
    fields = {"input": QUESTION, "max_output_tokens": 16, "temperature": 0, **fields}
    return list(peer.openai.responses.create(model=peer.model, stream=True, **fields))


def test_an_answer_is_whole(text: Peer) -> None:
    answer = ask(text)
    assert answer.id.startswith("resp_")
    assert answer.output_text
    assert answer.error is None
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    (item,) = answer.output
    assert isinstance(item, ResponseOutputMessage)
    assert item.role == "assistant"


def test_an_answer_that_is_cut_off_says_so(text: Peer) -> None:
    answer = ask(text, max_output_tokens=3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_a_stream_builds_the_answer_up(text: Peer) -> None:
    events = stream(text)
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    assert last.type == "response.incomplete"
    assert deltas == last.response.output_text == ask(text).output_text


def test_the_stream_helper(text: Peer) -> None:
    with text.openai.responses.stream(model=text.model, input=QUESTION, max_output_tokens=200, temperature=0) as events:
        text_seen = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = events.get_final_response()
    assert final.output_text == text_seen


def test_a_conversation_goes_on_from_a_response(text: Peer) -> None:
    first = ask(text)
    second = ask(text, input="Now subtract.", previous_response_id=first.id)
    by_hand = ask(
        text,
        input=[
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": first.output_text},
            {"role": "user", "content": "Now subtract."},
        ],
    )
    assert second.previous_response_id == first.id
    assert second.usage
    assert by_hand.usage
    assert second.usage.input_tokens == by_hand.usage.input_tokens
    assert second.output_text == by_hand.output_text


def test_a_conversation_goes_on_from_a_streamed_response(text: Peer) -> None:
    *_, last = stream(text)
    assert last.type == "response.incomplete"
    again = ask(text, input="Now subtract.", previous_response_id=last.response.id)
    assert again.usage
    assert last.response.usage
    assert again.usage.input_tokens > last.response.usage.input_tokens


def test_output_can_be_sent_back_as_input(text: Peer) -> None:
    first = ask(text)
    talk: list[Any] = [{"role": "user", "content": QUESTION}, *first.output, {"role": "user", "content": "Go on."}]
    assert ask(text, input=talk).output_text


def test_instructions_are_for_one_turn_only(text: Peer) -> None:
    first = ask(text, instructions="You write Python, and nothing else but Python, and explain nothing.")
    plain = ask(text)
    assert first.usage
    assert plain.usage
    assert first.usage.input_tokens > plain.usage.input_tokens
    after_first, after_plain = (
        ask(text, input="Go on.", previous_response_id=response.id, max_output_tokens=1) for response in (first, plain)
    )
    assert after_first.usage
    assert after_plain.usage
    said = first.usage.output_tokens - plain.usage.output_tokens
    assert abs(after_first.usage.input_tokens - after_plain.usage.input_tokens - said) < 16


def test_a_response_is_kept(text: Peer) -> None:
    made = ask(text)
    assert text.openai.responses.retrieve(made.id).output_text == made.output_text
    items = text.openai.responses.input_items.list(made.id)
    assert [item.type for item in items.data] == ["message"]


def test_a_response_that_is_not_to_be_kept_is_not(text: Peer) -> None:
    made = ask(text, store=False)
    with pytest.raises(openai.NotFoundError):
        text.openai.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        ask(text, previous_response_id=made.id)


def test_a_response_can_be_deleted(text: Peer) -> None:
    made = ask(text)
    text.openai.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        text.openai.responses.retrieve(made.id)


class Verdict(BaseModel):
    good: bool


def test_an_answer_is_parsed_into_the_clients_own_class(text: Peer) -> None:
    answer = text.openai.responses.parse(
        model=text.model, input=QUESTION, text_format=Verdict, max_output_tokens=60, temperature=1
    )
    assert answer.status == "completed"
    assert isinstance(answer.output_parsed, Verdict)


def test_a_schema_is_followed(text: Peer) -> None:
    schema = {
        "type": "object",
        "properties": {"good": {"type": "boolean"}},
        "required": ["good"],
        "additionalProperties": False,
    }
    format_ = {"type": "json_schema", "name": "verdict", "schema": schema, "strict": True}
    answer = ask(text, text={"format": format_}, max_output_tokens=60)
    assert set(json.loads(answer.output_text)) == {"good"}


def test_log_probabilities(text: Peer) -> None:
    answer = ask(text, include=["message.output_text.logprobs"], top_logprobs=2)
    item = answer.output[0]
    assert isinstance(item, ResponseOutputMessage)
    part = item.content[0]
    assert part.type == "output_text"
    assert part.logprobs
    assert "".join(entry.token for entry in part.logprobs) == part.text
    assert all(len(entry.top_logprobs) == 2 for entry in part.logprobs)


def test_a_function_is_called_and_its_result_is_heard(tools: Peer) -> None:
    fields: dict[str, Any] = {"tools": [LAMP], "parallel_tool_calls": False}
    first = ask(tools, tool_choice="required", max_output_tokens=300, **fields)
    (call,) = first.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert set(json.loads(call.arguments)) == {"room", "on"}
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Done."}
    last = ask(tools, input=[result], previous_response_id=first.id, tool_choice="none", **fields)
    assert last.output_text


def test_a_call_in_a_stream(tools: Peer) -> None:
    events = stream(
        tools, tools=[LAMP], tool_choice={"type": "function", "name": "switch_lamp"}, max_output_tokens=300,
        parallel_tool_calls=False,
    )  # fmt: skip
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert [event.arguments for event in done] == ["".join(deltas)]
    last = events[-1]
    assert last.type == "response.completed"
    (call,) = last.response.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert call.arguments == done[0].arguments


def test_metadata_comes_back(text: Peer) -> None:
    assert ask(text, metadata={"ticket": "7"}).metadata == {"ticket": "7"}
