"""A router whose route `auto` has a shadow, and those who wait for shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference.catalog import Catalog
from inference.protocol import Caller, ChatRequest, Engine, Message
from ledger.protocol import Entry
from ledger.sql_ledger import SqlLedger
from router.router import Router
from router.shadows.engine import ShadowingEngine
from router.spec import RouteSpec
from tests.router.conftest import rules, scripted

ADA = Caller("default", "ada", "internal", key="key_1")


class House:
    """`shadow` is the route's; `engine` changes how the shadow's model `middle` answers."""

    def __init__(
        self, ledger: SqlLedger, shadow: Mapping[str, Any] | None = None, declared: Any = None, **engine: Any
    ) -> None:
        self.ledger = ledger
        self.middle = scripted("middle", **engine)
        spec = {"model": "middle", "share": 1, **(shadow or {})}
        route = RouteSpec.model_validate({"name": "auto", "models": ["small"], "shadow": spec})
        self.engines: dict[str, Engine] = {name: scripted(name) for name in ("small", "cloud")}
        self.engines["middle"] = self.middle
        self.rules = replace(declared or rules(), routes={"auto": route})
        self.router = Router(self.rules, self.engines, ledger, ledger)
        self.engine = ShadowingEngine(self.router)

    async def calls(self) -> list[Entry]:
        return await self.ledger.read(stream="calls")

    async def shadows(self) -> list[Entry]:
        """Their entries, once all have ended."""
        await asyncio.gather(*under_way(), return_exceptions=True)
        return [call for call in await self.calls() if "shadow_of" in call.data]

    @property
    def fates(self) -> dict[tuple[str, str], int]:
        """By outcome and reason."""
        return {(fate.outcome, fate.reason): times for fate, times in self.engine.fates.items()}


def under_way() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().endswith(".shadow")]


def ask(text: str = "Say something", caller: Caller = ADA, **more: Any) -> ChatRequest:
    return ChatRequest("auto", (Message("user", text),), caller=caller, **more)


def with_model(**changes: Any) -> Catalog:
    """The catalogue with `middle` changed."""
    base = rules().catalog
    models = [model.model_copy(update=changes) if model.name == "middle" else model for model in base.models]
    return base.model_copy(update={"models": tuple(models)})
