"""From one entry of models.yaml to one Engine. Adding an engine is a file, a model class and a case here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from inference.catalog import (
    AnthropicModel,
    HttpModel,
    LlamaCppModel,
    ModelSpec,
    ScriptedModel,
    UpstreamModel,
    VllmModel,
)
from inference.errors import AuthenticationFailed
from inference.protocol import Engine
from inference.weights import WeightsStore


@dataclass(frozen=True, slots=True)
class Resources:
    """What engines are made with: where weights are, the values of secrets by name, a folder for logs."""

    weights: WeightsStore
    log_dir: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


async def build_engine(spec: ModelSpec, resources: Resources) -> Engine:
    """The engine for a model; weights are fetched, checked and loaded before it is returned.

    A vLLM server is only started: until it is up, the engine says in its health what it waits for.
    Raises `WeightsError` or `AuthenticationFailed` (the key is not there); nothing is left running then.
    """
    match spec:
        case ScriptedModel():
            from inference.scripted import ScriptedEngine

            return ScriptedEngine(spec)
        case HttpModel():
            from inference.http import HttpEngine

            return HttpEngine(spec, _key(spec, resources.secrets))
        case AnthropicModel():
            from inference.anthropic.client import AnthropicEngine

            return AnthropicEngine(spec, _key(spec, resources.secrets))
        case LlamaCppModel():
            from inference.isolated.engine import IsolatedEngine

            path = await asyncio.to_thread(resources.weights.gguf, spec.source, spec.sha256)
            isolated = IsolatedEngine(spec, path, resources.log_dir, hidden=tuple(resources.secrets))
            await isolated.start()
            return isolated
        case VllmModel():
            from inference.vllm.engine import VllmEngine

            path = await asyncio.to_thread(resources.weights.folder, spec.source, spec.sha256)
            engine = VllmEngine(spec, path, resources.log_dir, hidden=tuple(resources.secrets))
            engine.start()
            return engine
        case _:
            assert_never(spec)


def _key(spec: UpstreamModel, secrets: Mapping[str, str]) -> str | None:
    if spec.api_key_env is None:
        return None
    if not secrets.get(spec.api_key_env):
        raise AuthenticationFailed(
            f"The model {spec.name!r} needs a key in the environment variable {spec.api_key_env}, which is not set."
        )
    return secrets[spec.api_key_env]
