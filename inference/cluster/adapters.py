"""The adapters of one placed model: which ones it is to have, and which of them each replica has loaded.

Every replica is brought to the same set, also those that come later; none is replaced for it. The gateway has a
`SpreadAdapters` per model, each replica a `ReplicaAdapters`; nothing here knows Ray or HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from inference.adapters import TakesAdapters, adapters_of, folder_of
from inference.cluster.messages import Placed, Replica
from inference.errors import EngineError, EngineUnavailable
from inference.vllm.placement import VllmPlacement

Tell = Callable[[Replica, Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""Brings a replica to a set of adapters (name -> path:FOLDER); what could not be loaded: name -> sentence."""

NOT_YET = "No replica has loaded it yet."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a replica was told last, and what it answered."""

    wanted: Mapping[str, str]
    problems: Mapping[str, str]

    @property
    def loaded(self) -> frozenset[str]:
        return frozenset(self.wanted.keys() - self.problems.keys())


class SpreadAdapters:
    """The gateway's side: the adapters of `model`; `tell` brings a replica to them.

    Whoever changes `wanted` calls `keep_up`, and so does whoever sees replicas come.
    """

    def __init__(self, model: Placed, tell: Tell) -> None:
        self.wanted: dict[str, str] = dict(adapters_of(model))
        self._takes = isinstance(model.placement, VllmPlacement) and model.placement.lora is not None
        self._tell = tell
        self._told: dict[str, _Told] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def keep_up(self, ready: Iterable[Replica]) -> None:
        """Begin to tell those replicas that do not know what is wanted now; what was told to others is forgotten."""
        if not self._takes:
            return
        there = {each.id: each for each in ready}
        self._told = {each: told for each, told in self._told.items() if each in there}
        for each, replica in there.items():
            known = self._told.get(each)
            if each not in self._telling and (known is None or known.wanted != self.wanted):
                task = self._telling[each] = asyncio.create_task(self._bring(replica), name=f"adapters of {each}")
                task.add_done_callback(partial(self._was_told, each))

    async def settled(self) -> None:
        """Wait until nobody is being told anything."""
        while self._telling:
            await asyncio.gather(*self._telling.values(), return_exceptions=True)

    def has(self, replica: str, adapter: str) -> bool:
        """Whether a replica has loaded an adapter, and still is to have it."""
        told = self._told.get(replica)
        return told is not None and adapter in told.loaded and told.wanted[adapter] == self.wanted.get(adapter)

    def problem(self, adapter: str) -> str:
        """Why an adapter cannot be asked for, though replicas have tried; empty if one has it, or none has tried."""
        if any(self.has(each, adapter) for each in self._told):
            return ""
        return self.complaint(adapter)

    def complaint(self, adapter: str) -> str:
        """What the first replica says that could not load an adapter."""
        return next((told.problems[adapter] for told in self._told.values() if adapter in told.problems), "")

    def state(self, *, cold: bool) -> Mapping[str, str]:
        """All that are wanted: name -> why it cannot be asked now. A `cold` model loads them when it is started."""
        return {name: self._state(name, cold) for name in self.wanted}

    async def close(self) -> None:
        """Stop telling."""
        telling = list(self._telling.values())
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    def _state(self, name: str, cold: bool) -> str:
        if cold or any(self.has(each, name) for each in self._told):
            return ""
        return self.problem(name) or NOT_YET

    def _was_told(self, replica: str, _: object) -> None:
        del self._telling[replica]

    async def _bring(self, replica: Replica) -> None:
        wanted = dict(self.wanted)
        try:
            problems = await self._tell(replica, wanted)
        except EngineError as error:  # it is told again as long as it is there
            _log.warning("The replica %s could not be told its adapters: %s", replica.id, error.message)
            return
        for sentence in problems.values():
            _log.error("%s", sentence)
        self._told[replica.id] = _Told(wanted, problems)


class ReplicaAdapters:
    """The replica's side: brings its engine, which starts without any, to the adapters that it is told."""

    def __init__(self, engine: TakesAdapters) -> None:
        self._engine = engine
        self._has: dict[str, str] = {}
        self._changing = asyncio.Lock()

    async def bring(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """To these adapters (name -> path:FOLDER); what could not be loaded: name -> sentence.

        Raises `EngineUnavailable` while the engine is not up.
        """
        async with self._changing:
            for name in [name for name, source in self._has.items() if wanted.get(name) != source]:
                await self._engine.unload_adapter(name)
                del self._has[name]
            problems = {}
            for name, source in wanted.items():
                if name in self._has and not self._engine.adapters().get(name):
                    continue
                try:
                    await self._engine.load_adapter(name, folder_of(source))
                except EngineUnavailable:
                    raise
                except EngineError as error:
                    problems[name] = error.message
                else:
                    self._has[name] = source
            return problems
