"""The HTTP engine against servers that are slow, broken, sloppy or hostile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inference.catalog import HttpModel
from inference.collect import complete
from inference.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    ModelNotFound,
    RateLimited,
)
from inference.http import HttpEngine
from inference.protocol import ChatRequest, EmbedRequest, Message, Sampling, Usage
from tests.inference.serving import serve

KEY = "sk-very-secret-123"
ASK = ChatRequest("far", messages=(Message("user", "what is this?"),), request_id="req_7")
Answer = Callable[[], Response]


def piece(text: str = "", finish_reason: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish_reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"


class Far:
    """A server that gives every POST the same answer, and remembers what it was asked."""

    def __init__(self, answer: Answer, models: Answer) -> None:
        self._answers = {"POST": answer, "GET": models}
        self.bodies: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self.gets = 0

    async def reply(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if request.method == "POST":
            self.bodies.append((request.url.path, await request.json()))
        else:
            self.gets += 1
        return self._answers[request.method]()


@asynccontextmanager
async def engine_at(
    answer: Answer, models: Answer = lambda: JSONResponse({}), **fields: Any
) -> AsyncIterator[tuple[HttpEngine, Far]]:
    far = Far(answer, models)
    app = Starlette(routes=[Route("/{path:path}", far.reply, methods=["GET", "POST"])])
    async with serve(app) as url:
        engine = HttpEngine(spec(f"{url}/v1", **fields), KEY)
        try:
            yield engine, far
        finally:
            await engine.close()


def spec(url: str, **fields: Any) -> HttpModel:
    defaults: dict[str, Any] = {
        "engine": "http",
        "name": "far",
        "model": "far-large",
        "tier": "premium",
        "context_tokens": 1000,
        "capabilities": ["chat", "completion", "embeddings"],
        "api_key_env": "FAR_KEY",
    }
    return HttpModel.model_validate({**defaults, "url": url, **fields})


def stream_of(*pieces: bytes | asyncio.Event) -> Answer:
    async def body() -> AsyncIterator[bytes]:
        for each in pieces:
            if isinstance(each, asyncio.Event):
                await each.wait()
            else:
                yield each

    return lambda: StreamingResponse(body(), media_type="text/event-stream")


async def test_asks_under_the_far_name_with_key_and_request_id() -> None:
    async with engine_at(stream_of(piece("a"), piece("", "stop"), USAGE, DONE)) as (engine, far):
        completion = await complete(engine, ASK)
    assert (completion.text, completion.model, completion.usage) == ("a", "far", Usage(9, 2))
    ((path, body),) = far.bodies
    assert (path, body["model"], body["stream"]) == ("/v1/chat/completions", "far-large", True)
    assert far.headers[0]["authorization"] == f"Bearer {KEY}"
    assert far.headers[0]["x-client-request-id"] == "req_7"


async def test_only_what_differs_from_the_defaults_is_sent() -> None:
    async with engine_at(stream_of(piece("", "stop"), DONE)) as (engine, far):
        await complete(engine, ASK)
        await complete(engine, ChatRequest("far", messages=ASK.messages, sampling=Sampling(temperature=0, seed=4)))
    assert set(far.bodies[0][1]) == {"model", "stream", "stream_options", "messages"}
    assert set(far.bodies[1][1]) - set(far.bodies[0][1]) == {"temperature", "seed"}


async def test_without_usage_the_count_is_an_estimate_and_says_so() -> None:
    async with engine_at(stream_of(piece("four"), piece("more than one token"), piece("", "stop"), DONE)) as (
        engine,
        _,
    ):
        usage = (await complete(engine, ASK)).usage
    assert usage == Usage(prompt_tokens=3, completion_tokens=5, estimated=True)


async def test_usage_with_every_event_counts_once() -> None:
    def event(content: str, tokens: int, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
        usage = {"prompt_tokens": 4, "completion_tokens": tokens}
        return f"data: {json.dumps({'choices': [choice], 'usage': usage})}\n\n".encode()

    async with engine_at(stream_of(event("a", 1, None), event("b", 2, "stop"), DONE)) as (engine, _):
        chunks = [chunk async for chunk in engine.stream(ASK)]
    assert [chunk.usage for chunk in chunks] == [None, None, Usage(4, 2)]


async def test_a_missing_done_is_forgiven_when_every_choice_has_ended() -> None:
    async with engine_at(stream_of(piece("a"), piece("", "length"), USAGE.rstrip())) as (engine, _):
        completion = await complete(engine, ASK)
    assert (completion.choices[0].finish_reason, completion.usage) == ("length", Usage(9, 2))


@pytest.mark.parametrize("end", [(), (DONE,)], ids=["cut", "done"])
async def test_an_answer_that_breaks_off_is_an_error(end: tuple[bytes, ...]) -> None:
    async with engine_at(stream_of(piece("a", "stop", 0), piece("b", None, 1), *end)) as (engine, _):
        with pytest.raises(EngineUnavailable, match="before the answer was complete"):
            await complete(engine, ChatRequest("far", messages=ASK.messages, sampling=Sampling(n=2)))


async def test_pieces_after_the_end_of_a_choice_are_dropped() -> None:
    async with engine_at(stream_of(piece("a", "stop"), piece("late"), piece("", "stop"), DONE)) as (engine, _):
        assert (await complete(engine, ASK)).text == "a"


async def test_an_error_event_in_a_stream_is_raised() -> None:
    error = b'data: {"error": {"message": "overloaded", "code": 429}}\n\n'
    async with engine_at(stream_of(piece("a"), error, DONE)) as (engine, _):
        with pytest.raises(RateLimited, match="overloaded"):
            await complete(engine, ASK)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "m", "code": "context_length_exceeded"}}, ContextLengthExceeded),
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, AuthenticationFailed),
        (404, {"error": {"message": f"no such model for {KEY}"}}, ModelNotFound),
        (429, {"error": {"message": "m"}}, RateLimited),
        (500, {"error": {"message": f"trace with {KEY}"}}, EngineUnavailable),
        (307, {}, EngineUnavailable),
    ],
)
async def test_error_statuses_become_engine_errors_without_the_key(
    status: int, body: object, kind: type[EngineError]
) -> None:
    headers = {"retry-after": "9", "location": "http://127.0.0.1:1/"}
    async with engine_at(lambda: JSONResponse(body, status, headers)) as (engine, far):
        with pytest.raises(EngineError) as caught:
            await complete(engine, ASK)
        with pytest.raises(kind):
            await engine.embed(EmbedRequest("far", ("a",)))
    assert type(caught.value) is kind
    assert caught.value.retry_after_seconds == 9
    assert KEY not in caught.value.message
    assert len(far.bodies) == 2  # nothing was tried again


async def test_an_endless_error_body_is_not_read_to_its_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 10_000

    async with engine_at(lambda: StreamingResponse(endless(), 503)) as (engine, _):
        with pytest.raises(EngineUnavailable):
            await complete(engine, ASK)


async def test_an_answer_that_is_no_stream_is_an_error() -> None:
    async with engine_at(lambda: JSONResponse({"choices": [{"message": {"content": "a"}}]})) as (engine, _):
        with pytest.raises(EngineUnavailable):
            await complete(engine, ASK)


async def test_nobody_listens() -> None:
    engine = HttpEngine(spec("http://127.0.0.1:9/v1"), KEY)
    with pytest.raises(EngineUnavailable, match="ClientConnectorError"):
        await complete(engine, ASK)
    assert not (await engine.health()).ready
    await engine.close()


async def test_a_late_first_token_and_a_late_next_token_are_told_apart() -> None:
    never = asyncio.Event()
    async with engine_at(stream_of(never), first_token_timeout_seconds=0.05) as (engine, _):
        with pytest.raises(EngineUnavailable, match=r"first token within 0\.05 seconds"):
            await complete(engine, ASK)
        never.set()
    never = asyncio.Event()
    comments = [b": still here\n\n"] * 3
    async with engine_at(stream_of(piece("a"), *comments, never), between_tokens_timeout_seconds=0.05) as (engine, _):
        with pytest.raises(EngineUnavailable, match=r"next token within 0\.05 seconds"):
            await complete(engine, ASK)
        never.set()


async def test_a_deadline_in_the_middle_of_an_answer_ends_it() -> None:
    never = asyncio.Event()
    async with engine_at(stream_of(piece("a"), never)) as (engine, _):
        with pytest.raises(DeadlineExceeded):
            await complete(engine, ChatRequest("far", messages=ASK.messages, deadline=time.time() + 0.1))
        with pytest.raises(DeadlineExceeded):
            await engine.embed(EmbedRequest("far", ("a",), deadline=time.time() + 0.1))
        never.set()


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0]], [[1.0], [1.0, 2.0]], ["AAAA", "AAAA"]],
    ids=["none", "too few", "ragged", "base64"],
)
async def test_embeddings_that_do_not_fit_the_texts_are_an_error(vectors: list[object]) -> None:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    async with engine_at(lambda: JSONResponse({"data": data})) as (engine, _):
        with pytest.raises(EngineUnavailable):
            await engine.embed(EmbedRequest("far", ("a", "b")))


async def test_embeddings_are_sorted_normalised_and_counted() -> None:
    data = [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 4.0]}]
    async with engine_at(lambda: JSONResponse({"data": data})) as (engine, _):
        embeddings = await engine.embed(EmbedRequest("far", ("four", "more")))
    assert embeddings.vectors[0] == pytest.approx((0.6, 0.8))
    assert embeddings.vectors[1] == (0.0, 1.0)
    assert embeddings.usage == Usage(prompt_tokens=2, estimated=True)


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (404, True), (401, False), (403, False), (500, False), (503, False)]
)
async def test_health_asks_for_the_models_and_remembers(
    status: int, ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.upstream.HEALTH_TIMEOUT_SECONDS", 60.0)  # on a busy machine nobody has to be quick
    async with engine_at(lambda: Response(), lambda: Response(KEY, status)) as (engine, far):
        first, second = await engine.health(), await engine.health()
    assert first == second
    assert first.ready == ready
    assert KEY not in first.detail
    assert far.gets == 1


@pytest.mark.parametrize("key", ["line\nbreak", "schlüssel"])
def test_a_key_that_is_no_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(EngineError, match="FAR_KEY") as caught:
        HttpEngine(spec("http://127.0.0.1:9/v1"), key)
    assert key not in str(caught.value)


async def test_connections_are_used_again() -> None:
    connections: set[object] = set()

    async def answer(request: Request) -> Response:
        connections.add(request.client)
        return stream_of(piece("", "stop"), DONE)()

    async with serve(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as url:
        engine = HttpEngine(spec(f"{url}/v1"))
        for _ in range(3):
            await complete(engine, ASK)
        await engine.close()
    assert len(connections) == 1
