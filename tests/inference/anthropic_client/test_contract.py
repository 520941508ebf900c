"""The contract of every Engine, held by the client over a real socket against our own Messages routes.

The suite's tests run as they are, but for those that ask for what the format does not have; what remains of these
stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from inference.anthropic.client import AnthropicEngine
from inference.collect import complete
from inference.errors import ContextLengthExceeded, EngineError, ModelNotFound, UnsupportedParameter
from inference.protocol import ChatRequest, EmbedRequest, Priority, ResponseFormat, Tool
from inference.scripted import ScriptedEngine
from tests.contracts import test_engine as suite
from tests.contracts.engines import CONTEXT_TOKENS, NAME, SCRIPT, Subject
from tests.inference.anthropic_client.servers import app_for, spec
from tests.inference.serving import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_HERE = {
    "test_lists_its_model": "other capabilities",
    "test_each_choice_ends_once_and_usage_comes_last": "several choices",
    "test_nothing_follows_the_end_of_a_choice": "several choices",
    "test_continues_a_prompt": "plain prompts",
    "test_a_prompt_has_as_many_tokens_as_it_is_paid_for": "plain prompts",
    "test_log_probabilities_come_with_tokens": "log probabilities",
    "test_what_the_model_cannot_do_is_refused_by_name": "plain prompts",
    "test_what_does_not_fit_the_context_is_refused": "plain prompts",
    "test_vectors_have_unit_length_and_repeat": "embeddings",
    "test_a_deadline_holds_for_embeddings_too": "embeddings",
    "test_priority_changes_when_and_not_what_is_answered": "embeddings",
    "test_fewer_dimensions_are_normalised_again": "embeddings",
    "test_too_many_dimensions_and_empty_texts_are_refused": "embeddings",
    "test_closes_twice_and_then_answers_with_an_error": "the suite's own engines",
}
TESTS = {name: test for name, test in vars(suite).items() if name.startswith("test_")}
globals().update({name: test for name, test in TESTS.items() if name not in NOT_HERE})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def subject() -> AsyncIterator[Subject]:
    far = ScriptedEngine(SCRIPT)

    async def in_flight() -> int:
        return far.in_flight

    async with serve(app_for(far)) as url:
        fields = {"name": NAME, "model": None, "context_tokens": CONTEXT_TOKENS, "capabilities": ["chat"]}
        engine = AnthropicEngine(spec(f"{url}/v1", **fields))
        yield Subject(engine, in_flight)
        await engine.close()


async def test_only_tests_that_exist_are_left_out() -> None:
    assert NOT_HERE.keys() < TESTS.keys()


async def test_lists_its_model_with_what_it_offers(subject: Subject) -> None:
    (card,) = subject.engine.models()
    assert (card.id, card.context_tokens, card.capabilities) == (NAME, CONTEXT_TOKENS, frozenset({"chat"}))


async def test_the_answer_ends_once_and_usage_comes_last(subject: Subject) -> None:
    *before, last = await suite.chunks_of(subject, suite.chat())
    assert [chunk.finish_reason for chunk in before if chunk.finish_reason] == ["length"]
    assert before[-1].finish_reason
    assert last.usage is not None
    assert all(chunk.usage is None for chunk in before)
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.estimated) == (2, 12, False)
    assert {chunk.model for chunk in (*before, last)} == {NAME}


async def test_the_prompt_is_counted_at_the_other_end(subject: Subject) -> None:
    tokens = await subject.engine.tokenize(suite.chat())
    usage = (await complete(subject.engine, suite.chat())).usage
    assert (tokens.count, tokens.ids, tokens.model) == (usage.prompt_tokens, None, NAME)
    with pytest.raises(ModelNotFound):
        await subject.engine.tokenize(replace(suite.chat(), model="nobody"))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tools": (Tool("f"),)}, "tools"),
        ({"response_format": ResponseFormat("json_object")}, "response_format"),
        ({"messages": (), "prompt": "a"}, "prompt"),
        ({"sampling": replace(suite.GREEDY, logprobs=True)}, "logprobs"),
        ({"sampling": replace(suite.GREEDY, n=2)}, "n"),
    ],
)
async def test_what_the_format_lacks_is_refused_by_name(
    subject: Subject, change: dict[str, object], param: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        await complete(subject.engine, replace(suite.chat(), **change))  # type: ignore[arg-type]  # fields by name
    assert caught.value.param == param
    assert await subject.in_flight() == 0


async def test_vectors_are_refused_by_name(subject: Subject) -> None:
    with pytest.raises(UnsupportedParameter, match="embeddings") as caught:
        await subject.engine.embed(EmbedRequest(NAME, ("a",)))
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "request_",
    [
        suite.chat("1 " + "long " * CONTEXT_TOKENS),
        suite.chat(sampling=replace(suite.GREEDY, max_tokens=CONTEXT_TOKENS)),
    ],
    ids=["messages", "messages plus answer"],
)
async def test_what_does_not_fit_is_refused(subject: Subject, request_: ChatRequest) -> None:
    with pytest.raises(ContextLengthExceeded, match=str(CONTEXT_TOKENS)):
        await complete(subject.engine, request_)
    await suite.idle(subject)


async def test_the_other_end_is_not_told_a_priority(subject: Subject) -> None:
    priorities: list[Priority] = ["interactive", "batch"]
    requests = [replace(suite.chat(), priority=priority) for priority in priorities]
    one, other = await asyncio.gather(*(complete(subject.engine, request) for request in requests))
    assert one.choices == other.choices


async def test_closes_twice_and_is_then_not_ready() -> None:
    engine = AnthropicEngine(spec(name=NAME))
    await engine.close()
    await engine.close()
    assert not (await engine.health()).ready
    with pytest.raises(EngineError, match="closed"):
        await complete(engine, suite.chat())
