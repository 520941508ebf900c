"""Events read by the frame around their text give what parsing each gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import EngineUnavailable
from inference.openai import decode
from inference.openai.frames import MOST_FRAMES, StreamReader
from inference.protocol import Chunk
from tests.inference.strategies import quick

Read = Callable[[str, str], Iterator[Chunk]]

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", '","index":1,"x":"', "content"]
)
REASONS = st.sampled_from([None, None, None, None, "stop"])


@st.composite
def events(draw: st.DrawFn) -> str:
    """An event as some server writes it."""
    text, index = draw(TEXTS), draw(st.integers(0, 2))
    choice: dict[str, object] = {"index": index, "finish_reason": draw(REASONS)}
    choice |= draw(st.sampled_from([{"text": text}, {"delta": {"content": text}}, {"delta": {"role": "assistant"}}]))
    usage = draw(st.sampled_from([None, None, {"prompt_tokens": 3, "completion_tokens": 4}]))
    whole = {"id": draw(st.sampled_from(["a", "b"])), "choices": [choice], "usage": usage}
    return json.dumps(whole, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), None])))


@quick
@pytest.mark.parametrize("read", [decode.chat_chunks, decode.text_chunks])
@given(stream=st.lists(events(), max_size=12))
def test_a_stream_is_read_as_event_by_event(read: Read, stream: list[str]) -> None:
    reader = StreamReader(read, "m")
    for event in stream:
        assert [*reader.chunks(event)] == [*read(event, "m")]


def test_after_the_first_an_event_is_not_parsed_again() -> None:
    parsed = []

    def read(event: str, model: str) -> Iterator[Chunk]:
        parsed.append(event)
        return decode.text_chunks(event, model)

    reader = StreamReader(read, "m")
    for text in ("one", "two \\u20ac", "three"):
        chunks = reader.chunks(f'{{"choices": [{{"index": 0, "text": "{text}"}}], "usage": null}}')
    assert chunks == (Chunk("three", model="m"),)
    assert len(parsed) == 2  # the first, and the first with another text


def test_a_server_that_never_repeats_itself_costs_little_more() -> None:
    asked = []

    def read(event: str, model: str) -> Iterator[Chunk]:
        asked.append(event)
        return decode.text_chunks(event, model)

    reader = StreamReader(read, "m")
    for number in range(100):
        reader.chunks(f'{{"id": "{number}", "choices": [{{"text": "a"}}]}}')
    assert len(asked) == 100 + MOST_FRAMES


@pytest.mark.parametrize("between", ['"a', 'a"', '"a" "b"', '"\\ud800"', "1", '"a\n"'])
def test_what_is_no_text_is_refused_as_before(between: str) -> None:
    reader = StreamReader(decode.text_chunks, "m")
    reader.chunks('{"choices": [{"text": "a"}]}')
    with pytest.raises(EngineUnavailable):
        reader.chunks(f'{{"choices": [{{"text": {between}}}]}}')


def test_a_text_that_stands_twice_is_not_taken_for_a_frame() -> None:
    reader = StreamReader(decode.text_chunks, "m")
    for text in ("a", "b"):
        event = f'{{"choices": [{{"text": "{text}", "content": "{text}"}}]}}'
        assert [*reader.chunks(event)] == [Chunk(text, model="m")]
