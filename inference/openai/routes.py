"""The OpenAI routes, written once, for any Engine.

The gateway mounts the router and hands over a dependency that says on whose behalf a request is
made; a request id that a middleware put into `request.state.request_id` is kept. Headers go out with
the first chunk, so whatever fails before it has its proper status; a stream that breaks later ends
with one error event and no `[DONE]`.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import re
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from inference.capabilities import find_card
from inference.collect import complete
from inference.errors import EngineError, InvalidRequest
from inference.openai import encode, sse
from inference.openai.body import explain
from inference.openai.connection import ClientGone, EventStream, while_connected
from inference.openai.errors import error_body, error_headers
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody, GenerationBody
from inference.openai.responses import (
    Answer,
    ChatCompletion,
    EmbeddingList,
    ErrorBody,
    ModelList,
    ModelShape,
    Shape,
    TextCompletion,
)
from inference.protocol import Caller, ChatRequest, Chunk, Completion, Engine, new_request_id

CLIENT_CLOSED_REQUEST = 499
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be answered as it is, or not now (429)."},
    "5XX": {"model": ErrorBody, "description": "The engine did not answer."},
}


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole answer, or with `stream: true` an event for each piece of it.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class OpenAIRoute(APIRoute):
    """Gives every request an id and turns what is raised into OpenAI's error shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, wrapped."""
        handle = super().get_route_handler()

        async def handle_request(request: Request) -> Response:
            request_id = _request_id(request)
            try:
                response = await handle(request)
            except EngineError as error:
                response = error_response(error)
            except RequestValidationError as error:
                response = error_response(explain(error.errors()))
            except ClientGone:
                response = Response(status_code=CLIENT_CLOSED_REQUEST)
            except HTTPException as error:
                if not isinstance(error.__cause__, ValueError | RecursionError):
                    raise
                response = error_response(InvalidRequest("The request body is not valid JSON in UTF-8."))
            response.headers["x-request-id"] = request_id
            return response

        return handle_request


def error_response(error: EngineError) -> Response:
    """An engine error as an HTTP answer; the gateway uses it for errors of its own, too."""
    return _json(error_body(error), status=error.status, headers=error_headers(error))


def engine_router(engine: Engine, caller: Callable[..., Any]) -> APIRouter:
    """The routes for `engine`; `caller` is a FastAPI dependency that returns the `Caller`."""
    router = APIRouter(route_class=OpenAIRoute, responses=ERRORS, tags=["openai"])
    _add_models(router, engine, caller)
    _add_generation(router, engine, caller)
    _add_embeddings(router, engine, caller)
    return router


def _add_models(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.get("/v1/models", response_model=ModelList, dependencies=[Depends(caller)])
    async def list_models() -> Response:
        """The models that can be asked."""
        return _json(ModelList(object="list", data=[encode.model_shape(card) for card in engine.models()]))

    @router.get("/v1/models/{model_id:path}", response_model=ModelShape, dependencies=[Depends(caller)])
    async def get_model(model_id: str) -> Response:
        """One model."""
        return _json(encode.model_shape(find_card(engine.models(), model_id)))


def _add_generation(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.post("/v1/chat/completions", response_model=ChatCompletion, responses=STREAM)
    async def chat(body: ChatBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Answer a conversation."""
        return await _answer(engine, http, body.read(who, _request_id(http)), body, _CHAT)

    @router.post("/v1/completions", response_model=TextCompletion, responses=STREAM)
    async def completions(body: CompletionBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Continue a text, or with `suffix` fill in what stands before it."""
        return await _answer(engine, http, body.read(who, _request_id(http)), body, _TEXT)


def _add_embeddings(router: APIRouter, engine: Engine, caller: Callable[..., Any]) -> None:
    @router.post("/v1/embeddings", response_model=EmbeddingList)
    async def embeddings(body: EmbeddingsBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Turn texts into unit-length vectors."""
        result = await while_connected(http.receive, engine.embed(body.read(who, _request_id(http))))
        return _json(encode.embedding_list(result, body.encoding_format == "base64").served_as(body.served_as))


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
        return _json(answer, headers=_route_header(completion.route))
    chunks = engine.stream(request)
    first = await while_connected(http.receive, _first(chunks))
    stream = wire.stream(request.request_id, body.include_usage, body.served_as)
    return EventStream(_events(first, chunks, stream), chunks, _route_header(first.route))


async def _first(chunks: AsyncGenerator[Chunk, None]) -> Chunk:
    async for chunk in chunks:
        return chunk
    raise EngineError("The engine ended its stream without an answer.")


async def _events(
    first: Chunk, rest: AsyncGenerator[Chunk, None], stream: encode.AnswerStream
) -> AsyncGenerator[bytes, None]:
    try:
        for event in stream.events(first):
            yield sse.event(event)
        async for chunk in rest:
            for event in stream.events(chunk):
                yield sse.event(event)
    except EngineError as error:
        yield sse.event(error_body(error).json_text())
        return
    yield sse.event(sse.DONE)


def _request_id(http: Request) -> str:
    """The id a middleware gave the request, or a fresh one that is kept for the rest of the request."""
    if not hasattr(http.state, "request_id"):
        http.state.request_id = new_request_id()
    return str(http.state.request_id)


def _route_header(route: str) -> dict[str, str]:
    """A router's reason, as far as a header can carry it."""
    return {"x-bailey-route": re.sub(r"[^\x20-\x7e]", "?", route)} if route else {}


def _json(shape: Shape, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(shape.json_text(), status_code=status, headers=headers, media_type="application/json")
