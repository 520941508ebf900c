"""Why an engine did not answer.

Every error says in a sentence what to do, whether trying again can help (`retryable`) and which
HTTP status, OpenAI error type and code it has. `openai/errors.py` maps them to the wire and back.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all engine errors; raised as itself when an engine broke in an unforeseen way."""

    status = 500
    type = "server_error"
    code = "engine_error"
    retryable = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(EngineError):
    """The request can never work as it is; `param` names the field."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class UnsupportedParameter(InvalidRequest):
    """The field is known but this model cannot honour it; nothing is ignored in silence."""

    code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    """Prompt (plus the answer asked for) does not fit the model's context; never cut in silence."""

    code = "context_length_exceeded"


class ModelNotFound(EngineError):
    """No such model, or this caller may not see it."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class NoStrongerModel(EngineError):
    """The models named in `tried` failed verification, and no stronger one may answer."""

    status = 422
    type = "invalid_request_error"
    code = "no_stronger_model"


class AuthenticationFailed(EngineError):
    """The other end refused our credentials."""

    status = 502
    type = "server_error"
    code = "upstream_authentication_failed"


class RateLimited(EngineError):
    """Too many requests; try again after `retry_after_seconds`."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True


class EngineUnavailable(EngineError):
    """The engine is down, loading, full or restarting; another candidate may answer."""

    status = 503
    type = "server_error"
    code = "engine_unavailable"
    retryable = True


class DeadlineExceeded(EngineError):
    """The request's deadline passed before the answer was complete."""

    status = 504
    type = "server_error"
    code = "deadline_exceeded"


class WeightsError(EngineError):
    """A model's files are missing or their digest does not match; the model is not loaded."""

    code = "weights_unusable"
