"""The routes of responses, for any Engine and any store; errors have OpenAI's shape."""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from inference.collect import complete
from inference.errors import EngineError
from inference.openai.routes import ERRORS, STREAM, OpenAIRoute
from inference.protocol import Caller, ChatRequest, Chunk, Completion, Engine, Message
from inference.responses.answers import Outline, ResponseObject, turn_of
from inference.responses.events import ResponseStream, whole_response
from inference.responses.items import shown
from inference.responses.requests import ResponsesBody
from inference.responses.store import ResponseStore, StoredResponse
from inference.wire.connection import EventStream, while_connected
from inference.wire.route import first_chunk, json_response, request_id, route_header
from inference.wire.shape import Shape


class Deleted(Shape):
    """The answer of DELETE."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputItems(Shape):
    """What a response's request sent."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: Literal[False] = False


def responses_router(engine: Engine, store: ResponseStore, caller: Callable[..., Any]) -> APIRouter:
    """The routes; `caller` is a FastAPI dependency that returns the `Caller`."""
    router = APIRouter(route_class=OpenAIRoute, responses=ERRORS, tags=["openai"])
    _add_create(router, engine, store, caller)
    _add_stored(router, store, caller)
    return router


def _add_create(router: APIRouter, engine: Engine, store: ResponseStore, caller: Callable[..., Any]) -> None:
    @router.post("/v1/responses", response_model=ResponseObject, responses=STREAM)
    async def create(body: ResponsesBody, http: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Answer, going on from an earlier response if one is named."""
        before: tuple[Message, ...] = ()
        if body.previous_response_id is not None:
            who, before = await store.continued(who, body.previous_response_id)
        request = body.read(who, request_id(http), before)
        turn = _Turn(body, who, Outline(body, request.request_id), store, request)
        if body.stream:
            return await _stream(engine, http, turn)
        completion = await while_connected(http.receive, complete(engine, request))
        response = await turn.keep(completion)
        return json_response(response, headers=route_header(completion.route))


def _add_stored(router: APIRouter, store: ResponseStore, caller: Callable[..., Any]) -> None:
    @router.get("/v1/responses/{response_id}", response_model=ResponseObject)
    async def retrieve(response_id: str, who: Annotated[Caller, Depends(caller)]) -> Response:
        """A response that was kept."""
        stored = await store.get(who, response_id)
        return Response(stored.answer, media_type="application/json")

    @router.delete("/v1/responses/{response_id}", response_model=Deleted)
    async def delete(response_id: str, who: Annotated[Caller, Depends(caller)]) -> Response:
        """Give a response out no more. What the ledger recorded stays in the ledger."""
        await store.delete(who, response_id)
        return json_response(Deleted(id=response_id, object="response", deleted=True))

    @router.get("/v1/responses/{response_id}/input_items", response_model=InputItems)
    async def input_items(response_id: str, who: Annotated[Caller, Depends(caller)]) -> Response:
        """What was sent for a response, the newest item first."""
        items = json.loads((await store.get(who, response_id)).items)[::-1]
        ends = [items[0]["id"], items[-1]["id"]] if items else [None, None]
        return json_response(InputItems(object="list", data=items, first_id=ends[0], last_id=ends[1], has_more=False))


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request for a response, on its way."""

    body: ResponsesBody
    caller: Caller
    outline: Outline
    store: ResponseStore
    request: ChatRequest

    async def keep(self, completion: Completion) -> ResponseObject:
        """The response, stored if that is wanted."""
        response = whole_response(self.outline, completion, self.request.request_id)
        if self.body.store:
            instructions = 1 if self.body.instructions else 0
            conversation = (*self.request.messages[instructions:], turn_of(completion.choices[0]))
            items = json.dumps([shown(item, number) for number, item in enumerate(self.body.items)])
            await self.store.put(
                self.caller, StoredResponse(self.outline.id, response.json_text(), items, conversation)
            )
        return response


async def _stream(engine: Engine, http: Request, turn: _Turn) -> Response:
    chunks = engine.stream(turn.request)
    first = await while_connected(http.receive, first_chunk(chunks))
    return EventStream(_events(first, chunks, turn), chunks, route_header(first.route))


async def _events(first: Chunk, rest: AsyncGenerator[Chunk, None], turn: _Turn) -> AsyncGenerator[bytes, None]:
    stream = ResponseStream(turn.outline, turn.request.request_id)
    try:
        for event in (*stream.begin(first), *stream.events(first)):
            yield event
        async for chunk in rest:
            for event in stream.events(chunk):
                yield event
        await turn.keep(stream.completion)  # before the client hears that it can go on from it
        for event in stream.end():
            yield event
    except EngineError as error:
        for event in stream.failed(error):
            yield event
