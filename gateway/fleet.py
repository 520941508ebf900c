"""The engines of all models in the versions that answer, and what decides about those.

`assemble.py` opens it: for an appliance with everything, for a batch without a server only to answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.config import Config
from gateway.engine_factory import opened_factory
from gateway.engine_room import EngineRoom
from gateway.settings import Settings
from inference.catalog import UpstreamModel
from inference.engines import Resources
from inference.protocol import Engine
from inference.versions import addressed
from ledger.protocol import Ledger
from router.versions.loading import AdapterLoads
from router.versions.register import Register
from router.versions.releases import Releases
from router.versions.versions import Listener, Versions


@dataclass(frozen=True, slots=True)
class Fleet:
    """All models. `engines` changes while the appliance runs, as versions come and go."""

    versions: Versions
    register: Register
    releases: Releases
    adapters: AdapterLoads
    room: EngineRoom

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By the names that `versions` has for them."""
        return self.room.engines

    async def open_only(self) -> None:
        """Open what is to answer as things stand; nothing is decided or recorded."""
        for name in self.register.names:
            for spec in self.register.serving(name):
                await self.room.open(self.versions.key(spec), spec)


def key_variables(config: Config) -> list[str]:
    """The environment variables that models and their versions have keys in."""
    specs = addressed(config.models).values()
    return [spec.api_key_env for spec in specs if isinstance(spec, UpstreamModel) and spec.api_key_env]


@asynccontextmanager
async def opened_fleet(
    config: Config, settings: Settings, resources: Resources, ledger: Ledger, listener: Listener | None = None
) -> AsyncGenerator[Fleet, None]:
    """The fleet, still without engines; `releases.begin` or `open_only` opens them. Raises `LedgerError`."""
    versions = Versions(config, listener)
    register = Register(config, ledger, versions)
    await register.read()
    async with opened_factory(resources, settings.data, settings.ray_address) as factory:
        room = EngineRoom(factory, resources.weights, versions.weigh, air_gapped=config.air_gapped)
        single = frozenset({config.retrieval.embedder} if config.retrieval.embedder else ())
        releases = Releases(register, versions, room, single)
        taken = {*register.names, *(route.name for route in config.routes)}
        adapters = AdapterLoads(register, versions, room, taken)
        try:
            yield Fleet(versions, register, releases, adapters, room)
        finally:
            await releases.close()
            await room.close_all()
