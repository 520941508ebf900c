"""What every Engine must do, run over every implementation in engines.py."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from inference.collect import complete
from inference.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineError,
    InvalidRequest,
    ModelNotFound,
    UnsupportedParameter,
)
from inference.protocol import ChatRequest, Chunk, EmbedRequest, Message, ResponseFormat, Sampling, Tool
from tests.contracts.engines import CAPABILITIES, CONTEXT_TOKENS, ENGINES, NAME, Factory, Subject
from tests.inference.serving import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY = Sampling(temperature=0, max_tokens=12)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=ENGINES.values(), ids=ENGINES.keys())
async def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subject]:
    factory: Factory = request.param
    async with factory(tmp_path_factory.mktemp("engine")) as subject:
        yield subject


def chat(text: str = "Question 1", sampling: Sampling = GREEDY) -> ChatRequest:
    return ChatRequest(model=NAME, messages=(Message("user", text),), sampling=sampling)


async def chunks_of(subject: Subject, request: ChatRequest) -> list[Chunk]:
    async with aclosing(subject.engine.stream(request)) as stream:
        return [chunk async for chunk in stream]


async def idle(subject: Subject) -> None:
    async def nothing_in_flight() -> bool:
        return await subject.in_flight() == 0

    await eventually(nothing_in_flight)


async def test_lists_its_model(subject: Subject) -> None:
    card = next(card for card in subject.engine.models() if card.id == NAME)
    assert (card.context_tokens, card.capabilities) == (CONTEXT_TOKENS, CAPABILITIES)


async def test_is_ready(subject: Subject) -> None:
    assert (await subject.engine.health()).ready


@pytest.mark.parametrize("n", [1, 3])
async def test_each_choice_ends_once_and_usage_comes_last(subject: Subject, n: int) -> None:
    chunks = await chunks_of(subject, chat(sampling=replace(GREEDY, n=n)))
    assert sorted(chunk.index for chunk in chunks if chunk.finish_reason) == list(range(n))
    *before, last = chunks
    assert last.usage is not None
    assert all(chunk.usage is None for chunk in before)
    assert last.usage.prompt_tokens > 0
    assert last.usage.completion_tokens == n * 12
    assert not last.usage.estimated
    assert {chunk.model for chunk in chunks} == {NAME}


async def test_nothing_follows_the_end_of_a_choice(subject: Subject) -> None:
    ended: set[int] = set()
    for chunk in await chunks_of(subject, chat(sampling=replace(GREEDY, n=2))):
        assert chunk.index not in ended or chunk.usage is not None
        if chunk.finish_reason:
            ended.add(chunk.index)


async def test_answers_in_several_chunks(subject: Subject) -> None:
    texts = [chunk.text for chunk in await chunks_of(subject, chat()) if chunk.text]
    assert len(texts) > 1  # the first at once; an engine may join those that follow it quickly


async def test_stops_at_max_tokens(subject: Subject) -> None:
    short = await complete(subject.engine, chat(sampling=replace(GREEDY, max_tokens=5)))
    long = await complete(subject.engine, chat())
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 5
    assert long.text.startswith(short.text.rstrip("\ufffd"))


async def test_continues_a_prompt(subject: Subject) -> None:
    request = ChatRequest(model=NAME, prompt="Text 2", sampling=GREEDY)
    completion = await complete(subject.engine, request)
    assert completion.text
    assert completion.choices[0].finish_reason == "length"


async def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(subject: Subject) -> None:
    whole = (await complete(subject.engine, chat(sampling=replace(GREEDY, max_tokens=40)))).text
    middle = len(whole) // 2
    stop = whole[middle : middle + 3]
    stopped = await complete(subject.engine, chat(sampling=replace(GREEDY, max_tokens=40, stop=("never", stop))))
    assert stopped.text == whole[: whole.index(stop)]
    assert (stopped.choices[0].finish_reason, stopped.choices[0].stop_string) in (("stop", stop), ("stop", None))


@pytest.mark.parametrize("request_", [chat(), ChatRequest(model=NAME, prompt="Text 2", sampling=GREEDY)])
async def test_a_prompt_has_as_many_tokens_as_it_is_paid_for(subject: Subject, request_: ChatRequest) -> None:
    tokens = await subject.engine.tokenize(request_)
    assert tokens.model == NAME
    assert tokens.count > 0
    if tokens.ids is not None:  # otherwise another server has them and does not tell
        usage = (await complete(subject.engine, request_)).usage
        assert tokens.count == len(tokens.ids) == usage.prompt_tokens
    with pytest.raises(ModelNotFound):
        await subject.engine.tokenize(replace(request_, model="nobody"))


async def test_greedy_answers_repeat(subject: Subject) -> None:
    one, other = [await complete(subject.engine, chat()) for _ in range(2)]
    assert one.choices == other.choices


async def test_concurrent_answers_equal_serial_ones(subject: Subject) -> None:
    requests = [chat(f"Question {number}") for number in range(8)]
    serial = [await complete(subject.engine, request) for request in requests]
    concurrent = await asyncio.gather(*(complete(subject.engine, request) for request in requests))
    assert [answer.text for answer in concurrent] == [answer.text for answer in serial]
    assert len({answer.text for answer in serial}) == 8


async def test_log_probabilities_come_with_tokens(subject: Subject) -> None:
    sampling = replace(GREEDY, logprobs=True, top_logprobs=1)
    choice = (await complete(subject.engine, chat(sampling=sampling))).choices[0]
    assert len(choice.logprobs) == 12
    for entry in choice.logprobs:
        assert entry.logprob <= 0
        assert entry.top == ((entry.token, entry.logprob),)  # greedy takes the likeliest


@pytest.mark.parametrize("fragment", ["nobody", ""])
async def test_an_unknown_model_is_not_found(subject: Subject, fragment: str) -> None:
    with pytest.raises(ModelNotFound, match=NAME) as caught:
        await complete(subject.engine, replace(chat(), model=fragment))
    assert caught.value.param == "model"
    with pytest.raises(ModelNotFound):
        await subject.engine.embed(EmbedRequest(model=fragment, texts=("a",)))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tools": (Tool("f"),)}, "tools"),
        ({"response_format": ResponseFormat("json_object")}, "response_format"),
        ({"messages": (), "prompt": "a", "suffix": "b"}, "suffix"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_by_name(
    subject: Subject, change: dict[str, object], param: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        await complete(subject.engine, replace(chat(), **change))  # type: ignore[arg-type]  # fields by name
    assert caught.value.param == param


@pytest.mark.parametrize("change", [{"messages": ()}, {"prompt": "a"}])
async def test_messages_or_prompt_but_not_both(subject: Subject, change: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        await complete(subject.engine, replace(chat(), **change))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    "request_",
    [
        chat("1 " + "long " * CONTEXT_TOKENS),
        chat(sampling=replace(GREEDY, max_tokens=CONTEXT_TOKENS)),
        ChatRequest(model=NAME, prompt="1 " + "long " * CONTEXT_TOKENS),
    ],
    ids=["messages", "messages plus answer", "prompt"],
)
async def test_what_does_not_fit_the_context_is_refused(subject: Subject, request_: ChatRequest) -> None:
    with pytest.raises(ContextLengthExceeded, match=str(CONTEXT_TOKENS)):
        await complete(subject.engine, request_)
    await idle(subject)


async def test_closing_the_stream_frees_its_slot(subject: Subject) -> None:
    for _ in range(5):  # more often than there are slots
        async with aclosing(subject.engine.stream(chat(sampling=Sampling(temperature=0)))) as stream:
            await anext(stream)
    assert (await complete(subject.engine, chat())).text
    await idle(subject)


async def test_cancelling_the_caller_frees_the_slot(subject: Subject) -> None:
    begun = asyncio.Event()

    async def caller() -> None:
        async with aclosing(subject.engine.stream(chat(sampling=Sampling(temperature=0)))) as chunks:
            async for _ in chunks:
                begun.set()
                await asyncio.Event().wait()  # in the middle of the answer, however fast the rest comes

    tasks = [asyncio.create_task(caller()) for _ in range(5)]
    await asyncio.wait_for(begun.wait(), 30)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 5, results
    assert (await complete(subject.engine, chat())).text
    await idle(subject)


async def test_a_deadline_that_has_passed_ends_the_request(subject: Subject) -> None:
    with pytest.raises(DeadlineExceeded):
        await complete(subject.engine, replace(chat(), deadline=time.time() - 1))
    await idle(subject)


async def test_a_deadline_far_away_changes_nothing(subject: Subject) -> None:
    hurried = await complete(subject.engine, replace(chat(), deadline=time.time() + 60))
    assert hurried.choices == (await complete(subject.engine, chat())).choices


async def test_vectors_have_unit_length_and_repeat(subject: Subject) -> None:
    request = EmbedRequest(model=NAME, texts=("def add(a, b):", "a cup of tea", "def add(a, b):"))
    first, second = await subject.engine.embed(request), await subject.engine.embed(request)
    assert first.vectors == second.vectors
    assert first.vectors[0] == pytest.approx(first.vectors[2], abs=1e-5)
    assert first.vectors[0] != pytest.approx(first.vectors[1], abs=1e-2)
    for vector in first.vectors:
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)
    assert first.usage.prompt_tokens > 3
    assert first.model == NAME


async def test_a_deadline_holds_for_embeddings_too(subject: Subject) -> None:
    request = EmbedRequest(model=NAME, texts=("a cup of tea",))
    with pytest.raises(DeadlineExceeded):
        await subject.engine.embed(replace(request, deadline=time.time() - 1))
    hurried = await subject.engine.embed(replace(request, deadline=time.time() + 60))
    assert hurried.vectors == (await subject.engine.embed(request)).vectors
    await idle(subject)


async def test_priority_changes_when_and_not_what_is_answered(subject: Subject) -> None:
    requests = [chat(f"Question {number}", replace(GREEDY, max_tokens=30)) for number in range(8)]
    expected = [(await complete(subject.engine, request)).choices for request in requests]
    mixed = [
        replace(request, priority="batch" if number < 5 else "interactive") for number, request in enumerate(requests)
    ]
    answers = await asyncio.gather(*(complete(subject.engine, request) for request in mixed))
    assert [answer.choices for answer in answers] == expected
    texts = EmbedRequest(model=NAME, texts=("a cup of tea",))
    patient = await subject.engine.embed(replace(texts, priority="batch"))
    assert patient.vectors == (await subject.engine.embed(texts)).vectors
    await idle(subject)


async def test_fewer_dimensions_are_normalised_again(subject: Subject) -> None:
    request = EmbedRequest(model=NAME, texts=("a cup of tea and a biscuit",), dimensions=8)
    (vector,) = (await subject.engine.embed(request)).vectors
    assert len(vector) == 8
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)


async def test_too_many_dimensions_and_empty_texts_are_refused(subject: Subject) -> None:
    with pytest.raises(InvalidRequest, match="dimensions"):
        await subject.engine.embed(EmbedRequest(model=NAME, texts=("a",), dimensions=100_000))
    with pytest.raises(InvalidRequest):
        await subject.engine.embed(EmbedRequest(model=NAME, texts=("a", "")))


@pytest.mark.parametrize("factory", ENGINES.values(), ids=ENGINES.keys())
async def test_closes_twice_and_then_answers_with_an_error(factory: Factory, tmp_path: Path) -> None:
    async with factory(tmp_path) as subject:
        engine = subject.engine
        await engine.close()
        await engine.close()
        health = await engine.health()
        try:
            await complete(engine, chat())
        except EngineError:
            assert not health.ready
