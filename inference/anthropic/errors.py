"""Errors in Anthropic's shape."""

from __future__ import annotations

from typing import Literal

from inference.errors import EngineError
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
