"""`python -m bench.api.server`: our routes over a scripted engine, without the rest of the appliance.

`/bare` is what FastAPI and uvicorn take for themselves: it validates the same body and sends bytes that were ready.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

import asyncio
import json
import socket
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from inference.anthropic.routes import messages_router
from inference.catalog import ScriptedModel
from inference.openai.requests import ChatBody
from inference.openai.routes import engine_router
from inference.protocol import Caller, Message
from inference.responses.routes import responses_router
from inference.responses.store import ResponseNotFound, StoredResponse
from inference.scripted import ScriptedEngine

PIECES = 1000
MODEL = ScriptedModel.model_validate(
    {
        "name": "m",
        "engine": "scripted",
        "tier": "draft",
        "context_tokens": 4096,
        "replies": [{"when": "long", "text": " ".join(["word"] * PIECES)}, {"text": "hello world"}],
    }
)
ANSWER = json.dumps({"choices": [{"message": {"role": "assistant", "content": "hello world"}}]}).encode()


class NothingKept:
    """A store for requests that want nothing to be kept."""

    async def put(self, caller: Caller, response: StoredResponse) -> None:
        """Nothing."""

    async def get(self, caller: Caller, response_id: str) -> StoredResponse:
        """Nothing is here."""
        raise ResponseNotFound(response_id)

    async def continued(self, caller: Caller, response_id: str) -> tuple[Caller, tuple[Message, ...]]:
        """Nothing is here."""
        raise ResponseNotFound(response_id)

    async def delete(self, caller: Caller, response_id: str) -> None:
        """Nothing is here."""
        raise ResponseNotFound(response_id)


async def caller() -> Caller:
    """Everybody."""
    return Caller()


def application() -> FastAPI:
    """All formats, and the bare route."""
    app, engine = FastAPI(), ScriptedEngine(MODEL)
    app.include_router(engine_router(engine, caller))
    app.include_router(messages_router(engine, caller))
    app.include_router(responses_router(engine, NothingKept(), caller))

    @app.post("/bare")
    async def bare(body: ChatBody) -> Response:
        if not body.stream:
            return Response(ANSWER, media_type="application/json")
        return StreamingResponse(pieces(), media_type="text/event-stream")

    return app


async def pieces() -> AsyncGenerator[bytes, None]:
    """As many events as the scripted engine has words, each the same bytes."""
    event = b"data: " + ANSWER + b"\n\n"
    for _ in range(PIECES):
        await asyncio.sleep(0)
        yield event
    yield b"data: [DONE]\n\n"


def main() -> None:
    """Serve on a free port of the loopback, which is printed, until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        print(listening.getsockname()[1], flush=True)
        server = uvicorn.Server(uvicorn.Config(application(), log_config=None, access_log=False, lifespan="off"))
        asyncio.run(server.serve(sockets=[listening]))


if __name__ == "__main__":
    main()
