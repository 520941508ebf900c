"""Which version answers: weighted, sticky, without memory."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inference.protocol import Caller, ChatRequest, Message
from router.versions.choice import conversation, place, takes

SYSTEM, ASKED = Message("system", "You write code."), Message("user", "A function that whispers.")
TALK = ChatRequest("coder", (SYSTEM, ASKED))


def talks(count: int) -> list[bytes]:
    return [conversation(ChatRequest("coder", (SYSTEM, Message("user", f"Question {n}.")))) for n in range(count)]


def test_a_conversation_stays_with_its_version_as_it_goes_on() -> None:
    later = (*TALK.messages, Message("assistant", "def whisper(): ..."), Message("user", "Louder."))
    assert conversation(replace(TALK, messages=later, request_id="another")) == conversation(TALK)


def test_what_begins_otherwise_is_another_conversation() -> None:
    others = [
        replace(TALK, messages=(SYSTEM, Message("user", "A function that shouts."))),
        replace(TALK, messages=(ASKED,)),
        replace(TALK, messages=(Message("system", SYSTEM.content + ASKED.content), Message("user", ""))),
        replace(TALK, caller=Caller(tenant="another")),
        replace(TALK, messages=(), prompt="def whisper"),
    ]
    assert len({conversation(TALK), *map(conversation, others)}) == 6


def test_a_completion_is_known_by_its_head() -> None:
    head = "import os\n" * 100
    one, other = (conversation(ChatRequest("coder", prompt=head + end)) for end in ("def a", "def b"))
    assert one == other
    assert conversation(ChatRequest("coder", prompt="def a" + head)) != one


def test_the_share_is_kept() -> None:
    chosen = sum(takes("coder", "v2", 10, talk) for talk in talks(5_000))
    assert 400 < chosen < 600


@given(st.binary(min_size=16, max_size=16), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_share_moves_nobody_back(talk: bytes, one: float, other: float) -> None:
    if takes("coder", "v2", min(one, other), talk):
        assert takes("coder", "v2", max(one, other), talk)


@given(st.binary(min_size=16, max_size=16))
def test_none_and_all(talk: bytes) -> None:
    assert not takes("coder", "v2", 0, talk)
    assert takes("coder", "v2", 100, talk)
    assert 0 <= place("coder", "v2", talk) < 1


def test_another_canary_meets_other_conversations() -> None:
    both = [takes("coder", "v2", 10, talk) and takes("coder", "v3", 10, talk) for talk in talks(5_000)]
    assert sum(both) < 100
