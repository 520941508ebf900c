"""Engine errors as OpenAI error bodies, and OpenAI error bodies as engine errors.

Our own errors survive a round trip unchanged. Errors of other servers are recognised by code, by
what their message says about the context, and by status, in that order.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pydantic import ValidationError

from inference.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    InvalidRequest,
    ModelNotFound,
    NoStrongerModel,
    RateLimited,
    UnsupportedParameter,
    WeightsError,
)
from inference.openai.responses import ErrorBody, ErrorDetail

_CLASSES: tuple[type[EngineError], ...] = (
    EngineError,
    InvalidRequest,
    UnsupportedParameter,
    ContextLengthExceeded,
    ModelNotFound,
    NoStrongerModel,
    AuthenticationFailed,
    RateLimited,
    EngineUnavailable,
    DeadlineExceeded,
    WeightsError,
)
_BY_CODE: dict[str, type[EngineError]] = {
    **{each.code: each for each in _CLASSES},
    "exceed_context_size_error": ContextLengthExceeded,
    "insufficient_quota": RateLimited,
    "invalid_api_key": AuthenticationFailed,
}
_BY_STATUS: dict[int, type[EngineError]] = {
    401: AuthenticationFailed,
    402: RateLimited,
    403: AuthenticationFailed,
    404: ModelNotFound,
    408: EngineUnavailable,
    409: EngineUnavailable,
    429: RateLimited,
    504: DeadlineExceeded,
}
_CONTEXT_MESSAGE = re.compile(r"maximum context length|context (length|size|window).{0,40}exceed|exceed.{0,40}context")


def error_body(error: EngineError) -> ErrorBody:
    """The body that says why an engine did not answer."""
    return ErrorBody(error=ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code))


def read_error(status: int, headers: Mapping[str, str], body: str) -> EngineError:
    """The engine error for an HTTP answer with a status of 400 or more."""
    detail = _detail(body)
    kind = _class_for(status, detail)
    message = detail.message or f"The server answered with status {status} and no explanation."
    return kind(message, param=detail.param, retry_after_seconds=_retry_after(headers.get("retry-after")))


def read_stream_error(event: str) -> EngineError | None:
    """The engine error in an event of a stream; None if the event is not an error."""
    if '"error"' not in event:
        return None
    try:
        detail = ErrorBody.model_validate_json(event).error
    except ValidationError:
        return None
    status = detail.code if isinstance(detail.code, int) else 500
    return _class_for(status, detail)(detail.message or "The stream broke.", param=detail.param)


def _detail(body: str) -> ErrorDetail:
    """What a body says; servers also send plain text, a bare string, the detail without its envelope, or a list of one.

    The list is what Gemini's compatible endpoint sends.
    """
    try:
        content = json.loads(body)
    except ValueError:
        return ErrorDetail(message=body[:500].strip())
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    inner = content.get("error", content) if isinstance(content, dict) else content
    try:
        return ErrorDetail.model_validate(inner)
    except ValidationError:
        return ErrorDetail(message=body[:500].strip())


def _class_for(status: int, detail: ErrorDetail) -> type[EngineError]:
    for name in (detail.code, detail.type):
        if isinstance(name, str) and name in _BY_CODE:
            return _BY_CODE[name]
    if status < 500 and _CONTEXT_MESSAGE.search(detail.message.lower()):
        return ContextLengthExceeded
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InvalidRequest if 400 <= status < 500 else EngineUnavailable


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, at most a day, from a number or an HTTP date; None if there is neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = moment.timestamp() - time.time()
    return min(max(0.0, seconds), 86_400.0)
