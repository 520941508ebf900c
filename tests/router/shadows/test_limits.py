"""Under whatever is declared: no shadow leaves the walls with what may not, and no budget is overshot by one.

The model outside is a real server on the loopback, which keeps every body that it gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.catalog import Catalog, HttpModel
from inference.collect import complete
from inference.errors import EngineError
from inference.http import HttpEngine
from inference.protocol import Caller, ChatRequest, Completion, Engine, Message, Sampling
from ledger.protocol import Entry, tenant_account
from ledger.sql_ledger import SqlLedger, open_ledger
from router.decide import Rules
from router.privacy.spec import PrivacySpec
from router.router import Router
from router.shadows.engine import shadowing
from router.sharing import SharingEngine
from router.spec import RouteSpec, TenantSpec
from router.workloads import WorkloadSpec
from tests.inference.serving import app_for, serve
from tests.router.conftest import CATALOG, scripted
from tests.router.shadows.house import House, ask, under_way

CLASSES = ("public", "internal", "confidential")
ADDRESS = "ada.lovelace@analytical-engines.org"
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Outside:
    """The server's application, and what it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.bodies: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted() -> Any:
            message = await receive()
            if message.get("body"):
                self.bodies.append(message["body"].decode())
            return message

        await self._app(scope, noted if scope["type"] == "http" else receive, send)


@dataclass
class World:
    """One ledger and one server outside for all examples; each example is a tenant of its own."""

    runner: asyncio.Runner
    ledger: SqlLedger
    url: str
    outside: Outside
    tenants: int = 0

    def tenant(self, **more: Any) -> TenantSpec:
        self.tenants += 1
        named = {"name": f"t{self.tenants}", "data_class": "public", "budget": {"limit_usd": 1}}
        return TenantSpec.model_validate({**named, **more})

    async def calls(self, tenant: str) -> list[Entry]:
        return [call for call in await self.ledger.read(stream="calls") if call.tenant == tenant]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    async def open_world() -> World:
        ledger = await stack.enter_async_context(
            _closing(await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('world')}/ledger.db"))
        )
        app = Outside(app_for(scripted("cloud")))
        return World(runner, ledger, await stack.enter_async_context(serve(app)), app)

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        yield runner.run(open_world())
        runner.run(stack.aclose())


@asynccontextmanager
async def _closing(ledger: SqlLedger) -> AsyncGenerator[SqlLedger, None]:
    yield ledger
    await ledger.close()


def _catalog(url: str, sees: list[str] | None) -> Catalog:
    cloud = {"name": "cloud", "engine": "http", "url": f"{url}/v1", "model": "cloud", "location": "cloud"}
    more = {"tier": "premium", "context_tokens": 1000, "data_classes": sees}
    small = CATALOG.get("small")
    assert small
    return Catalog.model_validate(
        {"tiers": list(CATALOG.tiers), "models": [small.model_dump(), {**cloud, **more}]},
    )


DECLARED = st.fixed_dictionaries(
    {
        "sees": st.none() | st.lists(st.sampled_from(CLASSES), unique=True),
        "air_gapped": st.booleans(),
        "personal": st.sampled_from(["allow", "redact", "local", "refuse"]),
        "tenant_models": st.sampled_from([["*"], ["auto"], ["auto", "cloud"]]),
        "share": st.booleans(),
        "fallback": st.booleans(),
        "members": st.sampled_from([["small"], ["small", "cloud"]]),
        "workload_models": st.sampled_from([["*"], ["small"], ["cloud"]]),
    }
)
OPEN: Mapping[str, Any] = {
    "sees": ["public"],
    "air_gapped": False,
    "personal": "allow",
    "tenant_models": ["auto"],
    "share": False,
    "fallback": True,
    "members": ["small"],
    "workload_models": ["*"],
}
"""Only the data class is in the way."""
ASKED = st.lists(st.tuples(st.sampled_from(CLASSES), st.booleans(), st.booleans()), min_size=1, max_size=6)


def _rules(catalog: Catalog, tenant: TenantSpec, declared: Mapping[str, Any]) -> Rules:
    route = {
        "name": "auto",
        "models": declared["members"],
        "fallback": declared["fallback"],
        "share": {"keep_seconds": 60} if declared["share"] else None,
        "shadow": {"model": "cloud", "share": 1, "at_once": 100},
    }
    return Rules(
        catalog,
        {"auto": RouteSpec.model_validate(route)},
        {tenant.name: tenant},
        declared["air_gapped"],
        workloads={"w": WorkloadSpec.model_validate({"name": "w", "models": declared["workload_models"]})},
        privacy=PrivacySpec.model_validate({"personal": declared["personal"]}),
    )


@QUICK
@given(DECLARED, ASKED)
@example(OPEN, [(data_class, True, True) for data_class in CLASSES])
@example({**OPEN, "personal": "redact", "sees": [*CLASSES]}, [("confidential", True, False)])
def test_nothing_leaves_that_may_not(
    world: World, declared: Mapping[str, Any], asked: list[tuple[str, bool, bool]]
) -> None:
    sent, shadows = world.runner.run(_ask_all(world, declared, asked))
    allowed = set() if declared["air_gapped"] else set(declared["sees"] or ())
    forbidden = [f"marker {data_class}" for data_class in {*CLASSES} - allowed]
    forbidden += ["in a workload"] if declared["workload_models"] == ["small"] else []
    forbidden += [ADDRESS] if declared["personal"] != "allow" else []
    assert not [body for body in sent for words in forbidden if words in body]
    assert {shadow.data["data_class"] for shadow in shadows if shadow.type != "call.refused"} <= allowed


async def _ask_all(
    world: World, declared: Mapping[str, Any], asked: list[tuple[str, bool, bool]]
) -> tuple[list[str], list[Entry]]:
    """What reached the server, and the shadows on record."""
    catalog, tenant = _catalog(world.url, declared["sees"]), world.tenant(models=declared["tenant_models"])
    cloud = catalog.get("cloud")
    assert isinstance(cloud, HttpModel)
    engines: dict[str, Engine] = {"small": scripted("small"), "cloud": HttpEngine(cloud)}
    router = Router(_rules(catalog, tenant, declared), engines, world.ledger, world.ledger)
    world.outside.bodies.clear()
    async with shadowing(router) as shadowed, aclosing_engine(engines["cloud"]):
        engine = SharingEngine(router, engine=shadowed)
        requests = [_request(tenant.name, *each) for each in asked]
        await asyncio.gather(*(complete(engine, each) for each in requests), return_exceptions=True)
        await asyncio.gather(*under_way(), return_exceptions=True)
    await router.close()
    shadows = [call for call in await world.calls(tenant.name) if "shadow_of" in call.data]
    return list(world.outside.bodies), shadows


@asynccontextmanager
async def aclosing_engine(engine: Engine) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await engine.close()


def _request(tenant: str, data_class: str, personal: bool, in_workload: bool) -> ChatRequest:
    text = f"marker {data_class}{' in a workload' if in_workload else ''}{f' of {ADDRESS}' if personal else ''}"
    caller = Caller(tenant, "ada", data_class, workload="w" if in_workload else "")
    return ChatRequest("auto", (Message("user", text),), caller=caller)


@QUICK
@given(
    limit=st.decimals(min_value="0.0001", max_value="0.01", places=4),
    soft_limit=st.floats(min_value=0.05, max_value=1),
    requests=st.integers(min_value=1, max_value=6),
    max_tokens=st.integers(min_value=1, max_value=40),
)
@example(limit=Decimal("0.001"), soft_limit=0.05, requests=3, max_tokens=5)
def test_no_budget_is_overshot(world: World, limit: Decimal, soft_limit: float, requests: int, max_tokens: int) -> None:
    budget = {"limit_usd": limit, "window": "total", "soft_limit": soft_limit}
    tenant = world.tenant(data_class="internal", budget=budget)
    calls, spent = world.runner.run(_spend(world, tenant, requests, max_tokens))
    shadows = [call for call in calls if "shadow_of" in call.data]
    paid = sum((shadow.cost_usd for shadow in shadows), Decimal(0))
    assert spent <= limit
    assert paid <= limit * Decimal(str(soft_limit))


async def _spend(world: World, tenant: TenantSpec, requests: int, max_tokens: int) -> tuple[list[Entry], Decimal]:
    """The tenant's calls, and what it has spent."""
    house = House(world.ledger, {"at_once": 100}, Rules(CATALOG, {}, {tenant.name: tenant}, air_gapped=False))
    caller, sampling = Caller(tenant.name, "ada", "internal"), Sampling(max_tokens=max_tokens)
    asked = [ask(f"number {number}", caller, sampling=sampling) for number in range(requests)]
    answers = await asyncio.gather(*(complete(house.engine, each) for each in asked), return_exceptions=True)
    assert all(isinstance(answer, Completion | EngineError) for answer in answers)
    await house.shadows()
    await house.engine.close()
    await house.router.close()
    spend = await world.ledger.spend(tenant_account(tenant.name), "total")
    assert spend.held_usd == 0
    return await world.calls(tenant.name), spend.settled_usd


def test_what_may_leave_is_seen_by_the_server(world: World) -> None:
    """Without rules in the way, the body arrives: what is counted above would be seen."""
    sent, shadows = world.runner.run(_ask_all(world, OPEN, [("public", True, True), ("internal", False, False)]))
    assert [shadow.type for shadow in shadows].count("call.finished") == 1
    (body,) = sent
    assert "marker public in a workload" in body
    assert ADDRESS in body
