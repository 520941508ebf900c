"""Makes the engine of a model, wherever that runs: on this machine, on a Ray cluster, or behind an address.

`assemble.py` opens it; it and whoever adds models at run time ask it for engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from inference.catalog import LocalModel, ModelSpec
from inference.cluster.cluster import Cluster, kept_token
from inference.cluster.messages import Placed, Surroundings
from inference.engines import Resources, build_engine
from inference.protocol import Engine
from inference.weights.selection import kind_for


class EngineFactory:
    """Builds engines; each belongs to whoever asked for it."""

    def __init__(self, resources: Resources, cluster: Cluster | None = None) -> None:
        self._resources = resources
        self._cluster = cluster

    async def build(self, model: ModelSpec) -> Engine:
        """The engine of a model. Raises what `build_engine` raises; a placed model comes up by itself, later."""
        if self._cluster is None or not isinstance(model, LocalModel):
            return await build_engine(model, self._resources)
        if not model.source.startswith("path:"):  # a path is one of the nodes, all else is in the store they share
            await asyncio.to_thread(self._fetch, model)
        return self._cluster.engine(model)

    def remove(self, model: str) -> None:
        """Let go of a model that this cluster is not to have any more; its engine is closed by its owner."""
        if self._cluster is not None:
            self._cluster.remove(model)

    def _fetch(self, model: Placed) -> None:
        self._resources.weights.find(model.source, kind_for(model.engine), model.sha256)


def cluster_at(address: str, resources: Resources, data: Path) -> Cluster:
    """The Ray cluster at an address; `data` is the appliance's folder, where the token for replicas is kept."""
    surroundings = Surroundings(
        weights=str(resources.weights.root.resolve()),
        logs=str(resources.log_dir.resolve()),
        offline=True,
        token=kept_token(data / "cluster-token"),
    )
    return Cluster(address, surroundings, resources.log_dir, hidden=tuple(resources.secrets))


@asynccontextmanager
async def opened_factory(
    resources: Resources, data: Path, ray_address: str | None
) -> AsyncGenerator[EngineFactory, None]:
    """The factory, with models that take room on the Ray cluster at the address, if there is one."""
    if ray_address is None:
        yield EngineFactory(resources)
        return
    cluster = cluster_at(ray_address, resources, data)
    cluster.start()
    try:
        yield EngineFactory(resources, cluster)
    finally:
        await cluster.close()
