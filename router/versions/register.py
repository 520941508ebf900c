"""Which versions every model has and what was decided about them: the ledger's entries over models.yaml.

A decision gets in here, as an entry that only one can be; whoever comes second is refused and looks again. Engines are
`releases`' business.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference.catalog import Catalog, ModelSpec
from inference.versions import VersionProblem, declared, engine_name, with_changes
from ledger.protocol import Draft, JsonValue, Ledger
from router.versions.adapters import reconciled
from router.versions.state import (
    DECISIONS,
    DECLARED,
    MODELS_STREAM,
    OBSERVED,
    Declaration,
    Rollout,
    advance,
    among,
    fold,
    with_declaration,
)
from router.versions.versions import Versions

ITSELF, THE_FILE = "bailey", "models.yaml"
"""The actors of what nobody asked for, and of what the file says."""


class ReleaseProblem(Exception):
    """A decision that cannot be taken; the message is a sentence that says why."""


class UnknownVersion(ReleaseProblem):
    """There is no such model, or no such version of it."""


class WrongRelease(ReleaseProblem):
    """As things stand, this decision makes no sense, or somebody else has just taken another."""


class Register:
    """The state of every model, and the one way to change it. What holds is handed to `Versions` at once.

    Whoever decides about a model has its turn in `turns`, so that decisions and engines change together.
    """

    def __init__(self, catalog: Catalog, ledger: Ledger, versions: Versions) -> None:
        self._ledger = ledger
        self._versions = versions
        self._models = {model.name: model for model in catalog.models}
        self._states = {name: Rollout(name, model.version) for name, model in self._models.items()}
        self.turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # -- reading and recording ----------------------------------------------------------------------------------

    async def read(self) -> None:
        """Take over what the ledger and models.yaml say; nothing is recorded. Raises `LedgerError`."""
        entries = await self._ledger.read(stream=MODELS_STREAM, types=DECISIONS)
        for name, model in self._models.items():
            state = await self._with_figures(fold(name, model.version, entries))
            said = Declaration.of(model)
            if said != state.declared:
                state = with_declaration(state, said, seq=0, actor=THE_FILE)
            self._adopt(state)

    async def declare(self) -> None:
        """Record what models.yaml says anew of models that have versions. Raises `LedgerError`."""
        for name, model in self._models.items():
            if model.versions or model.canary or self._states[name].decisions:
                await self._declare(name)

    async def decide(self, model: str, kind: str, actor: str, **facts: JsonValue) -> None:
        """Record a decision and let it hold. Raises `WrongRelease` when somebody else's came first, `LedgerError`."""
        await self._declare(model)
        data = {"model": model, **facts}
        entry = await self._ledger.append(
            Draft(MODELS_STREAM, kind, actor, data=data, key=self._states[model].next_key)
        )
        if (entry.type, entry.actor, dict(entry.data)) != (kind, actor, data):
            await self._reread(model)
            raise WrongRelease(f"Somebody else has just decided about {model} ({entry.type}); look again.")
        self._adopt(advance(self._states[model], entry))

    async def keep(self, model: str, figures: Mapping[str, JsonValue]) -> None:
        """Record the figures of a canary. Raises `LedgerError`."""
        await self._ledger.append(Draft(MODELS_STREAM, OBSERVED, ITSELF, data={"model": model, **figures}))

    async def _declare(self, name: str) -> None:
        model = self._models[name]
        said = Declaration.of(model)
        recorded = fold(name, model.version, await self._ledger.read(stream=MODELS_STREAM, types=DECISIONS))
        if recorded.declared == said:
            return
        draft = Draft(MODELS_STREAM, DECLARED, THE_FILE, data={"model": name, **said.facts()})
        await self._ledger.append(replace(draft, key=recorded.next_key))
        await self._reread(name)

    async def _reread(self, name: str) -> None:
        entries = await self._ledger.read(stream=MODELS_STREAM, types=DECISIONS)
        self._adopt(await self._with_figures(fold(name, self._models[name].version, entries)))

    async def _with_figures(self, state: Rollout) -> Rollout:
        """The state with the figures of its canary as they were kept last."""
        if state.canary is None:
            return state
        kept = await self._ledger.read(stream=MODELS_STREAM, types=[OBSERVED], after=state.canary.since)
        for entry in kept:
            if entry.data["model"] == state.model:
                state = advance(state, entry)
        return state

    def _adopt(self, state: Rollout) -> None:
        self._states[state.model] = state
        self._versions.adopt(self.now(state.model), self.specs(state.model))

    # -- looking ------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """All models."""
        return tuple(self._models)

    def model(self, name: str) -> ModelSpec:
        """A model's own entry. Raises `UnknownVersion`."""
        if name not in self._models:
            raise UnknownVersion(f"There is no model {name!r}; declared: {', '.join(self._models)}.")
        return self._models[name]

    def specs(self, name: str) -> dict[str, ModelSpec]:
        """All versions of a model, with the adapters each is to have.

        Of two with the same name models.yaml's counts; what it rules out is left out.
        """
        specs = declared(self._models[name])
        for version, found in self._added(name).items():
            if not isinstance(found, VersionProblem):
                specs.setdefault(version, found)
        decided = self._states[name].adapters
        return {version: reconciled(spec, decided.get(version, {})) for version, spec in specs.items()}

    def ruled_out(self, name: str) -> list[str]:
        """Why versions that were added at run time cannot be any more, as models.yaml is now."""
        return [f"{found}." for found in self._added(name).values() if isinstance(found, VersionProblem)]

    def _added(self, name: str) -> dict[str, ModelSpec | VersionProblem]:
        added: dict[str, ModelSpec | VersionProblem] = {}
        for version, changes in self._states[name].added.items():
            try:
                added[version] = with_changes(self._models[name], version, changes)
            except VersionProblem as error:
                added[version] = error
        return added

    def spec(self, name: str, version: str) -> ModelSpec:
        """A version. Raises `UnknownVersion`."""
        self.model(name)
        specs = self.specs(name)
        if version not in specs:
            raise UnknownVersion(f"{name} has no version {version!r}; it has {', '.join(specs)}.")
        return specs[version]

    def refuse_taken(self, name: str, version: str) -> None:
        """Raises `VersionProblem` if the engine of such a version would be named like a model."""
        if engine_name(f"{name}@{version}") in self._models:
            raise VersionProblem(f"{engine_name(f'{name}@{version}')} is the name of another model")

    def now(self, name: str) -> Rollout:
        """What holds for a model, as far as there are such versions."""
        return among(self._states[name], self.specs(name), self._models[name].version)

    def decided(self, name: str) -> Rollout:
        """What was decided about a model, whether or not there are such versions any more."""
        return self._states[name]

    def serving(self, name: str) -> list[ModelSpec]:
        """The versions that need an engine, the stable one first."""
        specs = self.specs(name)
        return [specs[version] for version in self.now(name).serving]

    def figures(self, name: str) -> dict[str, Any] | None:
        """The counts of a model's canary and of the stable version beside it."""
        trial, canary = self._versions.trial(name), self.now(name).canary
        return {"counts": trial.counts(), "since": canary.since} if trial and canary else None
