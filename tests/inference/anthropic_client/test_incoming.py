"""Streams as Anthropic documents them, byte for byte, however they are cut; and our own, which must come back whole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.anthropic.events import MessageStream
from inference.anthropic.incoming import MessageReader, until_end
from inference.collect import Collector, complete
from inference.errors import EngineUnavailable
from inference.protocol import Choice, Chunk, Completion, ToolCall, ToolCallDelta, Usage
from inference.wire.sse import EventReader
from tests.inference import strategies
from tests.inference.anthropic_client.servers import ASK, STREAMS, engine_at, played
from tests.inference.strategies import quick

TIDE = ToolCall("toolu_01tide", "tide_table", '{"harbour": "Küste, 7"}')
EXPECTED = {
    "text": (Choice("The quay is “closed” at 2 °C, says the clerk.\n", "stop"), Usage(25, 15)),
    "tools": (
        Choice("I shall look at both.", "tool_calls", (TIDE, ToolCall("toolu_02clock", "clock", "{}"))),
        Usage(472, 89),
    ),
    "thinking": (Choice("At noon.", "stop"), Usage(25, 64)),
    "cache": (Choice("Yes.", "stop"), Usage(12_183, 4, 12_000, written_tokens=180)),
    "stop_sequence": (Choice("one, two", "stop", stop_string="three"), Usage(25, 4)),
    "cut_call": (Choice("", "length", (ToolCall("toolu_03", "write", '{"text": "once up'),)), Usage(25, 16)),
    "refusal": (Choice("", "content_filter"), Usage(25, 1)),
    "unknown": (Choice("Fine.", "length"), Usage(25, 3)),
}


def read(pieces: Iterable[bytes]) -> list[Chunk]:
    """As the engine reads them."""
    events, messages = EventReader(), MessageReader("far")
    chunks: list[Chunk] = []
    for piece in pieces:
        told, ended = until_end(events.feed(piece))
        chunks += [chunk for event in told for chunk in messages.chunks(event)]
        if ended:
            break
    return chunks


def collected(chunks: Iterable[Chunk]) -> Completion:
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion()


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_every_stream_is_expected_here() -> None:
    assert STREAMS.keys() == EXPECTED.keys() | {"overloaded"}


@pytest.mark.parametrize("size", [1, 7, 64, None])
@pytest.mark.parametrize("name", EXPECTED)
async def test_a_stream_over_a_socket(name: str, size: int | None) -> None:
    async with engine_at(played(STREAMS[name], size)) as (engine, _):
        completion = await complete(engine, ASK)
    choice, usage = EXPECTED[name]
    assert completion == Completion((choice,), usage, "far")


@quick
@given(st.sampled_from(sorted(EXPECTED)), st.lists(st.integers(0, 10**5), max_size=30))
def test_a_stream_however_it_is_cut(name: str, cuts: list[int]) -> None:
    choice, usage = EXPECTED[name]
    assert collected(read(cut(STREAMS[name], cuts))) == Completion((choice,), usage, "far")


async def test_text_comes_piece_by_piece() -> None:
    async with engine_at(played(STREAMS["text"])) as (engine, _):
        chunks = [chunk async for chunk in engine.stream(ASK)]
    assert [chunk.text for chunk in chunks] == ["The quay ", "is “closed” at 2 °C", ", says the clerk.\n", "", ""]


def test_blocks_that_are_open_at_once_are_kept_apart() -> None:
    events = [
        {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": key, "name": key}}
        for index, key in ((3, "a"), (5, "b"))
    ]
    pieces = ((5, '{"x":'), (3, '{"y":'), (5, "1}"), (3, "2}"))
    events += [
        {"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for at, piece in pieces
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}}
    reader = MessageReader("far")
    (choice,) = collected(chunk for event in (*events, end) for chunk in reader.chunks(json.dumps(event))).choices
    assert choice.tool_calls == (ToolCall("a", "a", '{"y":2}'), ToolCall("b", "b", '{"x":1}'))


def test_arguments_that_come_with_the_beginning_of_a_call_count() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"über": [1]}}
    reader = MessageReader("far")
    begin = [*reader.chunks(json.dumps({"type": "content_block_start", "index": 0, "content_block": block}))]
    end = [*reader.chunks('{"type": "content_block_stop", "index": 0}')]
    assert [chunk.tool_calls for chunk in (*begin, *end)] == [
        (ToolCallDelta(0, "a", "f"),),
        (ToolCallDelta(0, arguments='{"über": [1]}'),),
    ]


@pytest.mark.parametrize("event", ["", "[]", '{"index": 1}', '{"type": "content_block_start", "index": "one"}'])
def test_what_is_no_event_is_an_error(event: str) -> None:
    with pytest.raises(EngineUnavailable, match="not Anthropic's"):
        [*MessageReader("far").chunks(event)]


def test_only_what_ends_a_message_ends_it() -> None:
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": '"message_stop" "ping"'}}
    tool = {"type": "content_block_start", "content_block": {"input": {"type": "message_stop", "kind": "ping"}}}
    kept = [json.dumps(text), json.dumps(tool), '"ping"', '{"ping"']
    assert until_end([*kept, '{"type":"ping"}', '{ "type" : "message_stop" }', "more"]) == (kept, True)


@st.composite
def answers(draw: st.DrawFn) -> list[Chunk]:
    """A whole answer of any engine that our Messages routes can stream: text, then calls one after another."""
    chunks = [Chunk(text, model="m") for text in draw(st.lists(strategies.texts, max_size=4))]
    for position in range(draw(st.integers(0, 3))):
        name, arguments = draw(strategies.names), json.dumps(draw(strategies.json_objects), ensure_ascii=False)
        middle = draw(st.integers(0, len(arguments)))
        chunks += [
            Chunk(tool_calls=(ToolCallDelta(position, f"c{position}", name, arguments[:middle]),), model="m"),
            Chunk(tool_calls=(ToolCallDelta(position, arguments=arguments[middle:]),), model="m"),
        ]
    reason, stop = draw(strategies.finish_reasons), draw(st.none() | st.text(min_size=1, max_size=5))
    cached = draw(st.integers(0, 1000))
    written = draw(st.integers(0, 1000))
    prompt = cached + written + draw(st.integers(0, 1000))
    usage = Usage(prompt, draw(st.integers(0, 1000)), cached, written_tokens=written)
    end = Chunk(finish_reason="stop" if stop else reason, stop_string=stop, model="m")
    return [*chunks, end, Chunk(model="m", usage=usage)]


@quick
@given(answers(), st.lists(st.integers(0, 10**5), max_size=10))
def test_our_own_streams_come_back_as_they_were(chunks: list[Chunk], cuts: list[int]) -> None:
    stream = MessageStream("1", 0)
    sent = b"".join(event for chunk in chunks for event in stream.events(chunk))
    back, told = collected(read(cut(sent, cuts))), collected(chunks)
    assert (back.choices, back.usage) == (told.choices, told.usage)
