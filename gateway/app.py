"""The HTTP application: routes, errors and the envelope around them. Everything it needs is handed over."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.access import Access
from gateway.assemble import Appliance
from gateway.budgets_api import budgets_router
from gateway.envelope import Envelope
from gateway.errors import TABLE, http_error, internal_error, plain_error
from gateway.operations import operations_router
from gateway.routes_api import routes_router
from gateway.tasks_api import tasks_router
from gateway.versions_api import versions_router
from inference.anthropic.routes import messages_router
from inference.errors import EngineError
from inference.openai.routes import engine_router, error_response
from inference.responses.routes import responses_router
from inference.wire.body import explain


def create_app(appliance: Appliance) -> FastAPI:
    """The application over an assembled appliance."""
    app = FastAPI(title="Bailey", version=version("bailey"), docs_url=None, redoc_url=None)
    access = Access(appliance.keys, appliance.config)
    developer, approver = access.caller("developer"), access.caller("approver")
    app.include_router(versions_router(appliance.fleet, appliance.config.tenants, developer, approver))
    app.include_router(engine_router(appliance.engine, developer))
    app.include_router(messages_router(appliance.engine, developer))
    app.include_router(responses_router(appliance.engine, appliance.responses, developer))
    app.include_router(tasks_router(appliance.tasks, appliance.config.tenants, developer, approver))
    app.include_router(budgets_router(appliance.config, appliance.accounts, developer))
    app.include_router(routes_router(appliance.router, appliance.ledger, developer))
    app.include_router(operations_router(appliance.readiness, appliance.memory, appliance.telemetry))
    app.add_exception_handler(EngineError, _known_error)
    for kind in TABLE:
        app.add_exception_handler(kind, _known_error)
    app.add_exception_handler(RequestValidationError, _invalid_body)
    app.add_exception_handler(HTTPException, _plain_error)
    app.add_middleware(Envelope, telemetry=appliance.telemetry, admit=access.admit)
    return app


async def _known_error(request: Request, error: Exception) -> Response:
    path, request_id = request.url.path, request.state.request_id
    return http_error(error, path, request_id) or internal_error(path, request_id)


async def _invalid_body(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return error_response(explain(errors))


async def _plain_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors (no such path, wrong method) in our shapes."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "error"
    path = request.url.path
    return plain_error(status, f"{request.method} {path}: {detail}.", path, request.state.request_id)
