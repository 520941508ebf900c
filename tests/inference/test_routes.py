"""The OpenAI routes over a real socket, mostly through OpenAI's own client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
from fastapi import FastAPI, HTTPException
from openai.types.chat import ChatCompletionMessageParam

from inference.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    RateLimited,
)
from inference.openai.routes import engine_router
from inference.protocol import Chunk, TokenLogprob, ToolCallDelta, Usage
from tests.inference.played import Item, PlayedEngine, http_of
from tests.inference.serving import CALLER, app_for, caller, serve

ANSWER = (
    Chunk("Hel", model="concrete", route="cheapest"),
    Chunk("lo", model="concrete"),
    Chunk(finish_reason="stop", model="concrete"),
    Chunk(model="concrete", usage=Usage(5, 2, 1)),
)
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
CHAT = {"model": "played", "messages": MESSAGES}


@asynccontextmanager
async def client_of(*items: Item, strict: bool = True) -> AsyncIterator[tuple[openai.AsyncOpenAI, PlayedEngine]]:
    engine = PlayedEngine(*items)
    async with (
        serve(app_for(engine)) as url,
        openai.AsyncOpenAI(
            base_url=f"{url}/v1",
            api_key="k",
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(verify=False),
            _strict_response_validation=strict,
        ) as client,
    ):
        yield client, engine


async def test_a_whole_chat_answer() -> None:
    async with client_of(*ANSWER) as (client, engine):
        raw = await client.chat.completions.with_raw_response.create(model="played", messages=MESSAGES, temperature=0.5)
        answer = raw.parse()
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello", "stop")
    assert answer.model == "concrete"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 2, 7)
    assert raw.headers["x-bailey-route"] == "cheapest"
    (request,) = engine.requests
    assert raw.headers["x-request-id"] == request.request_id
    assert (request.caller, request.sampling.temperature) == (CALLER, 0.5)


async def test_a_streamed_chat_answer_with_usage() -> None:
    async with client_of(*ANSWER) as (client, _):
        stream = await client.chat.completions.create(
            model="played",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
        events = [event async for event in stream]
    assert [event.choices[0].delta.content for event in events[:2]] == ["Hel", "lo"]
    assert events[0].choices[0].delta.role == "assistant"
    assert [event.choices[0].finish_reason for event in events[:3]] == [None, None, "stop"]
    assert (events[3].choices, events[3].usage is not None) == ([], True)
    assert {event.model for event in events} == {"concrete"}


@pytest.mark.parametrize(("asked", "served"), [("flex", "flex"), ("auto", "default"), ("priority", "default")])
async def test_an_answer_names_the_tier_if_the_request_does(asked: str, served: str) -> None:
    tier = {"service_tier": asked}
    async with http_of(*ANSWER) as (client, engine):
        whole = [
            await client.post("/v1/chat/completions", json={**CHAT, **tier}),
            await client.post("/v1/completions", json={"model": "played", "prompt": "a", **tier}),
            await client.post("/v1/embeddings", json={"model": "played", "input": "a", **tier}),
        ]
        stream = await client.post("/v1/chat/completions", json={**CHAT, **tier, "stream": True})
        silent = await client.post("/v1/chat/completions", json=CHAT)
    assert [answer.json()["service_tier"] for answer in whole] == [served] * 3
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: {")]
    assert [event["service_tier"] for event in events] == [served] * 3
    assert "service_tier" not in silent.json()
    expected = "batch" if asked == "flex" else "interactive"
    assert [request.priority for request in engine.requests] == [expected] * 3 + ["interactive"]


async def test_a_stream_ends_with_done_and_has_usage_only_on_request() -> None:
    async with http_of(*ANSWER) as (client, _):
        answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-bailey-route"] == "cheapest"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "usage" not in answer.text


async def test_a_route_cannot_break_out_of_its_header() -> None:
    async with http_of(Chunk("x", route="a\r\nset-cookie: b\u20ac"), *ANSWER[1:]) as (client, _):
        answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["x-bailey-route"] == "a??set-cookie: b?"


async def test_plain_completions_whole_and_streamed() -> None:
    async with client_of(*ANSWER, strict=False) as (client, engine):  # its type of a piece has no null reason
        whole = await client.completions.create(model="played", prompt="a", suffix="b", max_tokens=9)
        stream = await client.completions.create(model="played", prompt="a", stream=True)
        pieces = [event.choices[0].text async for event in stream]
    assert whole.choices[0].text == "".join(pieces) == "Hello"
    assert (engine.requests[0].suffix, engine.requests[0].sampling.max_tokens) == ("b", 9)


async def test_tool_calls_arrive_whole_and_in_pieces() -> None:
    calls = (
        Chunk(tool_calls=(ToolCallDelta(0, "call_1", "look_up", '{"q": '),), model="m"),
        Chunk(tool_calls=(ToolCallDelta(0, arguments="1}"), ToolCallDelta(1, "call_2", "other")), model="m"),
        Chunk(finish_reason="tool_calls", model="m"),
        Chunk(usage=Usage(1, 1), model="m"),
    )
    async with client_of(*calls) as (client, _):
        whole = await client.chat.completions.create(model="played", messages=MESSAGES)
        stream = await client.chat.completions.create(model="played", messages=MESSAGES, stream=True)
        deltas = [event.choices[0].delta async for event in stream]
    message = whole.choices[0].message
    assert message.content is None
    assert message.tool_calls is not None
    functions = [call.function for call in message.tool_calls if call.type == "function"]
    assert [(each.name, each.arguments) for each in functions] == [("look_up", '{"q": 1}'), ("other", "")]
    pieces = [call for delta in deltas for call in delta.tool_calls or []]
    assert [(call.index, call.id) for call in pieces] == [(0, "call_1"), (0, None), (1, "call_2")]


async def test_log_probabilities_arrive() -> None:
    entry = TokenLogprob("é", -0.5, (("é", -0.5), ("e", -1.0)))
    async with client_of(Chunk("é", logprobs=(entry,), model="m"), *ANSWER[2:]) as (client, _):
        chat = await client.chat.completions.create(model="played", messages=MESSAGES, logprobs=True, top_logprobs=2)
        text = await client.completions.create(model="played", prompt="a", logprobs=2)
    assert chat.choices[0].logprobs is not None
    assert chat.choices[0].logprobs.content is not None
    assert chat.choices[0].logprobs.content[0].bytes == [0xC3, 0xA9]
    assert text.choices[0].logprobs is not None
    assert text.choices[0].logprobs.top_logprobs == [{"é": -0.5, "e": -1.0}]


async def test_models_are_listed_and_found() -> None:
    async with client_of() as (client, _):
        assert [model.id async for model in client.models.list()] == ["played"]
        assert (await client.models.retrieve("played")).owned_by == "bailey"
        with pytest.raises(openai.NotFoundError, match="played"):
            await client.models.retrieve("org/other")


async def test_embeddings_as_numbers_and_as_base64() -> None:
    async with client_of(strict=False) as (client, _), http_of() as (plain, _):  # its type has no base64
        decoded = await client.embeddings.create(model="played", input=["a", "b"])  # the client asks for base64
        numbers = (await plain.post("/v1/embeddings", json={"model": "played", "input": "a"})).json()
    assert [entry.embedding for entry in decoded.data] == [pytest.approx([0.6, 0.8])] * 2
    assert numbers["data"][0]["embedding"] == [0.6, 0.8]
    assert numbers["usage"]["total_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ContextLengthExceeded("Too long.", param="messages"), openai.BadRequestError),
        (RateLimited("Slow down.", retry_after_seconds=6.2), openai.RateLimitError),
        (EngineUnavailable("Loading."), openai.InternalServerError),
    ],
)
async def test_errors_before_the_first_chunk_have_their_status(
    error: ContextLengthExceeded, expected: type[openai.APIStatusError], stream: bool
) -> None:
    async with client_of(error) as (client, engine):
        with pytest.raises(expected) as caught:
            await client.chat.completions.create(model="played", messages=MESSAGES, stream=stream)
    assert caught.value.body == {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    assert caught.value.response.status_code == error.status
    assert caught.value.response.headers["x-request-id"] == engine.requests[0].request_id
    assert caught.value.response.headers.get("retry-after") == ("7" if error.retry_after_seconds else None)


async def test_an_error_after_the_first_chunk_is_one_event_without_done() -> None:
    async with http_of(ANSWER[0], EngineUnavailable("The engine died.")) as (client, _):
        answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    *_, last = answer.text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "The engine died."
    assert "[DONE]" not in answer.text
    async with client_of(ANSWER[0], EngineUnavailable("The engine died.")) as (official, _):
        stream = await official.chat.completions.create(model="played", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="The engine died"):
            _ = [event async for event in stream]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not valid JSON"),
        (b"", "JSON object"),
        (b"[]", "JSON object"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"model": ' + b"[" * 100_000, "not valid JSON"),
        (b'{"model": "played"}', "'messages' is missing"),
        (b'{"model": "played", "messages": [{"role": "user", "content": "\\ud800"}]}', "surrogate"),
    ],
)
async def test_bad_bodies_get_one_sentence(body: bytes, sentence: str) -> None:
    async with http_of(*ANSWER) as (client, engine):
        answer = await client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]
    assert "x-request-id" in answer.headers
    assert not engine.requests


async def test_a_body_of_another_type_gets_a_sentence() -> None:
    async with http_of(*ANSWER) as (client, _):
        answer = await client.post("/v1/embeddings", content=b"model=played")
    assert (answer.status_code, "application/json" in answer.json()["error"]["message"]) == (400, True)


async def test_an_engine_that_says_nothing_is_an_error() -> None:
    async with http_of() as (client, _):
        for stream in (False, True):
            answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "engine_error")


async def test_the_callers_dependency_may_refuse() -> None:
    async def refuse() -> None:
        raise HTTPException(401, "no key")

    app = FastAPI()
    app.include_router(engine_router(PlayedEngine(*ANSWER), refuse))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
        answers = [
            await client.get("/v1/models"),
            await client.get("/v1/models/played"),
            await client.post("/v1/chat/completions", json=CHAT),
            await client.post("/v1/completions", json={"model": "played", "prompt": "a"}),
            await client.post("/v1/embeddings", json={"model": "played", "input": "a"}),
        ]
    assert [answer.status_code for answer in answers] == [401] * 5


def test_the_openapi_document_tells_the_truth() -> None:
    app = FastAPI()
    app.include_router(engine_router(PlayedEngine(), caller))
    document = app.openapi()
    paths = document["paths"]
    assert set(paths) == {
        "/v1/models",
        "/v1/models/{model_id}",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/tokenize",
    }
    for operations in paths.values():
        for operation in operations.values():
            assert set(operation["responses"]) == {"200", "4XX", "5XX"}  # no 422: wrong bodies get 400
            error = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ErrorBody"}
    chat = paths["/v1/chat/completions"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatBody"}
    assert set(chat["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
