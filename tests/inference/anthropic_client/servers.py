"""Servers on the loopback that stand where Anthropic's would, and the engine that speaks to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inference.anthropic.client import AnthropicEngine
from inference.anthropic.routes import messages_router
from inference.catalog import AnthropicModel
from inference.protocol import ChatRequest, Engine, Message
from tests.inference.serving import caller, serve

KEY = "sk-ant-very-secret-123"
ASK = ChatRequest("far", messages=(Message("user", "what is this?"),), request_id="req_7")
STREAMS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "streams").glob("*.sse"))}
Answer = Callable[[], Response]


def spec(url: str = "http://127.0.0.1:9/v1", **fields: Any) -> AnthropicModel:
    """An entry of models.yaml."""
    defaults: dict[str, Any] = {
        "engine": "anthropic",
        "name": "far",
        "model": "claude-opus-4-8",
        "tier": "premium",
        "context_tokens": 1000,
        "api_key_env": "FAR_KEY",
        "max_tokens": 64,
    }
    return AnthropicModel.model_validate({**defaults, "url": url, **fields})


def app_for(engine: Engine) -> FastAPI:
    """An application that has our own Messages routes for `engine` and nothing else."""
    app = FastAPI()
    app.include_router(messages_router(engine, caller))
    return app


class Far:
    """Answers as Anthropic's cloud does to who has the key and names the version; remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[tuple[str, Mapping[str, str], Any]] = []

    async def reply(self, request: Request) -> Response:
        body = await request.json() if request.method == "POST" else None
        self.asked.append((request.url.path, dict(request.headers), body))
        if request.headers.get("x-api-key") != KEY or "authorization" in request.headers:
            return failed(401, "authentication_error", f"invalid x-api-key: {KEY}")
        if request.headers.get("anthropic-version") != "2023-06-01":
            return failed(400, "invalid_request_error", "anthropic-version: header is required")
        return JSONResponse({"data": []}) if request.method == "GET" else self._answer()


def failed(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as Anthropic documents it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_at_the_other_end"}
    return JSONResponse(body, status, headers)


def played(stream: bytes, size: int | None = None, gate: asyncio.Event | None = None) -> Answer:
    """The bytes as they are, `size` at a time; after them nothing more until the gate opens."""

    async def body() -> AsyncIterator[bytes]:
        step = size or len(stream)
        for begin in range(0, len(stream), step):
            yield stream[begin : begin + step]
            await asyncio.sleep(0)
        if gate is not None:
            await gate.wait()

    return lambda: StreamingResponse(body(), media_type="text/event-stream")


@asynccontextmanager
async def engine_at(answer: Answer, key: str = KEY, **fields: Any) -> AsyncIterator[tuple[AnthropicEngine, Far]]:
    """The engine, and the server at its other end."""
    far = Far(answer)
    async with serve(Starlette(routes=[Route("/{path:path}", far.reply, methods=["GET", "POST"])])) as url:
        engine = AnthropicEngine(spec(f"{url}/v1", **fields), key)
        try:
            yield engine, far
        finally:
            await engine.close()
