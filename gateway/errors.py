"""Which HTTP status and code an error of any package has: one table, in OpenAI's shape.

Engine errors carry theirs themselves (inference/errors.py); everything else is listed here.
"""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from codegen.protocol import (
    ApprovalRefused,
    InvalidTask,
    RepositoryNotFound,
    RepositoryProblem,
    TaskError,
    UnknownTask,
    WrongState,
)
from gateway.keys import ExpiredKey, InvalidKey, RoleTooLow
from inference.errors import EngineError
from inference.openai.errors import error_headers
from ledger.protocol import LedgerError
from retrieval.protocol import IndexUnavailable
from sandbox.protocol import SandboxError


class BodyTooLarge(Exception):
    """The request's body is longer than the appliance takes."""


class BodyTooSlow(Exception):
    """The request's body did not arrive in time."""


class UnknownDataClass(Exception):
    """The request names a data class that models.yaml does not declare."""


# (status, OpenAI error type, code); the first entry that an error is an instance of counts.
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    InvalidKey: (401, "authentication_error", "invalid_api_key"),
    ExpiredKey: (401, "authentication_error", "expired_api_key"),
    RoleTooLow: (403, "permission_error", "insufficient_role"),
    BodyTooLarge: (413, "invalid_request_error", "body_too_large"),
    BodyTooSlow: (408, "invalid_request_error", "body_too_slow"),
    UnknownDataClass: (400, "invalid_request_error", "unknown_data_class"),
    InvalidTask: (400, "invalid_request_error", "invalid_task"),
    RepositoryNotFound: (404, "invalid_request_error", "repository_not_found"),
    RepositoryProblem: (409, "invalid_request_error", "repository_problem"),
    UnknownTask: (404, "invalid_request_error", "task_not_found"),
    WrongState: (409, "invalid_request_error", "wrong_state"),
    ApprovalRefused: (403, "permission_error", "approval_refused"),
    TaskError: (400, "invalid_request_error", "task_error"),
    LedgerError: (503, "server_error", "ledger_unavailable"),
    IndexUnavailable: (503, "server_error", "index_unavailable"),
    SandboxError: (503, "server_error", "sandbox_unavailable"),
}


def http_error(error: Exception) -> Response | None:
    """The answer for an error that is in the table; None for an unforeseen one."""
    if isinstance(error, EngineError):
        body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return JSONResponse({"error": body}, error.status, error_headers(error))
    for kind, (status, type_, code) in TABLE.items():
        if isinstance(error, kind):
            headers = {"retry-after": "5"} if status == 503 else None
            return JSONResponse(
                {"error": {"message": str(error), "type": type_, "param": None, "code": code}}, status, headers
            )
    return None


def internal_error(request_id: str) -> bytes:
    """The body for what nobody foresaw: no detail, but the id under which the log has it."""
    message = f"The appliance made an error; its log has it under {request_id}."
    return json.dumps(
        {"error": {"message": message, "type": "server_error", "param": None, "code": "internal_error"}}
    ).encode()
