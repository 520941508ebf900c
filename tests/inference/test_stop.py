"""Stop strings are found however the text is cut, and nothing before them is lost."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inference.stop import StopFilter
from tests.inference.strategies import quick

letters = st.text("ab", max_size=30)
stops = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


@quick
@given(letters, stops, st.lists(st.integers(0, 30), max_size=8))
def test_text_passes_up_to_the_first_stop_string(text: str, stop: list[str], cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stream = StopFilter(stop)
    passed = ""
    for start, end in itertools.pairwise(edges):
        passed += stream.feed(text[start:end])
        if stream.stopped:
            break
    passed += stream.flush()
    complete = sorted((text.index(each) + len(each), text.index(each)) for each in stop if each in text)
    assert stream.stopped == bool(complete)
    assert passed == (text[: complete[0][1]] if complete else text)


@quick
@given(letters, stops)
def test_text_comes_at_once_unless_it_could_become_a_stop_string(text: str, stop: list[str]) -> None:
    stream = StopFilter(stop)
    passed = stream.feed(text)
    if not stream.stopped:
        held = text[len(passed) :]
        assert not held or any(each.startswith(held) for each in stop)
