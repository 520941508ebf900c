"""Chat through the official OpenAI client."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.api.peers import Peer

QUESTION: list[Any] = [
    {"role": "user", "content": "Write a function `total(prices)` that returns the sum of the prices above ten."}
]


def ask(peer: Peer, **fields: Any) -> ChatCompletion:
    fields = {"messages": QUESTION, "max_completion_tokens": 16, "temperature": 0, **fields}
    answer: ChatCompletion = peer.openai.chat.completions.create(model=peer.model, **fields)
    return answer


def stream(peer: Peer, **fields: Any) -> list[ChatCompletionChunk]:
    fields = {"messages": QUESTION, "max_completion_tokens": 16, "temperature": 0, **fields}
    return list(peer.openai.chat.completions.create(model=peer.model, stream=True, **fields))


def said(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices if choice.index == index)


def test_an_answer_is_whole(text: Peer) -> None:
    answer = ask(text)
    (choice,) = answer.choices
    assert answer.object == "chat.completion"
    assert answer.id
    assert abs(answer.created - time.time()) < 60
    assert (choice.index, choice.message.role) == (0, "assistant")
    assert choice.message.content
    assert not choice.message.tool_calls
    assert choice.logprobs is None
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_answers_are_as_long_as_they_may_be(text: Peer, field: str) -> None:
    answer = text.openai.chat.completions.create(model=text.model, messages=QUESTION, temperature=0, **{field: 5})
    assert answer.usage.completion_tokens == 5
    assert answer.choices[0].finish_reason == "length"


def test_a_stream_adds_up_to_the_answer(text: Peer) -> None:
    assert said(stream(text)) == ask(text).choices[0].message.content


def test_a_stream_has_one_id_one_role_and_one_end(text: Peer) -> None:
    chunks = stream(text)
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, chunks[0].model, "chat.completion.chunk")
    }
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["length"]
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_its_usage_if_asked_to(text: Peer) -> None:
    *chunks, last = stream(text, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage
    assert (last.usage.completion_tokens, last.usage.total_tokens) == (16, last.usage.prompt_tokens + 16)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_is_server_sent_events_and_ends_with_done(text: Peer) -> None:
    body = {"model": text.model, "messages": QUESTION, "max_tokens": 3, "stream": True}
    with text.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line[6:])["object"] == "chat.completion.chunk" for line in lines[:-1])


def test_a_stream_helper_gives_the_whole_at_the_end(text: Peer) -> None:
    with text.openai.chat.completions.stream(
        model=text.model, messages=QUESTION, max_completion_tokens=400, temperature=0
    ) as events:
        kinds = {event.type for event in events}
        final = events.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == ask(text, max_completion_tokens=400).choices[0].message.content


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_come_first(text: Peer, role: str) -> None:
    plain = ask(text).usage
    told = ask(text, messages=[{"role": role, "content": "You write Python."}, *QUESTION]).usage
    assert plain
    assert told
    assert told.prompt_tokens > plain.prompt_tokens


def test_a_conversation_goes_on(text: Peer) -> None:
    first = ask(text).choices[0].message
    again = ask(text, messages=[*QUESTION, first, {"role": "user", "content": "Now subtract."}])
    assert again.choices[0].message.content


def test_content_may_come_in_parts(text: Peer) -> None:
    whole = QUESTION[0]["content"]
    parts = [{"type": "text", "text": piece} for piece in (whole[:20], whole[20:])]
    assert ask(text, messages=[{"role": "user", "content": parts}]).choices[0].message == ask(text).choices[0].message


def test_every_script_arrives_and_is_counted(text: Peer) -> None:
    answer = ask(text, messages=[{"role": "user", "content": "Grüße 你好 🎉 \u202e ñ"}])
    assert answer.usage
    assert answer.usage.prompt_tokens > 10


@pytest.mark.parametrize(
    "labels",
    [
        {"user": "u1"},
        {"metadata": {"ticket": "7"}},
        {"safety_identifier": "s"},
        {"prompt_cache_key": "k"},
        {"store": False},
        {"modalities": ["text"]},
    ],
    ids=lambda labels: next(iter(labels)),
)
def test_labels_change_nothing(text: Peer, labels: dict[str, Any]) -> None:
    assert ask(text, **labels).choices[0].message == ask(text).choices[0].message


def test_an_answer_that_may_be_slow(text: Peer) -> None:
    assert ask(text, service_tier="flex").service_tier == "flex"


def test_many_at_once(text: Peer) -> None:
    async def all_at_once() -> list[ChatCompletion]:
        async with openai.AsyncOpenAI(
            base_url=f"{text.url}/v1", api_key=text.key, max_retries=0, _strict_response_validation=True
        ) as client:
            return await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=text.model, messages=QUESTION, max_completion_tokens=8, temperature=0
                    )
                    for _ in range(8)
                )
            )

    assert {answer.choices[0].message.content for answer in asyncio.run(all_at_once())} == {
        ask(text, max_completion_tokens=8).choices[0].message.content
    }


def test_every_answer_has_an_id_for_the_log(text: Peer) -> None:
    ids = {ask(text, max_completion_tokens=1)._request_id for _ in range(2)}
    assert len(ids) == 2
    assert None not in ids


def test_raw_answers_can_be_read_as_they_come(text: Peer) -> None:
    with text.openai.chat.completions.with_streaming_response.create(
        model=text.model, messages=QUESTION, max_completion_tokens=4
    ) as raw:
        assert raw.headers["content-type"] == "application/json"
        assert raw.parse().choices
