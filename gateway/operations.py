"""What operators ask: is the process alive, would a request be answered, what was measured."""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.telemetry import EXPOSITION_TYPE, Telemetry

Readiness = Callable[[], Awaitable[dict[str, str]]]
Memory = Callable[[], dict[str, str]]


def operations_router(readiness: Readiness, memory: Memory, telemetry: Telemetry) -> APIRouter:
    """The routes.

    `readiness` gives what is not ready: part -> sentence; empty when all is well. `memory` gives what engines take:
    model -> phrase.
    """
    router = APIRouter(tags=["operations"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {"description": "Not yet, or not any more."}})
    async def readyz() -> JSONResponse:
        """Whether requests are answered; 503 with what is missing. And the memory of engines."""
        missing = await readiness()
        status = "not ready" if missing else "ready"
        return JSONResponse({"status": status, "missing": missing, "memory": memory()}, 503 if missing else 200)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus' text format."""
        return Response(telemetry.exposition(), media_type=EXPOSITION_TYPE)

    return router
