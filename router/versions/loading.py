"""Decisions about adapters of versions: load and unload. Each is an entry of the ledger before anybody can ask for it.

Beside `releases`, whose decisions about the same model wait for these. HTTP and command line call this.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Protocol

from inference.adapters import SCHEME, adapters_of, with_adapter
from inference.catalog import ModelSpec, VllmModel
from inference.errors import EngineError, InvalidRequest, WeightsError
from ledger.protocol import LedgerError
from ledger.redaction import refuse_secrets
from router.versions.register import Register, ReleaseProblem, WrongRelease
from router.versions.state import ADAPTER_LOADED, ADAPTER_UNLOADED
from router.versions.versions import Versions

log = logging.getLogger(__name__)


class AdapterProblem(ReleaseProblem):
    """This cannot be an adapter of this model; the message is a sentence that says why."""


class UnknownAdapter(AdapterProblem):
    """The model has no such adapter."""


class AdapterRoom(Protocol):
    """Loads adapters into engines that are open, under the keys of `Versions.key`."""

    async def load_adapter(self, key: str, spec: VllmModel, adapter: str, source: str) -> str:
        """Load one that nobody asks for yet; the digest of its files. Raises `EngineError`; then nothing changed."""
        ...

    async def unload_adapter(self, key: str, adapter: str) -> None:
        """Forget one. Raises `EngineError`."""
        ...


class AdapterLoads:
    """Takes decisions and carries them out; one per appliance. `taken` are the names of models and routes."""

    def __init__(self, register: Register, versions: Versions, room: AdapterRoom, taken: Container[str]) -> None:
        self._register = register
        self._versions = versions
        self._room = room
        self._taken = taken

    async def load(self, model: str, version: str | None, adapter: str, source: str, actor: str) -> None:
        """Let an adapter of a version, the stable one if none is named, be asked for: `source` is path:FOLDER.

        Raises `ReleaseProblem`, `LedgerError`, or `EngineError` if its engine is not up; then nothing has changed.
        """
        self._register.model(model)
        async with self._register.turns[model]:
            spec = self._able(self._version(model, version), adapter, source)
            key = self._versions.key(spec)
            digest = await self._loaded(key, spec, adapter, source)
            facts = {"version": spec.version, "adapter": adapter, "source": source, "digest": digest}
            try:
                await self._register.decide(model, ADAPTER_LOADED, actor, **facts)
            except (ReleaseProblem, LedgerError):
                await self._dropped(key, adapter)
                raise

    async def unload(self, model: str, version: str | None, adapter: str, actor: str) -> None:
        """An adapter is not to be asked for any more; answers that are under way go on. Raises as `load` does."""
        self._register.model(model)
        async with self._register.turns[model]:
            spec = self._version(model, version)
            if adapter not in (has := adapters_of(spec)):
                there = ", ".join(has) or "none"
                raise UnknownAdapter(f"{model}@{spec.version} has no adapter {adapter!r}; its adapters: {there}.")
            await self._register.decide(model, ADAPTER_UNLOADED, actor, version=spec.version, adapter=adapter)
            if spec.version in self._register.now(model).serving:
                await self._dropped(self._versions.key(spec), adapter)

    def _able(self, spec: ModelSpec, adapter: str, source: str) -> VllmModel:
        """The version, if it can get such an adapter. Raises `ReleaseProblem`."""
        this, name = f"{spec.name}@{spec.version}", with_adapter(spec.name, adapter)
        if not isinstance(spec, VllmModel) or spec.placement.lora is None:
            raise AdapterProblem(f"{this} takes no adapters; that needs engine vllm, and placement.lora.")
        if not source.startswith(SCHEME) or source == SCHEME:
            raise AdapterProblem(f"{source!r} is no source of an adapter; write it as path:FOLDER.")
        try:
            refuse_secrets(source)
        except ValueError as error:
            raise AdapterProblem(str(error)) from None
        if name in self._taken:
            raise AdapterProblem(f"{name} is the name of another model or route.")
        if adapter in adapters_of(spec):
            raise WrongRelease(f"{this} has an adapter {adapter!r} already; unload it first.")
        if spec.version not in self._register.now(spec.name).serving:
            raise WrongRelease(f"{this} is not loaded, so nothing can be loaded into it; make it a canary first.")
        return spec

    def _version(self, model: str, version: str | None) -> ModelSpec:
        return self._register.spec(model, version or self._register.now(model).stable)

    async def _loaded(self, key: str, spec: VllmModel, adapter: str, source: str) -> str:
        try:
            return await self._room.load_adapter(key, spec, adapter, source)
        except (WeightsError, InvalidRequest) as error:  # what was asked for is wrong, and not the engine
            raise AdapterProblem(error.message) from error

    async def _dropped(self, key: str, adapter: str) -> None:
        """Nobody can ask for it any more, so one that stays loaded takes room and does no harm."""
        try:
            await self._room.unload_adapter(key, adapter)
        except EngineError as error:
            log.warning("the adapter %s of %s cannot be unloaded: %s", adapter, key, error.message)
