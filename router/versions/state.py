"""The versions of one model now: a fold of its ledger entries. No other record of it exists. Pure.

models.yaml speaks through an entry, too (`version.declared`), recorded at the first start that sees it changed. So the
ledger has every decision in order, and the last one counts, wherever it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference.adapters import adapters_of
from inference.catalog import ModelSpec
from inference.versions import declared
from ledger.protocol import Entry, JsonValue
from router.versions.adapters import Attached, Decided, advanced, kept

MODELS_STREAM = "models"
DECLARED, ADDED, CANARY = "version.declared", "version.added", "version.canary"
PROMOTED, ROLLED_BACK, OBSERVED = "version.promoted", "version.rolled_back", "version.observed"
ADAPTER_LOADED, ADAPTER_UNLOADED = "adapter.loaded", "adapter.unloaded"
DECISIONS = (DECLARED, ADDED, CANARY, PROMOTED, ROLLED_BACK, ADAPTER_LOADED, ADAPTER_UNLOADED)


def decision_key(model: str, number: int) -> str:
    """The nth decision about a model is taken once: whoever comes second looks again at what holds now."""
    return f"models/{model}/decision/{number}"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What models.yaml says of a model: the version that its entry is, the canary, if any, each version's adapters."""

    version: str
    canary: tuple[str, float] | None = None
    adapters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelSpec) -> Declaration:
        """From the keys of the entry."""
        canary = (model.canary.version, model.canary.percent) if model.canary else None
        adapters = {version: dict(adapters_of(spec)) for version, spec in declared(model).items()}
        return cls(model.version, canary, {version: given for version, given in adapters.items() if given})

    def facts(self) -> dict[str, JsonValue]:
        """As the ledger keeps it."""
        canary: JsonValue = {"version": self.canary[0], "percent": self.canary[1]} if self.canary else None
        facts: dict[str, JsonValue] = {"version": self.version, "canary": canary}
        if self.adapters:
            facts["adapters"] = {version: dict(given) for version, given in self.adapters.items()}
        return facts

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Declaration:
        """The inverse of `facts`."""
        said, adapters = facts["canary"], facts.get("adapters", {})
        canary = (str(said["version"]), float(said["percent"])) if said else None
        return cls(str(facts["version"]), canary, {version: dict(given) for version, given in adapters.items()})


@dataclass(frozen=True, slots=True)
class Canary:
    """A version on trial. `since` is the number of the entry that began it; a changed share does not begin it anew."""

    version: str
    percent: float
    since: int
    actor: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A model's versions now.

    `replaced` are the stable versions before this one, the latest last; `added` those that came at run time, with what
    differs; `said` is the last word on a version that was tried, for people. `adapters` is what was decided at run time
    about each version's. `counts` are the canary's figures as they were last kept.
    """

    model: str
    stable: str
    declared: Declaration | None = None
    canary: Canary | None = None
    replaced: tuple[str, ...] = ()
    added: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    adapters: Decided = field(default_factory=dict)
    counts: Mapping[str, Any] | None = None
    decisions: int = 0
    last_seq: int = 0

    @property
    def serving(self) -> tuple[str, ...]:
        """The versions that need an engine, the stable one first."""
        return (self.stable, self.canary.version) if self.canary else (self.stable,)

    @property
    def next_key(self) -> str:
        """The key of the next decision."""
        return decision_key(self.model, self.decisions + 1)


def fold(model: str, version: str, entries: Iterable[Entry]) -> Rollout:
    """The state after these entries of the stream `models`; those of other models are passed over."""
    state = Rollout(model, version)
    for entry in entries:
        if entry.data.get("model") == model:
            state = advance(state, entry)
    return state


def advance(state: Rollout, entry: Entry) -> Rollout:
    """The state after one more entry about the model."""
    if entry.type == OBSERVED:
        return _observed(state, entry)
    step = {
        DECLARED: _declared, ADDED: _added, CANARY: _canary, PROMOTED: _promoted, ROLLED_BACK: _rolled_back,
        ADAPTER_LOADED: _adapter, ADAPTER_UNLOADED: _adapter,
    }.get(entry.type)  # fmt: skip
    if step is None:
        return state
    return replace(step(state, entry), decisions=state.decisions + 1, last_seq=entry.seq)


def _declared(state: Rollout, entry: Entry) -> Rollout:
    return with_declaration(state, Declaration.from_facts(entry.data), entry.seq, entry.actor)


def with_declaration(state: Rollout, now: Declaration, seq: int, actor: str) -> Rollout:
    """The state after models.yaml said this. What it says just as before changes nothing."""
    before = state.declared
    adapters = kept(state.adapters, before.adapters if before else {}, now.adapters)
    state = replace(state, declared=now, adapters=adapters)
    if before is None:
        state = replace(state, stable=now.version)
    elif before.version != now.version:
        state = _with_stable(state, now.version)
    if (before.canary if before else None) == now.canary:
        return state
    if now.canary is not None and now.canary[0] != state.stable:
        return _with_canary(state, Canary(*now.canary, seq, actor))
    ended = before.canary[0] if before and before.canary else None
    if state.canary and state.canary.version == ended:
        return replace(state, canary=None, counts=None)
    return state


def _added(state: Rollout, entry: Entry) -> Rollout:
    changes: Any = entry.data["changes"]
    return replace(state, added={**state.added, str(entry.data["version"]): changes})


def _adapter(state: Rollout, entry: Entry) -> Rollout:
    facts: Any = entry.data
    loaded = Attached(facts["source"], facts["digest"], entry.actor) if entry.type == ADAPTER_LOADED else None
    return replace(state, adapters=advanced(state.adapters, str(facts["version"]), str(facts["adapter"]), loaded))


def _canary(state: Rollout, entry: Entry) -> Rollout:
    version, percent = str(entry.data["version"]), float(str(entry.data["percent"]))
    return _with_canary(state, Canary(version, percent, entry.seq, entry.actor))


def _promoted(state: Rollout, entry: Entry) -> Rollout:
    version = str(entry.data["version"])
    said = {**state.said, version: f"promoted by {entry.actor}"}
    return replace(_with_stable(state, version), said=said)


def _rolled_back(state: Rollout, entry: Entry) -> Rollout:
    version, back_to = str(entry.data["version"]), str(entry.data["to"])
    state = replace(state, said={**state.said, version: f"rolled back by {entry.actor}: {entry.data['reason']}"})
    if state.canary and state.canary.version == version:
        return replace(state, canary=None, counts=None)
    earlier = state.replaced[: state.replaced.index(back_to)] if back_to in state.replaced else ()
    return replace(state, stable=back_to, replaced=earlier, canary=None, counts=None)


def _observed(state: Rollout, entry: Entry) -> Rollout:
    if state.canary is None or state.canary.since != entry.data["since"]:
        return state
    counts: Any = entry.data["counts"]
    return replace(state, counts=counts)


def _with_stable(state: Rollout, version: str) -> Rollout:
    """Another stable version; a canary of it has come to its end."""
    if version == state.stable:
        return state
    state = replace(state, stable=version, replaced=(*(v for v in state.replaced if v != version), state.stable))
    return replace(state, canary=None, counts=None)


def _with_canary(state: Rollout, canary: Canary) -> Rollout:
    if state.canary and state.canary.version == canary.version:
        return replace(state, canary=replace(state.canary, percent=canary.percent))
    return replace(state, canary=canary, counts=None)


def among(state: Rollout, known: Iterable[str], base: str) -> Rollout:
    """The state as far as there are such versions: one that models.yaml dropped answers nobody.

    The stable version is then the latest earlier one that there is, at last `base`, the entry itself.
    """
    there = {*known, base}
    earlier = [version for version in state.replaced if version in there]
    stable = state.stable if state.stable in there else next(reversed(earlier), base)
    canary = state.canary if state.canary and state.canary.version in there - {stable} else None
    replaced = tuple(version for version in earlier if version != stable)
    return replace(state, stable=stable, canary=canary, replaced=replaced, counts=state.counts if canary else None)
