"""What is remembered of prompts that were sent: bounded, by tenant, and only where the words are the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from inference.catalog import ScriptedModel
from inference.protocol import Caller, ChatRequest, Message, ResponseFormat, Tool, ToolCall
from router.policy import prompt_bytes
from router.prefixes import Memory
from tests.inference import strategies
from tests.router.conftest import CATALOG

(SMALL,) = [model for model in CATALOG.models if isinstance(model, ScriptedModel) and model.name == "small"]
CACHING = SMALL.model_copy(update={"cache_seconds": 300.0})
words = st.text("ab", max_size=9)
talks = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), words), max_size=6)


@dataclass
class Clock:
    """Moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def ask(*said: Message | str, tenant: str = "default", **more: object) -> ChatRequest:
    messages = tuple(Message("user", each) if isinstance(each, str) else each for each in said)
    return ChatRequest("auto", messages, caller=Caller(tenant), **more)  # type: ignore[arg-type]


@strategies.quick
@given(st.lists(talks, max_size=5), talks)
def test_warm_is_the_longest_beginning_that_was_sent_word_for_word(
    sent: list[list[Message]], asked: list[Message]
) -> None:
    memory = Memory(Clock())
    for talk in sent:
        memory.sent(ask(*talk), CACHING)
    common = max((_common(talk, asked) for talk in sent), default=0)
    assert memory.of(ask(*asked)).warm_tokens(CACHING) == prompt_bytes(ask(*asked[:common])) // 4


def _common(one: list[Message], other: list[Message]) -> int:
    """How many messages two conversations begin with alike."""
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


@strategies.quick
@given(st.lists(st.tuples(st.sampled_from("abc"), talks), max_size=8), talks)
def test_what_a_tenant_finds_warm_does_not_depend_on_others(
    sent: list[tuple[str, list[Message]]], asked: list[Message]
) -> None:
    shared, alone = Memory(Clock()), Memory(Clock())
    for tenant, talk in sent:
        shared.sent(ask(*talk, tenant=tenant), CACHING)
        if tenant == "a":
            alone.sent(ask(*talk, tenant=tenant), CACHING)
    request = ask(*asked, tenant="a")
    assert shared.of(request).warm_tokens(CACHING) == alone.of(request).warm_tokens(CACHING)


@strategies.quick
@given(st.lists(talks), st.integers(1, 8))
def test_there_are_never_more_than_allowed_and_the_newest_stay(sent: list[list[Message]], most: int) -> None:
    memory = Memory(Clock(), most)
    for talk in sent:
        memory.sent(ask(*talk), CACHING)
        assert len(memory) <= most
        assert memory.of(ask(*talk)).warm_tokens(CACHING) == prompt_bytes(ask(*talk)) // 4


@strategies.quick
@given(strategies.chat_requests())
def test_every_request_is_known_again_and_never_warmer_than_it_is_long(request_: ChatRequest) -> None:
    memory = Memory(Clock())
    memory.sent(request_, CACHING)
    assert memory.of(request_).warm_tokens(CACHING) == prompt_bytes(request_) // 4


def test_what_stands_before_the_messages_and_in_them_counts() -> None:
    memory = Memory(Clock())
    tool = Tool("read", parameters={"type": "object"})
    call = Message("assistant", tool_calls=(ToolCall("1", "read", "{}"),))
    talk = (Message("user", "a" * 400), call, Message("tool", "b" * 400, tool_call_id="1"))
    request = ask(*talk, tools=(tool,))
    memory.sent(request, CACHING)
    whole = memory.of(request).warm_tokens(CACHING)
    others = [
        replace(request, tools=()),
        replace(request, tools=(replace(tool, parameters={"type": "string"}),)),
        replace(request, response_format=ResponseFormat("json_object")),
    ]
    assert [memory.of(other).warm_tokens(CACHING) for other in others] == [0, 0, 0]
    assert memory.of(request, "adapter").warm_tokens(CACHING) == 0
    changed = replace(request, messages=(*talk[:2], replace(talk[2], tool_call_id="2")))
    assert 100 < memory.of(changed).warm_tokens(CACHING) < whole
    other_words = replace(request, messages=(Message("user", "c"),))
    assert memory.of(other_words).warm_tokens(CACHING) == prompt_bytes(replace(request, messages=())) // 4


def test_each_version_is_warm_for_as_long_as_it_says_and_from_as_many_tokens_on() -> None:
    clock = Clock()
    memory, request = Memory(clock), ask("a" * 400, "b" * 400)
    memory.sent(request, SMALL)
    assert len(memory) == 0, "who says nothing of a cache is not remembered"
    memory.sent(ask("a" * 400), CACHING)
    clock.now = 200
    memory.sent(request, CACHING)
    assert memory.of(request).warm_tokens(CACHING.model_copy(update={"version": "v2"})) == 0
    assert memory.of(request).warm_tokens(SMALL) == 0
    clock.now = 499
    assert memory.of(request).warm_tokens(CACHING) == 200
    assert memory.of(request).warm_tokens(CACHING.model_copy(update={"cache_least_tokens": 201})) == 0
    clock.now = 500
    assert memory.of(request).warm_tokens(CACHING) == 0


def test_plain_completions_are_no_conversations() -> None:
    memory, request = Memory(Clock()), ChatRequest("small", prompt="a" * 400)
    memory.sent(request, CACHING)
    assert (len(memory), memory.of(request).warm_tokens(CACHING)) == (0, 0)


def test_nothing_of_the_text_is_kept() -> None:
    memory = Memory(Clock())
    memory.sent(ask("the secret word"), CACHING)
    assert "secret" not in repr(vars(memory))
