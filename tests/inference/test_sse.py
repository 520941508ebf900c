"""The event stream reader, however the bytes are cut and whatever line ends are used."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.wire.sse import EventReader, EventTooLong, event, until_done
from tests.inference.strategies import quick

line_ends = st.sampled_from(["\n", "\r\n", "\r"])
payloads = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=10)


def read(data: bytes, cuts: list[int]) -> list[str]:
    reader = EventReader()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    return [item for piece in pieces for item in reader.feed(piece)] + reader.end()


@quick
@given(st.lists(st.tuples(payloads, line_ends), max_size=5), st.lists(st.integers(0, 10**4), max_size=8))
def test_events_are_read_however_they_are_cut(events: list[tuple[str, str]], cuts: list[int]) -> None:
    data = "".join(f": comment{end}event: x{end}data: {text}{end}{end}" for text, end in events).encode()
    assert read(data, cuts) == [text for text, _ in events]


@quick
@given(st.lists(payloads, max_size=5), st.lists(st.integers(0, 10**4), max_size=8))
def test_what_is_written_is_read(texts: list[str], cuts: list[int]) -> None:
    assert read(b"".join(event(text) for text in texts), cuts) == texts


def test_data_lines_of_one_event_are_joined() -> None:
    assert read(b"data: a\ndata:b\n\n", []) == ["a\nb"]


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a") == []
    assert reader.end() == ["a"]


def test_an_event_without_data_is_nothing() -> None:
    assert read(b"event: ping\n\n: hello\n\nretry: 3\n\n\n\n", []) == []


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(EventTooLong):
        EventReader(max_event_bytes=10).feed(b"x" * 11)
    with pytest.raises(EventTooLong):
        EventReader(max_event_bytes=10).feed(b"data: 123456\n" * 2)


@pytest.mark.parametrize("last", ["[DONE]", " [DONE]", "[DONE] "])
def test_what_follows_the_end_does_not_count(last: str) -> None:
    assert until_done(["a", last, "b"]) == (["a"], True)
    assert until_done(["a", "[DONE]?"]) == (["a", "[DONE]?"], False)
