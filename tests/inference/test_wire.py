"""The wire format loses nothing: what one Bailey writes, another reads as the same thing."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import errors
from inference.collect import Collector
from inference.errors import EngineError, EngineUnavailable
from inference.openai import decode, encode, outgoing
from inference.openai.errors import error_body, read_error, read_stream_error
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody
from inference.openai.responses import TextCompletion
from inference.protocol import Caller, ChatRequest, Chunk, Completion, EmbedRequest, Message, Priority
from inference.wire.route import retry_after
from tests.inference import strategies
from tests.inference.strategies import quick

ERROR_CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, EngineError)]


def sent(body: object) -> object:
    """The body as it arrives at the other end."""
    return json.loads(json.dumps(body))


def collected(chunks: Iterable[Chunk]) -> Completion:
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion()


@quick
@given(strategies.chat_requests())
def test_a_chat_request_arrives_as_it_was_sent(request_: ChatRequest) -> None:
    body = ChatBody.model_validate(sent(outgoing.chat_body(request_, request_.model)))
    assert body.read(Caller(), "req_1") == request_
    assert body.stream
    assert body.include_usage


@quick
@given(strategies.completion_requests())
def test_a_completion_request_arrives_as_it_was_sent(request_: ChatRequest) -> None:
    body = CompletionBody.model_validate(sent(outgoing.completion_body(request_, request_.model)))
    assert body.read(Caller(), "req_1") == request_


@quick
@given(st.lists(st.text(min_size=1), min_size=1, max_size=3), st.none() | st.integers(1, 100))
def test_an_embedding_request_arrives_as_it_was_sent(texts: list[str], dimensions: int | None) -> None:
    request = EmbedRequest("m", tuple(texts), dimensions, request_id="req_1")
    body = EmbeddingsBody.model_validate(sent(outgoing.embeddings_body(request, "m")))
    assert body.read(Caller(), "req_1") == request


def test_a_priority_is_our_own_business() -> None:
    chat, text, texts = (
        ChatRequest("m", (Message("user", "a"),)),
        ChatRequest("m", prompt="a"),
        EmbedRequest("m", ("a",)),
    )
    batch: Priority = "batch"
    assert outgoing.chat_body(replace(chat, priority=batch), "m") == outgoing.chat_body(chat, "m")
    assert outgoing.completion_body(replace(text, priority=batch), "m") == outgoing.completion_body(text, "m")
    assert outgoing.embeddings_body(replace(texts, priority=batch), "m") == outgoing.embeddings_body(texts, "m")


@quick
@given(strategies.streams(with_tool_calls=True))
def test_a_chat_stream_arrives_as_it_was_sent(chunks: list[Chunk]) -> None:
    stream = encode.ChatStream("1", include_usage=True)
    events = [event for chunk in chunks for event in stream.events(chunk)]
    assert collected(chunk for event in events for chunk in decode.chat_chunks(event, "m")) == collected(chunks)


@pytest.mark.parametrize("kind", [encode.ChatStream, encode.TextStream])
@quick
@given(texts=st.lists(st.text(min_size=1), min_size=2), tier=st.none() | st.just("flex"), usage=st.booleans())
def test_events_that_differ_in_their_text_alone_are_cut_around_it(
    kind: type[encode.AnswerStream], texts: list[str], tier: str | None, usage: bool
) -> None:
    quick_stream, slow_stream = kind("1", usage, tier), kind("1", usage, tier)
    slow_stream._created = quick_stream._created  # the second may have turned
    quickly = [event for text in texts for event in quick_stream.events(Chunk(text, model="m"))]
    assert (
        quickly[1:]
        == [
            next(slow_stream.events(Chunk(text, model="m", finish_reason="stop"))).replace(
                '"finish_reason":"stop"', '"finish_reason":null'
            )
            for text in texts
        ][1:]
    )


@quick
@given(strategies.streams(with_tool_calls=False))
def test_a_text_stream_arrives_as_it_was_sent(chunks: list[Chunk]) -> None:
    stream = encode.TextStream("1", include_usage=True)
    events = [event for chunk in chunks for event in stream.events(chunk)]
    assert collected(chunk for event in events for chunk in decode.text_chunks(event, "m")) == collected(chunks)


@quick
@given(strategies.streams(with_tool_calls=False))
def test_text_offsets_of_a_stream_are_those_of_the_whole(chunks: list[Chunk]) -> None:
    stream = encode.TextStream("1", include_usage=False)
    events = [TextCompletion.model_validate_json(event) for chunk in chunks for event in stream.events(chunk)]
    whole = encode.text_completion(collected(chunks), "1")
    for choice in whole.choices:
        pieces = [piece for event in events for piece in event.choices if piece.index == choice.index]
        offsets = [offset for piece in pieces if piece.logprobs for offset in piece.logprobs.text_offset]
        assert offsets == (choice.logprobs.text_offset if choice.logprobs else [])


@pytest.mark.parametrize("kind", ERROR_CLASSES)
@quick
@given(message=st.text(min_size=1), param=st.none() | st.text(), seconds=st.none() | st.integers(1, 1000))
def test_an_error_arrives_as_it_was_raised(
    kind: type[EngineError], message: str, param: str | None, seconds: int | None
) -> None:
    error = kind(message, param=param, retry_after_seconds=seconds)
    body = error_body(error).json_text()
    for arrived in (read_error(error.status, retry_after(error), body), read_stream_error(body)):
        assert arrived is not None
        assert (type(arrived), arrived.message, arrived.param) == (kind, message, param)
    assert read_error(error.status, retry_after(error), body).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, '{"error": {"code": "context_length_exceeded", "message": "m"}}', errors.ContextLengthExceeded),
        (400, '{"message": "This model\'s maximum context length is 8 tokens."}', errors.ContextLengthExceeded),
        (400, '{"error": {"type": "exceed_context_size_error", "message": "m"}}', errors.ContextLengthExceeded),
        (400, '{"error": {"message": "bad", "type": "BadRequestError", "code": 400}}', errors.InvalidRequest),
        (400, '[{"error": {"code": 400, "message": "exceeds the context window", "status": "INVALID_ARGUMENT"}}]',
         errors.ContextLengthExceeded),
        (422, '{"detail": [{"loc": ["body"], "msg": "wrong"}]}', errors.InvalidRequest),
        (401, '{"error": "wrong key"}', errors.AuthenticationFailed),
        (403, "", errors.AuthenticationFailed),
        (404, "<html>nothing here</html>", errors.ModelNotFound),
        (429, '{"error": {"code": "insufficient_quota", "message": "m"}}', errors.RateLimited),
        (429, "slow down", errors.RateLimited),
        (302, "", errors.EngineUnavailable),
        (500, '{"error": {"message": "context window exceeded while crashing"}}', errors.EngineUnavailable),
        (502, "bad gateway", errors.EngineUnavailable),
        (503, "null", errors.EngineUnavailable),
        (504, "[1, 2]", errors.DeadlineExceeded),
    ],
)  # fmt: skip
def test_errors_of_other_servers_are_recognised(status: int, body: str, expected: type[EngineError]) -> None:
    error = read_error(status, {}, body)
    assert type(error) is expected
    assert error.message


def test_the_message_in_a_list_of_one_error_is_read() -> None:
    body = '[{"error": {"code": 400, "message": "Unknown name \\"x\\"", "status": "INVALID_ARGUMENT"}}]'
    assert read_error(400, {}, body).message == 'Unknown name "x"'


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("inf", 86_400.0), ("nan", 0.0), ("soon", None), (None, None)],
)
def test_retry_after_is_read(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert read_error(503, headers, "").retry_after_seconds == seconds


def test_retry_after_may_be_a_date() -> None:
    assert read_error(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "").retry_after_seconds == 0
    assert read_error(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, "").retry_after_seconds == 0


@pytest.mark.parametrize("event", ["", "[]", "null", '{"choices": 3}', '{"choices": [{"index": []}]}', "{"])
def test_what_is_not_a_chunk_makes_the_server_unavailable(event: str) -> None:
    for read in (decode.chat_chunks, decode.text_chunks):
        with pytest.raises(EngineUnavailable, match="not OpenAI's"):
            list(read(event, "m"))


def test_sloppy_chunks_are_understood() -> None:
    event = (
        '{"choices": [{"delta": {"content": null, "tool_calls": null, "x": 1}, "finish_reason": "eos"}], "usage": null}'
    )
    assert list(decode.chat_chunks(event, "m")) == [Chunk(finish_reason="stop", model="m")]
    assert list(decode.chat_chunks('{"choices": null}', "m")) == []


def test_the_stop_string_that_vllm_names_is_read() -> None:
    for read, text in ((decode.chat_chunks, '"delta": {}'), (decode.text_chunks, '"text": ""')):
        for said, known in (('"END"', "END"), ("151645", None), ("null", None)):
            event = f'{{"choices": [{{{text}, "finish_reason": "stop", "stop_reason": {said}}}]}}'
            assert list(read(event, "m")) == [Chunk(finish_reason="stop", stop_string=known, model="m")]


def test_an_error_in_a_stream_is_told_from_text_that_speaks_of_errors() -> None:
    assert read_stream_error('{"choices": [{"delta": {"content": "\\"error\\": 1"}}]}') is None
    assert isinstance(read_stream_error('{"error": {"message": "m", "code": 400}}'), errors.InvalidRequest)
    assert isinstance(read_stream_error('{"error": {"message": "m"}}'), EngineUnavailable)
