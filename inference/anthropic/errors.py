"""Errors in Anthropic's shape, in both directions.

The envelope is OpenAI's but for the names of types, and statuses mean the same; what differs is told apart here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from inference.errors import ContextLengthExceeded, EngineError, InvalidRequest
from inference.openai import errors as openai
from inference.wire.shape import Shape

OVERLOADED = 529
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
_STATUSES = {"api_error": 500, **{kind: status for status, kind in _TYPES.items()}}
_TOO_LONG = re.compile(r"prompt is too long|exceed context limit|context of .* tokens")


class ErrorDetail(Shape):
    """What went wrong."""

    type: str
    message: str


class ErrorBody(Shape):
    """The body of every answer that is an error, and an event of a stream that broke."""

    type: Literal["error"] = "error"
    error: ErrorDetail
    request_id: str | None = None


def status_of(error: EngineError) -> int:
    """The HTTP status: that of OpenAI's format, but what is full or restarting is "overloaded"."""
    return OVERLOADED if error.status == 503 else error.status


def error_body(status: int, message: str, request_id: str | None = None) -> ErrorBody:
    """The body for a status."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return ErrorBody(type="error", error=ErrorDetail(type=kind, message=message), request_id=request_id)


def read_error(status: int, headers: Mapping[str, str], body: str) -> EngineError:
    """The engine error for an HTTP answer with a status of 400 or more.

    That a prompt is too long is told by the message alone. 504 is the other end's limit and not the request's
    deadline, so another model may answer.
    """
    error = openai.read_error(503 if status == 504 else status, headers, body)
    if type(error) is InvalidRequest and _TOO_LONG.search(error.message):
        return ContextLengthExceeded(error.message, param="messages")
    return error


def read_stream_error(event: str) -> EngineError | None:
    """The engine error in an event of a stream; None if the event is not an error."""
    if '"error"' not in event:
        return None
    try:
        kind = ErrorBody.model_validate_json(event).error.type
    except ValidationError:
        return None
    return read_error(_STATUSES.get(kind, 500), {}, event)
