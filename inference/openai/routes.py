"""The OpenAI routes, written once, for any Engine.

The gateway mounts the router and hands over a dependency that says on whose behalf a request is
made; a request id that a middleware put into `request.state.request_id` is kept. Headers go out with
the first chunk, so whatever fails before it has its proper status; a stream that breaks later ends
with one error event and no `[DONE]`.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from inference.capabilities import find_card
from inference.collect import complete
from inference.errors import EngineError, UnsupportedParameter
from inference.openai import encode
from inference.openai.errors import error_body
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody, GenerationBody, TokenizeBody
from inference.openai.responses import (
    Answer,
    ChatCompletion,
    EmbeddingList,
    ErrorBody,
    ModelList,
    ModelShape,
    TextCompletion,
    TokenList,
)
from inference.protocol import Caller, ChatRequest, Chunk, Completion, Engine
from inference.wire import sse
from inference.wire.connection import EventStream, while_connected
from inference.wire.route import WireRoute, first_chunk, json_response, request_id, retry_after, route_header

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be answered as it is, or not now (429)."},
    "5XX": {"model": ErrorBody, "description": "The engine did not answer."},
}


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole answer, or with `stream: true` an event for each piece of it.",
        "content": {"text/event-stream": {}},
    }
}


class OpenAIRoute(WireRoute):
    """Answers errors in OpenAI's shape."""

    @staticmethod
    def error_response(error: EngineError, answer_id: str) -> Response:
        """An engine error as an HTTP answer."""
        return error_response(error)


def error_response(error: EngineError) -> Response:
    """An engine error as an HTTP answer; the gateway uses it for errors of its own, too."""
    return json_response(error_body(error), status=error.status, headers=retry_after(error))


def engine_router(engine: Engine, caller: Callable[..., Any]) -> APIRouter:
    """The routes for `engine`; `caller` is a FastAPI dependency that returns the `Caller`."""
    router = APIRouter(route_class=OpenAIRoute, responses=ERRORS, tags=["openai"])
    _add_models(router, engine, caller)
    _add_generation(router, engine, caller)
    _add_embeddings(router, engine, caller)
    _add_tokens(router, engine, caller)
    return router


def _add_models(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.get("/v1/models", response_model=ModelList, dependencies=[Depends(caller)])
    async def list_models() -> Response:
        """The models that can be asked."""
        return json_response(ModelList(object="list", data=[encode.model_shape(card) for card in engine.models()]))

    @router.get("/v1/models/{model_id:path}", response_model=ModelShape, dependencies=[Depends(caller)])
    async def get_model(model_id: str) -> Response:
        """One model."""
        return json_response(encode.model_shape(find_card(engine.models(), model_id)))


def _add_generation(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.post("/v1/chat/completions", response_model=ChatCompletion, responses=STREAM)
    async def chat(body: ChatBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Answer a conversation."""
        return await _answer(engine, http, body.read(who, request_id(http)), body, _CHAT)

    @router.post("/v1/completions", response_model=TextCompletion, responses=STREAM)
    async def completions(body: CompletionBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Continue a text, or with `suffix` fill in what stands before it."""
        return await _answer(engine, http, body.read(who, request_id(http)), body, _TEXT)


def _add_embeddings(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.post("/v1/embeddings", response_model=EmbeddingList)
    async def embeddings(body: EmbeddingsBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Turn texts into unit-length vectors."""
        result = await while_connected(http.receive, engine.embed(body.read(who, request_id(http))))
        return json_response(encode.embedding_list(result, body.encoding_format == "base64").served_as(body.served_as))


def _add_tokens(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.post("/v1/tokenize", response_model=TokenList)
    async def tokenize(body: TokenizeBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """The tokens that a model reads."""
        tokens = await while_connected(http.receive, engine.tokenize(body.read(who, request_id(http))))
        if tokens.ids is None:
            raise UnsupportedParameter(f"The server behind {body.model!r} does not tell its tokens.", param="model")
        longest = find_card(engine.models(), body.model).context_tokens
        return json_response(TokenList(count=tokens.count, max_model_len=longest, tokens=list(tokens.ids)))


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one route writes answers: piece by piece, and whole."""

    stream: Callable[[str, bool, str | None], encode.AnswerStream]
    whole: Callable[[Completion, str], Answer]


_CHAT = _Wire(encode.ChatStream, encode.chat_completion)
_TEXT = _Wire(encode.TextStream, encode.text_completion)


async def _answer(engine: Engine, http: Request, request: ChatRequest, body: GenerationBody, wire: _Wire) -> Response:
    if not body.stream:
        completion = await while_connected(http.receive, complete(engine, request))
        answer = wire.whole(completion, request.request_id).served_as(body.served_as)
        return json_response(answer, headers=route_header(completion.route))
    chunks = engine.stream(request)
    first = await while_connected(http.receive, first_chunk(chunks))
    stream = wire.stream(request.request_id, body.include_usage, body.served_as)
    return EventStream(_events(first, chunks, stream), chunks, route_header(first.route))


def _sent(chunk: Chunk, stream: encode.AnswerStream) -> Iterator[bytes]:
    if chunk.verified is not None and chunk.verified.progress:
        yield sse.comment(chunk.verified.progress)
    for event in stream.events(chunk):
        yield sse.event(event)


async def _events(
    first: Chunk, rest: AsyncGenerator[Chunk, None], stream: encode.AnswerStream
) -> AsyncGenerator[bytes, None]:
    try:
        for event in _sent(first, stream):
            yield event
        async for chunk in rest:
            for event in _sent(chunk, stream):
                yield event
    except EngineError as error:
        yield sse.event(error_body(error).json_text())
        return
    yield sse.event(sse.DONE)
