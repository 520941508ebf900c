"""Every implementation of Engine, ready for the contract suite. Adding one is a factory and a line in ENGINES."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from inference.catalog import Catalog, HttpModel, LlamaCppModel, ScriptedModel, ScriptedReply, VllmModel
from inference.http import HttpEngine
from inference.isolated.engine import IsolatedEngine
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import Capability, Engine
from inference.scripted import ScriptedEngine
from inference.vllm import VllmEngine
from ledger.sql_ledger import open_ledger
from router.router import Router, Rules
from router.spec import TenantSpec
from tests.inference.serving import app_for, eventually, serve
from tests.inference.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
NAME = "subject"
CONTEXT_TOKENS = 256
CAPABILITIES: frozenset[Capability] = frozenset({"chat", "completion", "embeddings", "logprobs"})
SCRIPT = ScriptedModel(
    engine="scripted",
    name=NAME,
    tier="draft",
    context_tokens=CONTEXT_TOKENS,
    capabilities=CAPABILITIES,
    replies=tuple(
        ScriptedReply(when=str(number), text=f"Answer {number} " + " ".join(f"w{number}{word}" for word in range(40)))
        for number in range(10)
    ),
    delay_seconds=0.001,
)


LLAMA_CPP = LlamaCppModel(
    engine="llama.cpp",
    name=NAME,
    tier="draft",
    context_tokens=CONTEXT_TOKENS,
    capabilities=CAPABILITIES,
    source="path:tiny.gguf",
    concurrency=3,
    threads=1,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine under test that serves the model NAME, and how many requests are in flight inside it."""

    engine: Engine
    in_flight: Callable[[], Awaitable[int]]


Factory = Callable[[Path], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def scripted(_folder: Path) -> AsyncIterator[Subject]:
    """The fake itself."""
    engine = ScriptedEngine(SCRIPT)

    async def in_flight() -> int:
        return engine.in_flight

    try:
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@asynccontextmanager
async def http(_folder: Path) -> AsyncIterator[Subject]:
    """The HTTP engine against our own routes, over a real socket."""
    far = ScriptedEngine(SCRIPT)

    async def in_flight() -> int:
        return far.in_flight

    async with serve(app_for(far)) as url:
        engine = HttpEngine(
            HttpModel(
                engine="http",
                name=NAME,
                tier="draft",
                context_tokens=CONTEXT_TOKENS,
                capabilities=CAPABILITIES,
                url=f"{url}/v1",
            )
        )
        try:
            yield Subject(engine, in_flight)
        finally:
            await engine.close()


@asynccontextmanager
async def llama_cpp(folder: Path) -> AsyncIterator[Subject]:
    """The llama.cpp engine on a tiny model with random weights."""
    engine = LlamaCppEngine(LLAMA_CPP, write_tiny_model(folder / "tiny.gguf"))

    async def in_flight() -> int:
        return engine.in_flight

    try:
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@asynccontextmanager
async def isolated(folder: Path) -> AsyncIterator[Subject]:
    """The same engine in a process of its own."""
    engine = IsolatedEngine(LLAMA_CPP, write_tiny_model(folder / "tiny.gguf"), folder / "logs")
    await engine.start()

    async def in_flight() -> int:
        return sum(map(int, re.findall(r"\b[0-9]+(?= of | wait)", (await engine.health()).detail)))

    try:
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@asynccontextmanager
async def vllm(folder: Path) -> AsyncIterator[Subject]:
    """The vLLM engine with a child that is a small OpenAI server of our own instead of vLLM's."""
    engine = VllmEngine(vllm_spec(write_interpreter(folder)), folder, folder / "logs", first_pause_seconds=0.05)
    engine.start()

    async def ready() -> bool:
        return (await engine.health()).ready

    async def in_flight() -> int:
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            return int((await client.get(f"{engine.url}/in_flight")).text)

    try:
        await eventually(ready, within_seconds=60)
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@asynccontextmanager
async def router(folder: Path) -> AsyncIterator[Subject]:
    """The router in front of the fake, with a ledger and budget of its own."""
    engine = ScriptedEngine(SCRIPT)
    tenant = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1}}
    catalog = Catalog(tiers=("draft",), models=(SCRIPT,))
    rules = Rules(catalog, routes={}, tenants={"default": TenantSpec.model_validate(tenant)}, air_gapped=True)
    ledger = await open_ledger(f"sqlite:///{folder}/ledger.db")

    async def in_flight() -> int:
        return engine.in_flight

    try:
        yield Subject(Router(rules, {NAME: engine}, ledger, ledger), in_flight)
    finally:
        await engine.close()
        await ledger.close()


def vllm_spec(python: Path) -> VllmModel:
    """A model whose vLLM runs in the given interpreter."""
    return VllmModel(
        engine="vllm",
        name=NAME,
        tier="draft",
        context_tokens=CONTEXT_TOKENS,
        capabilities=CAPABILITIES,
        source="path:folder",
        python=str(python),
    )


def write_interpreter(folder: Path) -> Path:
    """An executable that stands where vLLM's interpreter would: it starts the stand-in."""
    script = folder / "python"
    command = f"exec {shlex.quote(sys.executable)} -m tests.contracts.vllm_standin"
    script.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))}\n{command} "$@"\n')
    script.chmod(0o755)
    return script


ENGINES: dict[str, Factory] = {
    "scripted": scripted,
    "http": http,
    "llama_cpp": llama_cpp,
    "isolated": isolated,
    "vllm": vllm,
    "router": router,
}
