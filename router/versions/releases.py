"""Decisions about versions: add, canary, promote, roll back. Each is an entry of the ledger before it holds.

A version's engine is up before anything is decided in its favour, and is closed when it answers nobody any more and its
last request has ended. HTTP and command line call this, and the trial when a canary has proved worse.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from inference.catalog import ModelSpec
from inference.errors import EngineError
from inference.versions import VersionProblem, with_changes
from ledger.protocol import JsonValue, LedgerError
from ledger.redaction import refuse_secrets
from router.versions.register import ITSELF, Register, ReleaseProblem, WrongRelease
from router.versions.state import ADDED, CANARY, PROMOTED, ROLLED_BACK
from router.versions.trial import Finding
from router.versions.versions import Versions

log = logging.getLogger(__name__)

# Programs, addresses and names of secrets are for whoever may write models.yaml.
AT_RUN_TIME = frozenset({
    "source", "sha256", "price", "infill", "concurrency", "queue", "threads", "gpu_layers", "memory_mib", "guesses",
    "placement", "replicas", "model", "replies", "delay_seconds",
})  # fmt: skip
_MOST_CHARACTERS = 65_536
_KEEP_SECONDS = 300.0
_LONGEST_DRAIN_SECONDS = 300.0


class EngineRoom(Protocol):
    """Opens and closes the engines of versions, under the keys of `Versions.key`."""

    async def open(self, key: str, spec: ModelSpec) -> None:
        """Build an engine; harmless for one that is open. Raises `EngineError`."""
        ...

    async def ready(self, key: str) -> None:
        """Wait until an engine answers. Raises `EngineError` when it has taken too long."""
        ...

    async def close(self, key: str) -> None:
        """Close an engine; harmless for one that is not open."""
        ...


class Releases:
    """Takes decisions and carries them out; one per appliance. `single` names models that cannot have versions."""

    def __init__(
        self, register: Register, versions: Versions, room: EngineRoom, single: frozenset[str] = frozenset()
    ) -> None:
        self._register = register
        self._versions = versions
        self._room = room
        self._single = single
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[str, object] = {}
        self._decides = False

    # -- beginning and end --------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Record what models.yaml says anew, open what is to answer, and go on with trials.

        A version that cannot be opened is rolled back, because nobody could ask for that while nothing runs. Raises
        `EngineError` for an entry's own version, and `LedgerError`.
        """
        for name in self._register.names:
            while not await self._all_open(name):
                pass
        await self._register.declare()
        self._versions.on_finding = lambda model, finding: self._start(self._roll_back_for(model, finding))
        self._decides = True
        self._start(self._keeper())

    async def _all_open(self, name: str) -> bool:
        """Whether all versions that are to answer could be opened; if not, one has been rolled back."""
        for spec in self._register.serving(name):
            try:
                await self._room.open(self._versions.key(spec), spec)
            except EngineError as error:
                await self._without(spec, error)
                return False
        return True

    async def _without(self, spec: ModelSpec, error: EngineError) -> None:
        name, state = spec.name, self._register.now(spec.name)
        if spec.version == self._register.model(name).version:
            raise error
        on_trial = spec.version != state.stable
        back_to = state.stable if on_trial else (self._register.model(name).version, *state.replaced)[-1]
        reason = f"its engine could not be started: {error.message}"
        log.error("%s@%s is rolled back to %s: %s", name, spec.version, back_to, reason)
        await self._register.decide(
            name, ROLLED_BACK, ITSELF, version=spec.version, to=back_to, reason=reason, evidence=None
        )

    async def close(self) -> None:
        """Stop waiting for what runs and keep the figures, if it ever began. Engines belong to whoever built them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._decides:
            await self.keep()

    # -- decisions ----------------------------------------------------------------------------------------------

    async def add(self, model: str, version: str, changes: Mapping[str, JsonValue], actor: str) -> None:
        """Make a version known; it answers nobody yet. Raises `ReleaseProblem` or `LedgerError`."""
        base = self._register.model(model)
        if model in self._single:
            raise ReleaseProblem(f"{model} embeds what is retrieved; vectors of two versions cannot be compared.")
        async with self._register.turns[model]:
            if version in self._register.specs(model):
                raise WrongRelease(
                    f"{model}@{version} is there already, and a version does not change; add it under another name."
                )
            if refused := sorted(changes.keys() - AT_RUN_TIME):
                raise ReleaseProblem(
                    f"{', '.join(refused)} may differ only for versions in models.yaml; at run time these may: "
                    f"{', '.join(sorted(AT_RUN_TIME & type(base).model_fields.keys()))}."
                )
            written = json.dumps(changes)
            if len(written) > _MOST_CHARACTERS:
                raise ReleaseProblem(
                    f"What differs may have {_MOST_CHARACTERS} characters of JSON, not {len(written)}."
                )
            try:
                refuse_secrets(written)
                with_changes(base, version, changes)
                self._register.refuse_taken(model, version)
            except VersionProblem as error:
                raise ReleaseProblem(f"This cannot be: {error}.") from None
            except ValueError as error:
                raise ReleaseProblem(str(error)) from None
            await self._register.decide(model, ADDED, actor, version=version, changes=changes)

    async def canary(self, model: str, version: str, percent: float, actor: str) -> None:
        """Let a version answer a share of the conversations, or change the share. Raises as `promote` does."""
        async with self._register.turns[model]:
            spec, state = self._register.spec(model, version), self._register.now(model)
            if version == state.stable:
                raise WrongRelease(f"{model}@{version} is the stable version; only another one can be its canary.")
            if state.canary and state.canary.version != version:
                raise WrongRelease(
                    f"{model}@{state.canary.version} is the canary now; promote it or roll it back first."
                )
            await self._opened(spec, CANARY, actor, version=version, percent=percent)

    async def promote(self, model: str, version: str, actor: str) -> None:
        """Let a version answer all conversations.

        Raises `ReleaseProblem`, `LedgerError`, or `EngineError` if its engine does not start; then nothing has changed.
        """
        async with self._register.turns[model]:
            spec, state = self._register.spec(model, version), self._register.now(model)
            if version == state.stable:
                raise WrongRelease(f"{model}@{version} is the stable version already.")
            evidence = self._register.figures(model) if version in state.serving else None
            await self._opened(spec, PROMOTED, actor, version=version, replaces=state.stable, evidence=evidence)

    async def roll_back(self, model: str, actor: str, reason: str = "") -> None:
        """End the canary; without one, go back to the stable version before this one. Raises as `promote` does."""
        self._register.model(model)
        async with self._register.turns[model]:
            state = self._register.now(model)
            if state.canary is None and not state.replaced:
                raise WrongRelease(f"There is nothing to roll back: {model} has no canary and no earlier version.")
            leaving, back_to = (
                (state.canary.version, state.stable) if state.canary else (state.stable, state.replaced[-1])
            )
            facts: dict[str, Any] = {"version": leaving, "to": back_to, "reason": reason or "asked for"}
            evidence = self._register.figures(model)
            await self._opened(self._register.spec(model, back_to), ROLLED_BACK, actor, **facts, evidence=evidence)

    async def _opened(self, spec: ModelSpec, kind: str, actor: str, **facts: JsonValue) -> None:
        """Decide in a version's favour when its engine is up. Whatever comes of it, what answers nobody is closed."""
        try:
            await self._room.open(self._versions.key(spec), spec)
            await self._room.ready(self._versions.key(spec))
            await self._register.decide(spec.name, kind, actor, **facts)
        except WrongRelease:  # somebody else's decision holds now, and may need another engine
            await self._all_open(spec.name)
            raise
        finally:
            self._retire(spec.name)

    # -- what follows from decisions ----------------------------------------------------------------------------

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _retire(self, name: str) -> None:
        """Close the engines of versions that answer nobody, in the background."""
        idle = self._register.specs(name).keys() - {*self._register.now(name).serving}
        for version in sorted(idle):
            self._start(self._closed(self._register.specs(name)[version]))

    async def _closed(self, spec: ModelSpec) -> None:
        key = self._versions.key(spec)
        if not await self._versions.idle(key, _LONGEST_DRAIN_SECONDS):
            log.warning("requests still run on %s after %.0f seconds; it is closed", key, _LONGEST_DRAIN_SECONDS)
        async with self._register.turns[spec.name]:
            if spec.version not in self._register.now(spec.name).serving:  # nobody has asked for it again meanwhile
                await self._room.close(key)

    async def _roll_back_for(self, model: str, finding: Finding) -> None:
        """Roll a canary back that has proved worse. If that cannot be recorded, the next bad answer tries again."""
        async with self._register.turns[model]:
            canary = self._register.now(model).canary
            if canary is None:
                return
            facts: dict[str, Any] = {
                "version": canary.version,
                "to": self._register.now(model).stable,
                "reason": finding.sentence(),
                "evidence": {"finding": asdict(finding), **(self._register.figures(model) or {})},
            }
            try:
                await self._register.decide(model, ROLLED_BACK, ITSELF, **facts)
            except (LedgerError, ReleaseProblem) as error:
                log.warning("the canary of %s is worse but cannot be rolled back: %s", model, error)
            else:
                log.error("%s@%s is rolled back: %s", model, canary.version, finding.sentence())
        self._retire(model)

    async def keep(self) -> None:
        """Record the figures of trials that have changed, so that they go on after a restart."""
        for name in self._register.names:
            figures = self._register.figures(name)
            if figures is None or figures == self._kept.get(name):
                continue
            try:
                await self._register.keep(name, figures)
            except LedgerError as error:
                log.warning("the figures of the canary of %s cannot be kept: %s", name, error)
            else:
                self._kept[name] = figures

    async def _keeper(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            await self.keep()
