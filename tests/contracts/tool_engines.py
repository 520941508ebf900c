"""Every engine that calls tools by itself or passes calls on, all with the same tiny model at the innermost end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from inference.catalog import Catalog, HttpModel, LlamaCppModel
from inference.http import HttpEngine
from inference.isolated.engine import IsolatedEngine
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import Capability, Engine
from ledger.sql_ledger import open_ledger
from router.decide import Rules
from router.router import Router
from router.spec import TenantSpec
from tests.inference.serving import app_for, serve
from tests.inference.tiny_model import write_tiny_model
from tests.inference.tool_models import CONTEXT, SHAPES

NAME = "tiny"
CAPABILITIES: frozenset[Capability] = frozenset({"chat", "tools", "json_schema", "logprobs"})
LLAMA_CPP = LlamaCppModel(
    engine="llama.cpp",
    name=NAME,
    tier="draft",
    context_tokens=CONTEXT,
    capabilities=CAPABILITIES,
    source="path:tiny.gguf",
    concurrency=3,
    threads=1,
)

Factory = Callable[[Path], AbstractAsyncContextManager[Engine]]


@asynccontextmanager
async def llama_cpp(folder: Path) -> AsyncIterator[Engine]:
    """The llama.cpp engine."""
    engine = LlamaCppEngine(LLAMA_CPP, write_tiny_model(folder / "tiny.gguf", SHAPES["hermes"]))
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def isolated(folder: Path) -> AsyncIterator[Engine]:
    """The same engine in a process of its own."""
    weights = write_tiny_model(folder / "tiny.gguf", SHAPES["hermes"])
    engine = IsolatedEngine(LLAMA_CPP, weights, folder / "logs")
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def http(folder: Path) -> AsyncIterator[Engine]:
    """The HTTP engine against our own routes, over a real socket."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(app_for(await stack.enter_async_context(llama_cpp(folder)))))
        fields = LLAMA_CPP.model_dump(include={"name", "tier", "context_tokens", "capabilities"})
        engine = HttpEngine(HttpModel(engine="http", url=f"{url}/v1", **fields))
        stack.push_async_callback(engine.close)
        yield engine


@asynccontextmanager
async def router(folder: Path) -> AsyncIterator[Engine]:
    """The router, with a ledger and budget of its own."""
    tenant = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1}}
    catalog = Catalog(tiers=("draft",), models=(LLAMA_CPP,))
    rules = Rules(catalog, routes={}, tenants={"default": TenantSpec.model_validate(tenant)}, air_gapped=True)
    ledger = await open_ledger(f"sqlite:///{folder}/ledger.db")
    try:
        async with llama_cpp(folder) as engine:
            yield Router(rules, {NAME: engine}, ledger, ledger)
    finally:
        await ledger.close()


TOOL_ENGINES: dict[str, Factory] = {"llama_cpp": llama_cpp, "isolated": isolated, "http": http, "router": router}
