"""Stands in for `python -m vllm.entrypoints.openai.api_server`: our routes with the scripted engine.

Run by the vLLM engine under test. It understands the arguments that the engine passes; GET /in_flight
says how many requests are being answered, GET /environment what it was started with, GET /adapters what was loaded.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse

from inference.catalog import ScriptedModel, ScriptedReply
from inference.openai.requests import TokenizeBody
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens
from inference.scripted import ScriptedEngine
from tests.contracts.engines import SCRIPT
from tests.inference.serving import CALLER, app_for


def main() -> None:
    """Serve until told to stop."""
    given = _arguments()
    changes = {
        "name": given.served_model_name,
        "context_tokens": given.max_model_len,
        "replies": (*SCRIPT.replies, ScriptedReply(text="An answer to whatever is asked.")),
    }
    engine = Adaptable(SCRIPT.model_copy(update=changes))
    app = app_for(engine)
    _add_what_vllm_has(app, engine, given.max_model_len)

    @app.get("/in_flight")
    async def in_flight() -> PlainTextResponse:
        return PlainTextResponse(str(engine.script.in_flight))

    @app.get("/environment")
    async def environment() -> JSONResponse:
        return JSONResponse({"pid": os.getpid(), **os.environ})

    uvicorn.run(app, uds=given.uds, log_level="warning", ws="none")


class Adaptable:
    """The scripted engine, and one for each adapter, which says its name and its folder's."""

    def __init__(self, model: ScriptedModel) -> None:
        self._model = model
        self.script = ScriptedEngine(model)
        self._adapted: dict[str, ScriptedEngine] = {}
        self.folders: dict[str, str] = {}

    def load(self, name: str, folder: str) -> None:
        reply = ScriptedReply(text=f"This is {name} of {Path(folder).name}.")
        self._adapted[name] = ScriptedEngine(self._model.model_copy(update={"name": name, "replies": (reply,)}))
        self.folders[name] = folder

    def unload(self, name: str) -> None:
        del self._adapted[name], self.folders[name]

    def models(self) -> Sequence[ModelCard]:
        return [card for engine in (self.script, *self._adapted.values()) for card in engine.models()]

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        return self._of(request.model).stream(request)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        return await self._of(request.model).embed(request)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        return await self._of(request.model).tokenize(request)

    async def health(self) -> Health:
        return await self.script.health()

    async def close(self) -> None:
        """Nothing is held."""

    def _of(self, name: str) -> ScriptedEngine:
        return self._adapted.get(name, self.script)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", dest="module", choices=["vllm.entrypoints.openai.api_server"], required=True)
    for text in ("--model", "--served-model-name", "--uds"):
        parser.add_argument(text, required=True)
    for number in ("--max-model-len", "--max-num-seqs", "--max-num-queued-reqs"):
        parser.add_argument(number, type=int, required=True)
    parser.add_argument("--generation-config", choices=["vllm"], required=True)
    parser.add_argument("--enable-prompt-tokens-details", action="store_true", required=True)
    parser.add_argument("--worker-extension-cls", choices=["bailey_worker.Extension"])
    parser.add_argument("--enable-lora", action="store_true")
    for number in ("--max-loras", "--max-lora-rank"):
        parser.add_argument(number, type=int)
    return parser.parse_args()


def _add_what_vllm_has(app: FastAPI, engine: Adaptable, context_tokens: int) -> None:
    """Routes beside OpenAI's."""

    @app.post("/v1/load_lora_adapter")
    async def load(lora_name: Annotated[str, Body()], lora_path: Annotated[str, Body()]) -> None:
        assert os.environ["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
        engine.load(lora_name, lora_path)

    @app.post("/v1/unload_lora_adapter")
    async def unload(lora_name: Annotated[str, Body(embed=True)]) -> None:
        engine.unload(lora_name)

    @app.get("/adapters")
    async def loaded() -> JSONResponse:
        return JSONResponse(engine.folders)

    @app.get("/health")
    async def health() -> None:
        """Being here is the answer."""

    @app.post("/tokenize")
    async def tokenize(body: TokenizeBody) -> JSONResponse:
        tokens = await engine.tokenize(body.read(CALLER, "req_1"))
        return JSONResponse({"count": tokens.count, "tokens": tokens.ids, "max_model_len": context_tokens})


if __name__ == "__main__":
    main()
