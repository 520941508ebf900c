"""Streams of messages and of responses add up to what would have been answered as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.anthropic.answers import whole_message
from inference.anthropic.events import MessageStream
from inference.collect import Collector
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import Chunk, Completion, TokenLogprob, ToolCallDelta, Usage
from inference.responses.answers import Outline
from inference.responses.events import ResponseStream, whole_response
from inference.responses.requests import ResponsesBody
from tests.inference.strategies import quick

Json = dict[str, Any]
BODY = ResponsesBody(model="m", input="hi")


@st.composite
def answers(draw: st.DrawFn) -> list[Chunk]:
    """One choice as engines write it: text, then calls, all in pieces, then the end and the usage."""
    chunks = [Chunk(text, model="m") for text in draw(st.lists(st.text(), max_size=4))]
    calls = draw(st.lists(st.dictionaries(st.text(), st.integers() | st.text(), max_size=3), max_size=3))
    for position, arguments in enumerate(calls):
        chunks.append(Chunk(tool_calls=(ToolCallDelta(position, f"call_{position}", "f"),), model="m"))
        whole = json.dumps(arguments)
        cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
        pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        chunks += [Chunk(tool_calls=(ToolCallDelta(position, arguments=piece),), model="m") for piece in pieces]
    ends: list[Chunk] = (
        [Chunk(finish_reason="tool_calls", model="m")]
        if calls
        else [
            Chunk(finish_reason="stop", model="m"),
            Chunk(finish_reason="stop", stop_string="END", model="m"),
            Chunk(finish_reason="length", model="m"),
        ]
    )
    usage = Usage(9, draw(st.integers(0, 99)), cached_tokens=draw(st.integers(0, 9)))
    return [*chunks, draw(st.sampled_from(ends)), Chunk(usage=usage, model="m")]


def collected(chunks: Iterable[Chunk]) -> Completion:
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion()


def read(events: Iterable[bytes]) -> list[Json]:
    """The data of events, each of which says its type twice."""
    found = []
    for event in events:
        kind, data = event.decode().removesuffix("\n\n").split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['type']}"
    return found


def message_of(events: list[Json]) -> Json:
    """What a client makes of the events of a message."""
    message: Json = events[0]["message"]
    open_block: int | None = None
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                assert (open_block, event["index"]) == (None, len(message["content"]))
                open_block = event["index"]
                message["content"].append({**event["content_block"], "json": ""})
            case "content_block_delta":
                assert event["index"] == open_block
                block = message["content"][event["index"]]
                block["json"] += event["delta"].get("partial_json", "")
                if "text" in event["delta"]:
                    block["text"] += event["delta"]["text"]
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
                block = message["content"][event["index"]]
                if block["type"] == "tool_use":
                    block["input"] = json.loads(block["json"] or "{}")
                del block["json"]
            case "message_delta":
                message |= {**event["delta"], "usage": event["usage"]}
    assert events[-1] == {"type": "message_stop"}
    return message


@quick
@given(answers())
def test_a_streamed_message_is_the_whole_one(chunks: list[Chunk]) -> None:
    stream = MessageStream("req_1", prompt_tokens=9)
    events = read(event for chunk in chunks for event in stream.events(chunk))
    assert events[0]["message"]["usage"]["input_tokens"] == 9
    assert message_of(events) == json.loads(whole_message(collected(chunks), "req_1").json_text())


def response_of(events: list[Json]) -> list[Json]:
    """The items that a client puts together from deltas, checked against those that the events show as done."""
    items: list[Json] = []
    grown = ""
    for number, event in enumerate(events):
        assert event["sequence_number"] == number
        match event["type"].removeprefix("response."):
            case "output_item.added":
                assert event["output_index"] == len(items)
                items.append(event["item"])
                grown = ""
            case "output_text.delta" | "function_call_arguments.delta":
                assert event["item_id"] == items[-1]["id"]
                grown += event["delta"]
            case "output_text.done":
                assert event["text"] == grown
            case "function_call_arguments.done":
                assert event["arguments"] == grown
            case "output_item.done":
                items[-1] = event["item"]
    return items


@quick
@given(answers())
def test_a_streamed_response_is_the_whole_one(chunks: list[Chunk]) -> None:
    outline = Outline(BODY, "req_1")
    stream = ResponseStream(outline, "req_1")
    raw = [*stream.begin(chunks[0]), *(event for chunk in chunks for event in stream.events(chunk)), *stream.end()]
    events = read(raw)
    whole = json.loads(whole_response(outline, collected(chunks), "req_1").json_text())
    assert events[-1]["response"] == whole
    assert response_of(events) == whole["output"]


def test_log_probabilities_come_with_their_text() -> None:
    outline = Outline(BODY, "req_1")
    stream = ResponseStream(outline, "req_1")
    first = Chunk("a", logprobs=(TokenLogprob("a", -0.5, (("a", -0.5), ("b", -1.0))),), model="m")
    last = (Chunk(finish_reason="stop", model="m"), Chunk(usage=Usage(1, 1), model="m"))
    raw = [*stream.begin(first), *(event for chunk in (first, *last) for event in stream.events(chunk)), *stream.end()]
    (delta,) = (event for event in read(raw) if event["type"] == "response.output_text.delta")
    assert [entry["token"] for entry in delta["logprobs"][0]["top_logprobs"]] == ["a", "b"]


def test_an_answer_that_breaks_off_says_why() -> None:
    stream = ResponseStream(Outline(BODY, "req_1"), "req_1")
    events = read([*stream.begin(Chunk("a", model="m")), *stream.failed(EngineUnavailable("It fell over."))])
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"] == {"code": "engine_unavailable", "message": "It fell over."}


def test_calls_that_are_mixed_up_cannot_be_streamed() -> None:
    mixed = [Chunk(tool_calls=(ToolCallDelta(position, f"c{position}", "f"),), model="m") for position in (0, 1, 0)]
    for feed in (MessageStream("r", 1).events, ResponseStream(Outline(BODY, "r"), "r").events):
        with pytest.raises(EngineError, match="several calls at once"):
            [event for chunk in mixed for event in feed(chunk)]
