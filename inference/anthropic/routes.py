"""The Messages routes, for any Engine; what openai/routes.py says about headers and broken streams holds here, too.

Errors carry the request's id as Anthropic's do, in the body and in `request-id`.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from inference.anthropic.answers import MessageAnswer, TokenCount, whole_message
from inference.anthropic.errors import ErrorBody, error_body, status_of
from inference.anthropic.events import MessageStream
from inference.anthropic.requests import CountBody, MessagesBody
from inference.collect import complete
from inference.errors import EngineError
from inference.protocol import Caller, ChatRequest, Chunk, Engine, Tokens
from inference.wire import sse
from inference.wire.connection import EventStream, while_connected
from inference.wire.route import WireRoute, first_chunk, json_response, request_id, retry_after, route_header

MESSAGES = "/v1/messages"
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be answered as it is, or not now (429)."},
    "5XX": {"model": ErrorBody, "description": "The engine did not answer; 529: it is full or restarting."},
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole message, or with `stream: true` events that add up to it.",
        "content": {"text/event-stream": {}},
    }
}


class MessagesRoute(WireRoute):
    """Answers errors in Anthropic's shape."""

    @staticmethod
    def error_response(error: EngineError, answer_id: str) -> Response:
        """An engine error as an HTTP answer."""
        return error_response(status_of(error), error.message, answer_id, retry_after(error))


def error_response(status: int, message: str, answer_id: str, headers: dict[str, str]) -> Response:
    """An error as an HTTP answer; the gateway uses it for errors of its own, too."""
    return json_response(error_body(status, message, answer_id), status, {**headers, "request-id": answer_id})


def messages_router(engine: Engine, caller: Callable[..., Any]) -> APIRouter:
    """The routes for `engine`; `caller` is a FastAPI dependency that returns the `Caller`."""
    router = APIRouter(route_class=MessagesRoute, responses=ERRORS, tags=["anthropic"])

    @router.post(MESSAGES, response_model=MessageAnswer, responses=STREAM)
    async def messages(body: MessagesBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Answer a conversation, in Anthropic's format."""
        request = body.read(who, request_id(http))
        if body.stream:
            return await _stream(engine, http, request)
        completion = await while_connected(http.receive, complete(engine, request))
        headers = {**route_header(completion.route), "request-id": request.request_id}
        return json_response(whole_message(completion, request.request_id), headers=headers)

    @router.post(f"{MESSAGES}/count_tokens", response_model=TokenCount)
    async def count_tokens(body: CountBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """How many tokens a conversation's prompt has; nothing is answered."""
        tokens = await while_connected(http.receive, engine.tokenize(body.read(who, request_id(http))))
        return json_response(TokenCount(input_tokens=tokens.count))

    return router


async def _stream(engine: Engine, http: Request, request: ChatRequest) -> Response:
    chunks = engine.stream(request)
    first, prompt_tokens = await while_connected(http.receive, _begun(chunks, engine.tokenize(request)))
    headers = {**route_header(first.route), "request-id": request.request_id}
    stream = MessageStream(request.request_id, prompt_tokens)
    return EventStream(_events(first, chunks, stream, request.request_id), chunks, headers)


async def _begun(chunks: AsyncGenerator[Chunk, None], prompt: Coroutine[Any, Any, Tokens]) -> tuple[Chunk, int]:
    """The first chunk, and the tokens of the prompt, counted while it is on its way: a message begins with them."""
    counting = asyncio.create_task(prompt)
    try:
        first = await first_chunk(chunks)
        return first, (await counting).count
    except EngineError:
        await chunks.aclose()
        raise
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


async def _events(
    first: Chunk, rest: AsyncGenerator[Chunk, None], stream: MessageStream, answer_id: str
) -> AsyncGenerator[bytes, None]:
    try:
        for event in stream.events(first):
            yield event
        async for chunk in rest:
            for event in stream.events(chunk):
                yield event
    except EngineError as error:
        yield sse.event(error_body(status_of(error), error.message, answer_id).json_text(), "error")
