"""A router over scripted engines and a real ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inference.catalog import Catalog, ScriptedModel
from inference.scripted import ScriptedEngine
from ledger.sql_ledger import SqlLedger, open_ledger
from router.decide import Rules
from router.router import Router
from router.spec import RouteSpec, TenantSpec

CATALOG = Catalog.model_validate(
    {
        "tiers": ["draft", "standard", "premium"],
        "models": [
            {
                "name": "small",
                "engine": "scripted",
                "tier": "draft",
                "context_tokens": 1000,
                "capabilities": ["chat", "completion", "embeddings"],
                "price": {"input_usd_per_million": 1, "output_usd_per_million": 2},
                "concurrency": 2,
                "queue": 1,
                "replies": [{"text": "small says these five words"}],
            },
            {
                "name": "middle",
                "engine": "scripted",
                "tier": "standard",
                "context_tokens": 4000,
                "price": {"input_usd_per_million": 10, "output_usd_per_million": 20},
                "replies": [{"text": "middle says so"}],
            },
            {
                "name": "cloud",
                "engine": "scripted",
                "tier": "premium",
                "location": "cloud",
                "data_classes": ["public"],
                "context_tokens": 100_000,
                "price": {"input_usd_per_million": 100, "output_usd_per_million": 200},
                "replies": [{"text": "cloud says so"}],
            },
        ],
    }
)
ROUTES = {"auto": RouteSpec(name="auto", models=("cloud", "middle", "small"), thresholds=(0.5, 0.9))}
TENANTS = {
    "default": TenantSpec.model_validate(
        {"name": "default", "data_class": "internal", "budget": {"limit_usd": "1", "window": "total"}}
    ),
    "poor": TenantSpec.model_validate(
        {"name": "poor", "data_class": "internal", "budget": {"limit_usd": "0.003", "window": "total"}}
    ),
    "narrow": TenantSpec.model_validate(
        {"name": "narrow", "data_class": "internal", "budget": {"limit_usd": "1"}, "models": ["middle"]}
    ),
}


def rules(*, air_gapped: bool = False) -> Rules:
    return Rules(CATALOG, ROUTES, TENANTS, air_gapped)


def scripted(name: str, **changes: object) -> ScriptedEngine:
    """The engine of a model of the catalogue, with some settings changed."""
    model = CATALOG.get(name)
    assert isinstance(model, ScriptedModel)
    return ScriptedEngine(model.model_copy(update=changes))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    store = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield store
    await store.close()


@pytest.fixture
async def router(ledger: SqlLedger) -> AsyncIterator[Router]:
    engines = {name: scripted(name) for name in ("small", "middle", "cloud")}
    made = Router(rules(), engines, ledger, ledger)
    yield made
    await made.close()
    for engine in engines.values():
        await engine.close()
