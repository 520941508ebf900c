"""How other servers are asked to fill a gap: with `suffix`, or with the model's own tokens in the prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.catalog import InfillMarks
from inference.http import filled_in
from inference.openai import outgoing
from inference.protocol import ChatRequest, Message

MARKS = InfillMarks(prefix="<P>", suffix="<S>", middle="<M>")
GAP = ChatRequest("m", prompt="a", suffix="b")


@pytest.mark.parametrize(
    ("marks", "prompt", "suffix"), [(None, "a", "b"), (MARKS, "<P>a<S>b<M>", None)], ids=["suffix", "tokens"]
)
def test_a_gap_is_asked_for_in_the_servers_own_words(
    marks: InfillMarks | None, prompt: str, suffix: str | None
) -> None:
    body = outgoing.completion_body(filled_in(GAP, marks), "m")
    assert (body["prompt"], body.get("suffix")) == (prompt, suffix)


def test_everything_else_stays_as_it_is() -> None:
    for request in (replace(GAP, suffix=None), ChatRequest("m", (Message("user", "a"),))):
        assert filled_in(request, MARKS) == request
