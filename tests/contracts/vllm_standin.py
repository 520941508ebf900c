"""Stands in for `python -m vllm.entrypoints.openai.api_server`: our routes with the scripted engine.

Run by the vLLM engine under test. It understands the arguments that the engine passes; GET /in_flight
says how many requests are being answered, GET /environment what it was started with.
"""

from __future__ import annotations

import argparse
import os

import uvicorn
from fastapi.responses import JSONResponse, PlainTextResponse

from inference.scripted import ScriptedEngine
from tests.contracts.engines import SCRIPT
from tests.inference.serving import app_for


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", dest="module", choices=["vllm.entrypoints.openai.api_server"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--host", choices=["127.0.0.1"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--max-num-seqs", type=int, required=True)
    parser.add_argument("--generation-config", choices=["vllm"], required=True)
    given = parser.parse_args()
    engine = ScriptedEngine(
        SCRIPT.model_copy(update={"name": given.served_model_name, "context_tokens": given.max_model_len})
    )
    app = app_for(engine)

    @app.get("/in_flight")
    async def in_flight() -> PlainTextResponse:
        return PlainTextResponse(str(engine.in_flight))

    @app.get("/environment")
    async def environment() -> JSONResponse:
        return JSONResponse({"pid": os.getpid(), **os.environ})

    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", ws="none")


if __name__ == "__main__":
    main()
