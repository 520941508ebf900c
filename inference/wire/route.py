"""A route whose requests have an id and whose errors have the wire format's own shape."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from inference.errors import EngineError, InvalidRequest
from inference.protocol import Chunk, new_request_id
from inference.wire.body import explain
from inference.wire.connection import ClientGone
from inference.wire.shape import Shape

CLIENT_CLOSED_REQUEST = 499


class WireRoute(APIRoute, ABC):
    """Gives every request an id and turns what is raised into an answer."""

    @staticmethod
    @abstractmethod
    def error_response(error: EngineError, answer_id: str) -> Response:
        """An engine error as the answer with that id."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, wrapped."""
        handle = super().get_route_handler()

        async def handle_request(request: Request) -> Response:
            answer_id = request_id(request)
            try:
                response = await handle(request)
            except EngineError as error:
                response = self.error_response(error, answer_id)
            except RequestValidationError as error:
                response = self.error_response(explain(error.errors()), answer_id)
            except ClientGone:
                response = Response(status_code=CLIENT_CLOSED_REQUEST)
            except HTTPException as error:
                if not isinstance(error.__cause__, ValueError | RecursionError):
                    raise
                unreadable = InvalidRequest("The request body is not valid JSON in UTF-8.")
                response = self.error_response(unreadable, answer_id)
            response.headers["x-request-id"] = answer_id
            return response

        return handle_request


def request_id(request: Request) -> str:
    """The id a middleware gave the request, or a fresh one that is kept for the rest of the request."""
    if not hasattr(request.state, "request_id"):
        request.state.request_id = new_request_id()
    return str(request.state.request_id)


def route_header(route: str) -> dict[str, str]:
    """A router's reason, as far as a header can carry it."""
    return {"x-bailey-route": re.sub(r"[^\x20-\x7e]", "?", route)} if route else {}


def retry_after(error: EngineError) -> dict[str, str]:
    """`retry-after` in whole seconds, where waiting helps."""
    if error.retry_after_seconds is None:
        return {}
    return {"retry-after": str(max(1, math.ceil(error.retry_after_seconds)))}


async def first_chunk(chunks: AsyncGenerator[Chunk, None]) -> Chunk:
    """The beginning of an answer. Raises what the engine raises, and `EngineError` when there is none."""
    async for chunk in chunks:
        return chunk
    raise EngineError("The engine ended its stream without an answer.")


def json_response(shape: Shape, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A shape as an HTTP answer."""
    return Response(shape.json_text(), status_code=status, headers=headers, media_type="application/json")
