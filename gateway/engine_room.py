"""The engines of this appliance by name, opened and closed while it runs, and the digests of what they have loaded.

`assemble.py` opens what is to answer; `router/versions/releases.py` asks for engines of versions and lets go of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping

from gateway.engine_factory import EngineFactory
from inference.adapters import TakesAdapters, adapters_of, folder_of, with_adapter
from inference.catalog import LocalModel, ModelSpec, ScriptedModel, UpstreamModel, VllmModel
from inference.errors import EngineUnavailable, WeightsError
from inference.protocol import Engine
from inference.versions import engine_name
from inference.vllm.adapter_folder import adapter_files
from inference.weights import WeightsStore
from inference.weights.manifest import weights_digest
from inference.weights.selection import kind_for

_LONGEST_START_SECONDS = 600.0
_LOOK_SECONDS = 0.1


class EngineRoom:
    """Engines under the names that the router asks for. `weigh` is told the digest of each one's weights."""

    def __init__(
        self,
        factory: EngineFactory,
        store: WeightsStore,
        weigh: Callable[[str, str | None], None],
        *,
        air_gapped: bool,
    ) -> None:
        self._factory = factory
        self._store = store
        self._weigh = weigh
        self._air_gapped = air_gapped
        self.engines: dict[str, Engine] = {}

    async def open(self, key: str, spec: ModelSpec) -> None:
        """Build an engine, unless it is there. It may still be loading. Raises what building it raises."""
        # In an air gap nothing that could reach outside is even built.
        if key in self.engines or (self._air_gapped and spec.remote):
            return
        self.engines[key] = await self._factory.build(_known_as(engine_name(key), spec))
        self._weigh(key, await asyncio.to_thread(weights_of, spec, self._store))
        for adapter, source in adapters_of(spec).items():
            digest = await asyncio.to_thread(self._adapter_if_here, with_adapter(key, adapter), spec, source)
            self._weigh(with_adapter(key, adapter), digest)

    async def ready(self, key: str) -> None:
        """Wait until an engine answers. Raises `EngineUnavailable` if it does not within ten minutes."""
        engine = self.engines.get(key)
        if engine is None:
            raise EngineUnavailable(f"{key} is outside the walls, and this appliance is air-gapped.")
        health = await engine.health()
        try:
            async with asyncio.timeout(_LONGEST_START_SECONDS):
                while not health.ready:
                    await asyncio.sleep(_LOOK_SECONDS)
                    health = await engine.health()
        except TimeoutError:
            raise EngineUnavailable(f"{key} did not come up within ten minutes: {health.detail}") from None

    async def load_adapter(self, key: str, spec: VllmModel, adapter: str, source: str) -> str:
        """Load an adapter into an engine; the digest of its files. Raises `EngineError`; then nothing changed."""
        engine = self.engines.get(key)
        if not isinstance(engine, TakesAdapters):
            raise EngineUnavailable(f"{key} has no engine that takes adapters.")
        digest = await asyncio.to_thread(self._adapter, with_adapter(key, adapter), spec, source)
        if adapter in engine.adapters():  # nobody can ask for it, so it is left from an attempt that was given up
            await engine.unload_adapter(adapter)
        await engine.load_adapter(adapter, folder_of(source))
        self._weigh(with_adapter(key, adapter), digest)
        return digest

    async def unload_adapter(self, key: str, adapter: str) -> None:
        """Forget an adapter of an engine, if that has it. Raises `EngineError`."""
        if adapter in self.adapters(key):
            engine = self.engines[key]
            assert isinstance(engine, TakesAdapters)
            await engine.unload_adapter(adapter)

    def adapters(self, key: str) -> Mapping[str, str]:
        """The adapters of an engine: name -> why it cannot be asked now, empty if it can."""
        engine = self.engines.get(key)
        return engine.adapters() if isinstance(engine, TakesAdapters) else {}

    async def close(self, key: str) -> None:
        """Close an engine, if it is there."""
        if engine := self.engines.pop(key, None):
            self._factory.remove(engine_name(key))
            await engine.close()

    async def close_all(self) -> None:
        """Close them, the last one first. What is placed on a cluster stays there."""
        while self.engines:
            _, engine = self.engines.popitem()
            await engine.close()

    def _adapter(self, name: str, spec: ModelSpec, source: str) -> str:
        """The digest of an adapter's files. Raises `WeightsError` if they cannot be used."""
        lora = spec.placement.lora if isinstance(spec, VllmModel) else None
        folder = folder_of(source)
        files = adapter_files(name, folder, lora.max_rank if lora else 0)
        return weights_digest({file: self._store.digest(folder / file) for file in files})

    def _adapter_if_here(self, name: str, spec: ModelSpec, source: str) -> str | None:
        try:
            return self._adapter(name, spec, source)
        except WeightsError:  # the engine will say so, or it lies on the nodes of a cluster
            return None


def _known_as(name: str, spec: ModelSpec) -> ModelSpec:
    """The version under a name that no other has, in logs and on a cluster; another server knows it by its own."""
    if isinstance(spec, UpstreamModel):
        return spec.model_copy(update={"name": name, "model": spec.model or spec.name})
    return spec.model_copy(update={"name": name})


def weights_of(spec: ModelSpec, store: WeightsStore) -> str | None:
    """The digest that identifies what answers: of the weights or the script; None where another server has them."""
    if isinstance(spec, ScriptedModel):
        script = json.dumps([reply.model_dump() for reply in spec.replies], sort_keys=True)
        return hashlib.sha256(script.encode()).hexdigest()
    if not isinstance(spec, LocalModel):
        return None
    try:
        return store.identity(store.find(spec.source, kind_for(spec.engine), spec.sha256))
    except WeightsError:  # they lie on the nodes of a cluster
        return None
