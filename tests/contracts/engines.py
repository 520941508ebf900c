"""Every implementation of Engine, ready for the contract suite. Adding one is a factory and a line in ENGINES."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from inference.catalog import Catalog, HttpModel, LlamaCppModel, ScriptedModel, ScriptedReply, VllmModel
from inference.cluster.engine import ClusterEngine
from inference.cluster.messages import Replica
from inference.cluster.pool import Pool
from inference.cluster.replica import Door, replica_app
from inference.http import HttpEngine
from inference.isolated.engine import IsolatedEngine
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import Capability, Engine
from inference.scripted import ScriptedEngine
from inference.vllm.engine import VllmEngine
from ledger.sql_ledger import open_ledger
from router.decide import Rules
from router.router import Router
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
    # The stand-in can do more at once than vLLM can, which models.yaml therefore refuses.
    spec = vllm_spec(write_interpreter(folder)).model_copy(update={"capabilities": CAPABILITIES})
    engine = VllmEngine(spec, folder, folder / "logs", first_pause_seconds=0.05)
    engine.start()

    async def ready() -> bool:
        return (await engine.health()).ready

    async def in_flight() -> int:
        return int(await ask_child(engine, "/in_flight"))

    try:
        await eventually(ready, within_seconds=60)
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Subject]:
    """The engine of a model on a cluster, with two replicas behind real doors; only Ray, which placed them, is not."""
    far = [LlamaCppEngine(LLAMA_CPP, write_tiny_model(folder / f"{name}.gguf")) for name in "ab"]
    doors = [Door("token"), Door("token")]
    pool = Pool(NAME, 3, 5.0, time.monotonic)
    engine = ClusterEngine(LLAMA_CPP, pool, "token")

    async def in_flight() -> int:
        return sum(each.in_flight for each in far)

    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(serve(door.around(replica_app(each))))
            for door, each in zip(doors, far, strict=True)
        ]
        pool.update([Replica(model=NAME, id=url, url=url, ready=True) for url in urls])
        for each in far:
            stack.push_async_callback(each.close)
        stack.push_async_callback(engine.close)
        yield Subject(engine, in_flight)


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


async def ask_child(engine: VllmEngine, path: str) -> str:
    """What the server itself answers to a GET."""
    transport = httpx.AsyncHTTPTransport(uds=str(engine.socket), trust_env=False, verify=False)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return (await client.get(f"http://vllm{path}")).text


def vllm_spec(python: Path) -> VllmModel:
    """A model whose vLLM runs in the given interpreter."""
    return VllmModel(
        engine="vllm",
        name=NAME,
        tier="draft",
        context_tokens=CONTEXT_TOKENS,
        capabilities=frozenset({"chat", "completion", "logprobs"}),
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
    "cluster": cluster,
    "router": router,
}
