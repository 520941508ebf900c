"""The engine against servers that refuse, break off, are slow or overloaded, as Anthropic's documentation has them."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse

from inference.anthropic.client import AnthropicEngine
from inference.collect import complete
from inference.engines import Resources, build_engine
from inference.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    UnsupportedParameter,
)
from inference.protocol import Message, ResponseFormat, Sampling
from inference.weights import WeightsStore
from tests.inference.anthropic_client.servers import ASK, KEY, STREAMS, engine_at, failed, played, spec
from tests.inference.serving import eventually

TEXT = played(STREAMS["text"])
BEGINNING = STREAMS["text"].split(b"event: content_block_stop")[0]
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


async def test_asks_under_the_far_name_with_key_version_and_request_id() -> None:
    async with engine_at(TEXT, headers={"anthropic-beta": "context-1m"}) as (engine, far):
        completion = await complete(engine, ASK)
        assert (await engine.health()).ready
    assert completion.model == "far"
    (path, headers, body), (health, health_headers, _) = far.asked
    assert (path, health) == ("/v1/messages", "/v1/models")
    assert (body["model"], body["max_tokens"], body["stream"]) == ("claude-opus-4-8", 64, True)
    for each in (headers, health_headers):
        assert (each["x-api-key"], each["anthropic-version"]) == (KEY, "2023-06-01")
        assert each["anthropic-beta"] == "context-1m"
    assert headers["x-client-request-id"] == "req_7"


async def test_a_wrong_key_is_told_without_showing_it() -> None:
    async with engine_at(TEXT, key="wrong") as (engine, _):
        with pytest.raises(AuthenticationFailed, match="FAR_KEY") as caught:
            await complete(engine, ASK)
    assert KEY not in str(caught.value)
    assert not caught.value.retryable


async def test_the_entry_says_what_else_is_sent_and_what_is_not() -> None:
    extra = {"output_config": {"effort": "low"}, "inference_geo": "eu"}
    fields: dict[str, Any] = {"extra_body": extra, "drop_parameters": ["temperature", "seed"], "prompt_cache": True}
    schema = ResponseFormat("json_schema", schema={"type": "object"})
    messages = (Message("system", "Be brief."), *ASK.messages)
    request = replace(ASK, messages=messages, response_format=schema, sampling=Sampling(temperature=0, seed=3))
    async with engine_at(TEXT, **fields) as (engine, far):
        await complete(engine, request)
    body = far.asked[0][2]
    assert body["output_config"].keys() == {"effort", "format"}
    assert body["inference_geo"] == "eu"
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert not body.keys() & {"temperature", "seed"}


@pytest.mark.parametrize(
    ("status", "kind", "message", "error", "retryable"),
    [
        (400, "invalid_request_error", "stop_sequences: too many", InvalidRequest, False),
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ContextLengthExceeded, False),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 7 + 4 > 8",
            ContextLengthExceeded,
            False,
        ),
        (401, "authentication_error", f"invalid x-api-key {KEY}", AuthenticationFailed, False),
        (402, "billing_error", "payment", RateLimited, True),
        (403, "permission_error", "not yours", AuthenticationFailed, False),
        (404, "not_found_error", "model: claude-opus-4-8", ModelNotFound, False),
        (409, "conflict_error", "in use", EngineUnavailable, True),
        (413, "request_too_large", "Request exceeds the maximum size", InvalidRequest, False),
        (429, "rate_limit_error", "too fast", RateLimited, True),
        (500, "api_error", f"with {KEY} something broke", EngineUnavailable, True),
        (504, "timeout_error", "took too long", EngineUnavailable, True),
        (529, "overloaded_error", "Overloaded", EngineUnavailable, True),
    ],
)
async def test_errors_become_engine_errors(
    status: int, kind: str, message: str, error: type[EngineError], retryable: bool
) -> None:
    async with engine_at(lambda: failed(status, kind, message, {"retry-after": "9"})) as (engine, far):
        with pytest.raises(EngineError) as caught:
            await complete(engine, ASK)
    assert (type(caught.value), caught.value.retryable) == (error, retryable)
    if error is not ContextLengthExceeded:
        assert caught.value.retry_after_seconds == 9
    assert KEY not in caught.value.message
    assert len(far.asked) == 1  # nothing was tried again


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", EngineUnavailable),
        ("rate_limit_error", RateLimited),
        ("api_error", EngineUnavailable),
        ("invalid_request_error", InvalidRequest),
        ("an error of tomorrow", EngineUnavailable),
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_raised_after_what_came(
    kind: str, error: type[EngineError]
) -> None:
    stream = STREAMS["overloaded"].replace(b"overloaded_error", kind.encode())
    came: list[str] = []
    async with engine_at(played(stream, 50)) as (engine, _):
        with pytest.raises(EngineError, match="Overloaded") as caught:
            async for chunk in engine.stream(ASK):
                came.append(chunk.text)
    assert (type(caught.value), came) == (error, ["Halfway"])


async def test_a_stream_that_breaks_off_is_an_error() -> None:
    async with engine_at(played(BEGINNING)) as (engine, _):
        with pytest.raises(EngineUnavailable, match="before the answer was complete"):
            await complete(engine, ASK)


async def test_a_missing_end_is_forgiven_when_the_answer_is_complete() -> None:
    async with engine_at(played(STREAMS["text"].split(b"event: message_stop")[0].rstrip())) as (engine, _):
        assert (await complete(engine, ASK)).usage.completion_tokens == 15


async def test_nothing_is_waited_for_after_the_end() -> None:
    gate = asyncio.Event()
    async with engine_at(played(STREAMS["text"], gate=gate), between_tokens_timeout_seconds=600) as (engine, _):
        async with asyncio.timeout(30):
            assert (await complete(engine, ASK)).choices[0].finish_reason == "stop"
        gate.set()


@pytest.mark.parametrize(("stream", "what"), [(PING * 5, "first token"), (BEGINNING + PING * 5, "next token")])
async def test_a_sign_of_life_is_no_token(stream: bytes, what: str) -> None:
    gate = asyncio.Event()
    first = 0.1 if what == "first token" else 30.0
    limits: dict[str, Any] = {"first_token_timeout_seconds": first, "between_tokens_timeout_seconds": 0.1}
    async with engine_at(played(stream, gate=gate), **limits) as (engine, _):
        with pytest.raises(EngineUnavailable, match=rf"{what} within 0\.1 seconds"):
            await complete(engine, ASK)
        gate.set()


async def test_a_deadline_in_the_middle_of_an_answer_ends_it() -> None:
    gate = asyncio.Event()
    async with engine_at(played(BEGINNING, gate=gate)) as (engine, _):
        with pytest.raises(DeadlineExceeded):
            await complete(engine, replace(ASK, deadline=time.time() + 0.1))
        gate.set()


async def test_leaving_closes_the_connection() -> None:
    left = asyncio.Event()

    def answer() -> Any:
        response = played(BEGINNING, gate=asyncio.Event())()
        pieces = response.body_iterator  # type: ignore[attr-defined]  # it streams

        async def watched() -> Any:
            try:
                async for piece in pieces:
                    yield piece
            finally:
                left.set()

        response.body_iterator = watched()  # type: ignore[attr-defined]
        return response

    async def noticed() -> bool:
        return left.is_set()

    async with engine_at(answer) as (engine, _):
        async with aclosing(engine.stream(ASK)) as chunks:
            await anext(chunks)
        await eventually(noticed)


async def test_tokens_are_counted_at_the_other_end_with_what_the_prompt_has() -> None:
    async with engine_at(lambda: JSONResponse({"input_tokens": 14})) as (engine, far):
        tokens = await engine.tokenize(replace(ASK, sampling=Sampling(temperature=0, seed=1, max_tokens=5)))
    assert (tokens.count, tokens.ids, tokens.model) == (14, None, "far")
    (path, _, body), *_ = far.asked
    assert (path, body.keys()) == ("/v1/messages/count_tokens", {"model", "messages"})


async def test_while_nobody_counts_it_is_an_estimate() -> None:
    async with engine_at(lambda: failed(429, "rate_limit_error", "too fast")) as (engine, _):
        assert (await engine.tokenize(ASK)).count == 3
    async with engine_at(lambda: failed(404, "not_found_error", "model")) as (engine, _):
        with pytest.raises(ModelNotFound):
            await engine.tokenize(ASK)
    async with engine_at(lambda: JSONResponse({"tokens": 14})) as (engine, _):
        assert (await engine.tokenize(ASK)).count == 3


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"capabilities": ["chat", "completion", "embeddings"]}, "no completion, embeddings"),
        ({"max_tokens": None}, "max_tokens"),
        ({"headers": {"X-Api-Key": "sk"}}, "looks like a secret"),
        ({"headers": {"anthropic-version": "1"}}, "set by the engine itself"),
        ({"extra_body": {"temperature": 0}}, "requests say themselves"),
        ({"drop_parameters": ["stop"]}, "drop_parameters"),
    ],
)
def test_what_an_entry_cannot_say(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        spec(**fields)


async def test_is_built_from_its_entry_with_the_key_from_the_environment(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path)
    engine = await build_engine(spec(), Resources(store, tmp_path, {"FAR_KEY": KEY}))
    assert isinstance(engine, AnthropicEngine)
    await engine.close()
    with pytest.raises(AuthenticationFailed, match="FAR_KEY"):
        await build_engine(spec(), Resources(store, tmp_path))


async def test_the_same_parameter_is_refused_unless_it_may_be_dropped() -> None:
    seeded = replace(ASK, sampling=Sampling(seed=3))
    async with engine_at(TEXT) as (engine, far):
        with pytest.raises(UnsupportedParameter, match="'seed'"):
            await complete(engine, seeded)
        assert not far.asked
