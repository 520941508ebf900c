"""The LoRA adapters of one vLLM server: which are wanted, and a client for each that is loaded.

Declared ones and those loaded later are treated alike: whenever the server has come up, all of them are loaded. One
that cannot be used does not keep the model from answering; asking for it says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inference.adapters import adapters_of, folder_of
from inference.catalog import VllmModel
from inference.errors import EngineError, InvalidRequest, ModelNotFound
from inference.vllm.adapter_folder import adapter_files
from inference.vllm.client import VllmClient
from inference.vllm.placement import AdapterName

_log = logging.getLogger(__name__)
_NAME: TypeAdapter[str] = TypeAdapter(AdapterName)


class Adapters:
    """Adapters by their whole name, `model:adapter`."""

    def __init__(self, model: VllmModel) -> None:
        self._model = model
        declared = adapters_of(model)
        self._folders = {self._whole(name): folder_of(source) for name, source in declared.items()}
        self._clients: dict[str, VllmClient] = {}
        self._retired: list[VllmClient] = []  # answers may still come through these
        self._broken: dict[str, str] = {}
        self._socket = Path()
        self._changing = asyncio.Lock()

    def names(self) -> Iterator[str]:
        """All that are wanted, loaded or not."""
        yield from self._folders

    def client(self, name: str) -> VllmClient | None:
        """The client of a loaded one."""
        return self._clients.get(name)

    def problem(self, name: str) -> str:
        """Why one cannot be asked."""
        return self._broken.get(name, f"The adapter {name!r} is not loaded.")

    def problems(self) -> Iterator[str]:
        """What is wrong with those that could not be loaded."""
        yield from self._broken.values()

    async def up(self, server: VllmClient, socket: Path) -> None:
        """Load all of them into a server that has come up."""
        self._socket = socket
        async with self._changing:
            for name, folder in self._folders.items():
                try:
                    await self._load(name, folder, server)
                except EngineError as error:
                    self._broken[name] = error.message
                    _log.error("%s", error.message)

    async def down(self) -> None:
        """The server is gone."""
        clients = [*self._clients.values(), *self._retired]
        for kept in (self._clients, self._retired, self._broken):
            kept.clear()
        for client in clients:
            await client.close()

    async def load(self, adapter: str, folder: Path, server: VllmClient) -> None:
        """Load one more. Raises `InvalidRequest`, `WeightsError` or `EngineUnavailable`."""
        if self._model.placement.lora is None:
            raise InvalidRequest(
                f"The model {self._model.name!r} takes no adapters: declare placement.lora for it in models.yaml."
            )
        try:
            _NAME.validate_python(adapter)
        except ValidationError:
            raise InvalidRequest(
                f"{adapter!r} is no name for an adapter: letters, digits, '.', '_' and '-' are.", param="name"
            ) from None
        name = self._whole(adapter)
        async with self._changing:
            if name in self._folders and name not in self._broken:
                raise InvalidRequest(f"There is an adapter {name!r} already; unload it first.", param="name")
            await self._load(name, folder, server)
            self._folders[name] = folder

    async def unload(self, adapter: str, server: VllmClient | None) -> None:
        """Forget one. Raises `ModelNotFound`, or `EngineUnavailable` if the server does not answer."""
        name = self._whole(adapter)
        async with self._changing:
            if name not in self._folders:
                raise ModelNotFound(
                    f"There is no adapter {name!r}; there are {', '.join(self._folders) or 'none'}.", param="name"
                )
            if server is not None and name in self._clients:
                await server.unload(name)
            if name in self._clients:
                self._retired.append(self._clients.pop(name))
            self._broken.pop(name, None)
            del self._folders[name]

    async def _load(self, name: str, folder: Path, server: VllmClient) -> None:
        lora = self._model.placement.lora
        await asyncio.to_thread(adapter_files, name, folder, lora.max_rank if lora else 0)
        await server.load(name, folder)
        self._broken.pop(name, None)
        self._clients[name] = VllmClient(self._model, self._socket, name.removeprefix(f"{self._model.name}:"))

    def _whole(self, adapter: str) -> str:
        return f"{self._model.name}:{adapter}"
