"""Refusals: the right status, the right shape for each format, and a sentence that names what is at fault."""

from __future__ import annotations

import threading
import time
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.api.peers import Peer

TALK: list[Any] = [{"role": "user", "content": "hi"}]
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": TALK},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/responses": {"input": "hi"},
    "/v1/messages": {"messages": TALK, "max_tokens": 5},
    "/v1/messages/count_tokens": {"messages": TALK},
    "/v1/tokenize": {"prompt": "hi"},
}


def post(peer: Peer, path: str, **rest: Any) -> httpx.Response:
    return peer.http.post(path, **rest)


def check_shape(path: str, answer: httpx.Response) -> dict[str, Any]:
    """The error, which has the shape of the path's format and the request's id."""
    body = answer.json()
    assert answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    if path.startswith("/v1/messages"):
        assert (body["type"], body["request_id"]) == ("error", answer.headers["request-id"])
        assert set(error) == {"type", "message"}
    else:
        assert set(body) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith(".")
    return error


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("authorization", [{}, {"authorization": "Bearer wrong"}], ids=["no key", "a wrong key"])
def test_who_has_no_key_is_told_so(text: Peer, path: str, authorization: dict[str, str]) -> None:
    body = {"model": text.model, **PATHS[path]}
    answer = httpx.post(f"{text.url}{path}", json=body, headers=authorization)
    assert answer.status_code == 401
    assert check_shape(path, answer)["type"] == "authentication_error"


def test_an_anthropic_key_comes_in_its_own_header(text: Peer) -> None:
    body = {"model": text.model, **PATHS["/v1/messages"]}
    answer = httpx.post(f"{text.url}/v1/messages", json=body, headers={"x-api-key": text.key}, timeout=30)
    assert answer.status_code == 200


def test_the_clients_know_their_errors(text: Peer) -> None:
    with (
        openai.OpenAI(base_url=f"{text.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model=text.model, messages=TALK)
    with (
        anthropic.Anthropic(base_url=text.url, api_key="wrong", max_retries=0) as client_,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client_.messages.create(model=text.model, messages=TALK, max_tokens=5)


@pytest.mark.parametrize("path", PATHS)
def test_a_model_that_does_not_exist(text: Peer, path: str) -> None:
    answer = post(text, path, json={"model": "gpt-17", **PATHS[path]})
    assert answer.status_code == 404
    error = check_shape(path, answer)
    assert "'gpt-17'" in error["message"]
    if not path.startswith("/v1/messages"):
        assert (error["code"], error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("path", PATHS)
def test_a_field_that_is_unknown_is_named(text: Peer, path: str) -> None:
    answer = post(text, path, json={"model": text.model, **PATHS[path], "colour": "red"})
    assert answer.status_code == 400
    error = check_shape(path, answer)
    assert "'colour'" in error["message"]
    if not path.startswith("/v1/messages"):
        assert (error["code"], error["param"]) == ("unsupported_parameter", "colour")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[]", b"", b'"text"', b"{" * 5000],
    ids=["cut off", "no text", "list", "nothing", "string", "deep"],
)
def test_what_is_no_json_object_is_refused(text: Peer, path: str, body: bytes) -> None:
    answer = post(text, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    check_shape(path, answer)


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {"messages": TALK, "temperature": 3}, "temperature"),
        ("/v1/chat/completions", {"messages": TALK, "temperature": "hot"}, "temperature"),
        ("/v1/chat/completions", {"messages": TALK, "max_tokens": 0}, "max_tokens"),
        ("/v1/chat/completions", {"messages": TALK, "n": 0}, "n"),
        ("/v1/chat/completions", {"messages": TALK, "stop": ["a"] * 65}, "stop"),
        ("/v1/chat/completions", {"messages": TALK, "top_logprobs": 3}, "top_logprobs"),
        ("/v1/chat/completions", {"messages": TALK, "stream_options": {"include_usage": True}}, "stream_options"),
        ("/v1/chat/completions", {"messages": TALK, "logit_bias": {"999999": 1}}, "logit_bias"),
        ("/v1/chat/completions", {"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role"),
        ("/v1/chat/completions", {"messages": TALK, "tool_choice": "required"}, "tool_choice"),
        ("/v1/completions", {"prompt": ["a", "b"]}, "prompt"),
        ("/v1/completions", {"prompt": "a", "logprobs": 9}, "logprobs"),
        ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": "a", "dimensions": 0}, "dimensions"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ("/v1/responses", {"input": ""}, "input"),
        ("/v1/responses", {"input": "a", "top_logprobs": 2}, "top_logprobs"),
        ("/v1/responses", {"input": "a", "tool_choice": "required"}, "tool_choice"),
    ],
)  # fmt: skip
def test_a_field_with_a_wrong_value_is_named(text: Peer, path: str, fields: dict[str, Any], param: str) -> None:
    answer = post(text, path, json={"model": text.model, **fields})
    assert answer.status_code == 400
    error = check_shape(path, answer)
    assert error["type"] == "invalid_request_error"
    assert (error["param"] or "").startswith(param)
    assert f"'{param}" in error["message"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": TALK}, "max_tokens"),
        ({"messages": TALK, "max_tokens": 0}, "max_tokens"),
        ({"messages": [], "max_tokens": 5}, "messages"),
        ({"messages": TALK, "max_tokens": 5, "temperature": 1.5}, "temperature"),
        ({"messages": TALK, "max_tokens": 5, "tool_choice": {"type": "any"}}, "tool_choice"),
        ({"messages": [*TALK, {"role": "assistant", "content": "He"}], "max_tokens": 5}, "messages"),
        ({"messages": TALK, "max_tokens": 5, "tools": [{"type": "bash_20250124", "name": "bash"}]}, "bash_20250124"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}], "max_tokens": 5}, "image"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_answered_is_refused_by_name(text: Peer, fields: dict[str, Any], named: str) -> None:
    answer = post(text, "/v1/messages", json={"model": text.model, **fields})
    assert answer.status_code == 400
    error = check_shape("/v1/messages", answer)
    assert error["type"] == "invalid_request_error"
    assert named in error["message"]


def test_a_prompt_over_the_context_is_refused_not_cut(text: Peer) -> None:
    long = "word " * 5000
    with pytest.raises(openai.BadRequestError) as error:
        text.openai.chat.completions.create(model=text.model, messages=[{"role": "user", "content": long}])
    assert error.value.code == "context_length_exceeded"
    with pytest.raises(anthropic.BadRequestError, match="context"):
        text.anthropic.messages.create(
            model=text.model, messages=[{"role": "user", "content": long}], max_tokens=5, stream=True
        )


def test_an_answer_longer_than_the_context_is_refused(text: Peer) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        text.openai.chat.completions.create(model=text.model, messages=TALK, max_completion_tokens=100_000)
    assert error.value.code == "context_length_exceeded"


def test_what_a_model_cannot_do_is_named(text: Peer) -> None:
    tool: Any = {"type": "function", "function": {"name": "ping", "parameters": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError) as error:
        text.openai.chat.completions.create(model=text.model, messages=TALK, tools=[tool])
    assert (error.value.code, error.value.param) == ("unsupported_parameter", "tools")


def test_a_schema_that_no_grammar_can_follow_is_refused(text: Peer) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema"}}}
    format_: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError):
        text.openai.chat.completions.create(model=text.model, messages=TALK, response_format=format_)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_long(text: Peer, path: str) -> None:
    answer = post(text, path, json={"model": text.model, "input": "x" * 5_000_000})
    assert answer.status_code == 413
    kind = "request_too_large" if path.startswith("/v1/messages") else "invalid_request_error"
    assert check_shape(path, answer)["type"] == kind


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_method(text: Peer, path: str) -> None:
    answer = text.http.put(path, json={})
    assert answer.status_code == 405
    check_shape(path, answer)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/messages/nothing", "/v1/chat"])
def test_a_path_that_does_not_exist(text: Peer, path: str) -> None:
    answer = text.http.post(path, json={})
    assert answer.status_code == 404
    check_shape(path, answer)


def test_a_client_that_goes_away_frees_its_place(slow: Peer) -> None:
    def seconds_to_an_answer() -> float:
        started = time.monotonic()
        with slow.openai.chat.completions.create(model=slow.model, messages=TALK, stream=True) as stream:
            next(iter(stream))
        return time.monotonic() - started

    assert seconds_to_an_answer() < 5
    assert seconds_to_an_answer() < 5  # each whole answer takes ten


def test_an_answer_that_is_not_streamed_ends_with_its_client(slow: Peer) -> None:
    with pytest.raises(openai.APITimeoutError):
        slow.openai.with_options(timeout=0.5).chat.completions.create(model=slow.model, messages=TALK)
    with pytest.raises(anthropic.APITimeoutError):
        slow.anthropic.with_options(timeout=0.5).messages.create(model=slow.model, messages=TALK, max_tokens=100)


PAID = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages")


@pytest.mark.parametrize(
    ("path", "fields"),
    [(path, {}) for path in PAID] + [(path, {"stream": True}) for path in PAID if path != "/v1/embeddings"],
)
def test_who_has_no_money_left_is_told_until_when(poor: Peer, path: str, fields: dict[str, Any]) -> None:
    answer = post(poor, path, json={"model": poor.model, **PATHS[path], **fields})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    error = check_shape(path, answer)
    assert error["type"] == ("rate_limit_error" if path == "/v1/messages" else "insufficient_quota")
    assert path == "/v1/messages" or error["code"] == "insufficient_quota"


def test_a_full_model_says_when_to_come_back(slow: Peer) -> None:
    """One is answered and two may wait; the others are refused, and told for how long."""
    answers: list[httpx.Response] = []

    def one() -> None:
        body = {"model": slow.model, "messages": TALK, "max_tokens": 20}
        answers.append(httpx.post(f"{slow.url}/v1/chat/completions", json=body, headers=headers, timeout=120))

    headers = {"authorization": f"Bearer {slow.key}"}
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        check_shape("/v1/chat/completions", answer)
