"""Which HTTP status and code an error of any package has: one table, in OpenAI's shape or that of Anthropic's routes.

Engine errors carry theirs themselves (inference/errors.py); everything else is listed here.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from inference.anthropic.errors import OVERLOADED
from inference.anthropic.routes import MESSAGES
from inference.anthropic.routes import error_response as messages_error
from inference.errors import EngineError
from inference.wire.route import retry_after
from ledger.protocol import BodyLetGo, LedgerError
from retrieval.protocol import IndexUnavailable
from router.versions.loading import AdapterProblem, UnknownAdapter
from router.versions.register import ReleaseProblem, UnknownVersion, WrongRelease
from sandbox.protocol import SandboxError


class BodyTooLarge(Exception):
    """The request's body is longer than the appliance takes."""


class BodyTooSlow(Exception):
    """The request's body did not arrive in time."""


class UnknownDataClass(Exception):
    """The request names a data class that models.yaml does not declare."""


class UnknownWorkload(Exception):
    """The request names a workload that its tenant does not have."""


class UnusableTaskName(Exception):
    """The request names its task in a way that no account can be named."""


class UnknownRoute(Exception):
    """No call of this request is on record, or it is another tenant's."""


# (status, OpenAI error type, code); the first entry that an error is an instance of counts.
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    InvalidKey: (401, "authentication_error", "invalid_api_key"),
    ExpiredKey: (401, "authentication_error", "expired_api_key"),
    RoleTooLow: (403, "permission_error", "insufficient_role"),
    BodyTooLarge: (413, "invalid_request_error", "body_too_large"),
    BodyTooSlow: (408, "invalid_request_error", "body_too_slow"),
    UnknownDataClass: (400, "invalid_request_error", "unknown_data_class"),
    UnknownWorkload: (400, "invalid_request_error", "unknown_workload"),
    UnusableTaskName: (400, "invalid_request_error", "invalid_task_name"),
    UnknownRoute: (404, "invalid_request_error", "route_not_found"),
    InvalidTask: (400, "invalid_request_error", "invalid_task"),
    RepositoryNotFound: (404, "invalid_request_error", "repository_not_found"),
    RepositoryProblem: (409, "invalid_request_error", "repository_problem"),
    UnknownTask: (404, "invalid_request_error", "task_not_found"),
    WrongState: (409, "invalid_request_error", "wrong_state"),
    ApprovalRefused: (403, "permission_error", "approval_refused"),
    UnknownVersion: (404, "invalid_request_error", "version_not_found"),
    UnknownAdapter: (404, "invalid_request_error", "adapter_not_found"),
    AdapterProblem: (400, "invalid_request_error", "invalid_adapter"),
    WrongRelease: (409, "invalid_request_error", "wrong_state"),
    ReleaseProblem: (400, "invalid_request_error", "invalid_version"),
    TaskError: (400, "invalid_request_error", "task_error"),
    BodyLetGo: (410, "invalid_request_error", "body_let_go"),
    LedgerError: (503, "server_error", "ledger_unavailable"),
    IndexUnavailable: (503, "server_error", "index_unavailable"),
    SandboxError: (503, "server_error", "sandbox_unavailable"),
}


def http_error(error: Exception, path: str, request_id: str) -> Response | None:
    """The answer for an error that is in the table, in the format of the path; None for an unforeseen one."""
    if isinstance(error, EngineError):
        problem = _Problem(error.status, error.type, error.code, error.message, error.param)
        return _answer(path, request_id, problem, retry_after(error))
    for kind, (status, type_, code) in TABLE.items():
        if isinstance(error, kind):
            headers = {"retry-after": "5"} if status == 503 else {}
            return _answer(path, request_id, _Problem(status, type_, code, str(error)), headers)
    return None


def plain_error(status: int, message: str, path: str, request_id: str) -> Response:
    """The answer for what the framework refuses: no such path, wrong method."""
    return _answer(path, request_id, _Problem(status, "invalid_request_error", "http_error", message), {})


def internal_error(path: str, request_id: str) -> Response:
    """The answer for what nobody foresaw: no detail, but the id under which the log has it."""
    message = f"The appliance made an error; its log has it under {request_id}."
    return _answer(path, request_id, _Problem(500, "server_error", "internal_error", message), {})


@dataclass(frozen=True, slots=True)
class _Problem:
    status: int
    type: str
    code: str
    message: str
    param: str | None = None


def _answer(path: str, request_id: str, problem: _Problem, headers: dict[str, str]) -> Response:
    if path.startswith(MESSAGES):
        status = OVERLOADED if problem.status == 503 else problem.status
        return messages_error(status, problem.message, request_id, headers)
    body = {"message": problem.message, "type": problem.type, "param": problem.param, "code": problem.code}
    return JSONResponse({"error": body}, problem.status, headers)
