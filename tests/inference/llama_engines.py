"""llama.cpp engines for tests, and short greedy requests to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from inference.catalog import LlamaCppModel
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import ChatRequest, Sampling


def spec(**fields: Any) -> LlamaCppModel:
    defaults: dict[str, Any] = {
        "engine": "llama.cpp",
        "name": "tiny",
        "tier": "draft",
        "source": "path:tiny.gguf",
        "context_tokens": 256,
        "capabilities": ["chat", "completion", "infill", "embeddings", "json_schema", "logprobs"],
        "threads": 1,
    }
    return LlamaCppModel.model_validate({**defaults, **fields})


@asynccontextmanager
async def engine_of(weights: Path, **fields: Any) -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(spec(**fields), weights)
    try:
        yield engine
    finally:
        await engine.close()


def prompt(text: str = "def add(", **sampling: Any) -> ChatRequest:
    return ChatRequest("tiny", prompt=text, sampling=Sampling(**{"temperature": 0, "max_tokens": 24, **sampling}))
