"""Every version as people see it: who answers what share, where it comes from, how it does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inference.adapters import adapters_of
from inference.catalog import ModelSpec
from inference.versions import declared
from router.versions.adapters import Attached
from router.versions.register import Register
from router.versions.state import Rollout
from router.versions.trial import Arm, Trial
from router.versions.versions import Versions

Role = Literal["stable", "canary", "idle"]


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version now. `origin` is models.yaml or run time, `figures` are bad answers of all by kind while a canary is
    on trial, `said` is the last decision about it, `suggestion` what its figures speak for.
    """

    model: str
    version: str
    role: Role
    percent: float
    origin: str
    weights: str | None
    figures: Mapping[str, str]
    said: str
    suggestion: str
    adapters: Sequence[AdapterView]


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter that a version is to have; `weights` is the digest of its own files."""

    adapter: str
    source: str
    origin: str
    weights: str | None


def views(register: Register, versions: Versions, model: str) -> list[VersionView]:
    """All versions of a model. Raises `UnknownVersion`."""
    base, now, said = register.model(model), register.now(model), register.decided(model)
    in_file, trial = declared(base), versions.trial(model)
    return [
        VersionView(
            model=model,
            version=version,
            role=(role := _role(now, version)),
            percent=_percent(now, role),
            origin="models.yaml" if version in in_file else "run time",
            weights=versions.weights(spec) if role != "idle" else None,
            figures=_figures(trial, role),
            said=said.said.get(version, ""),
            suggestion=_suggestion(trial) if role == "canary" else "",
            adapters=_adapters(spec, said.adapters.get(version, {}), versions),
        )
        for version, spec in register.specs(model).items()
    ]


def disagreements(register: Register, versions: Versions, model: str) -> list[str]:
    """Where the ledger's decisions and models.yaml differ, as sentences."""
    base, decided, now = register.model(model), register.decided(model), register.now(model)
    said = [f"Added at run time, and ruled out since: {reason}" for reason in register.ruled_out(model)]
    if now.stable != base.version:
        said.append(f"{model} answers as {now.stable}, as was decided at run time; models.yaml says {base.version}.")
    if decided.stable != now.stable:
        said.append(f"{decided.stable} was decided for {model}, but no such version is declared any more.")
    if base.canary and (now.canary is None or now.canary.version != base.canary.version):
        said.append(f"models.yaml declares {base.canary.version} as a canary of {model}; that trial has ended.")
    for version, adapters in decided.adapters.items():
        spec = register.specs(model).get(version)
        said += _about_adapters(version, adapters, base, spec, versions)
    return said


def _adapters(spec: ModelSpec, decided: Mapping[str, Attached | None], versions: Versions) -> list[AdapterView]:
    return [
        AdapterView(
            adapter,
            source,
            origin="run time" if decided.get(adapter) else "models.yaml",
            weights=versions.adapter_weights(spec, adapter),
        )
        for adapter, source in adapters_of(spec).items()
    ]


def _about_adapters(
    version: str, decided: Mapping[str, Attached | None], base: ModelSpec, spec: ModelSpec | None, versions: Versions
) -> Iterator[str]:
    in_file = declared(base).get(version)
    for adapter, loaded in decided.items():
        name = f"{base.name}@{version}:{adapter}"
        if loaded is None and in_file and adapter in adapters_of(in_file):
            yield f"models.yaml declares {name}, which was unloaded at run time."
        if loaded and (spec is None or adapter not in adapters_of(spec)):
            yield f"{name} was loaded at run time, and that version takes no adapters any more."
        elif loaded and spec and (now := versions.adapter_weights(spec, adapter)) and now != loaded.digest:
            yield f"{name} has other files than those that {loaded.actor} loaded."


def _role(now: Rollout, version: str) -> Role:
    if version == now.stable:
        return "stable"
    return "canary" if version in now.serving else "idle"


def _percent(now: Rollout, role: Role) -> float:
    share = now.canary.percent if now.canary else 0.0
    return {"canary": share, "stable": 100 - share, "idle": 0.0}[role]


def _figures(trial: Trial | None, role: Role) -> dict[str, str]:
    if trial is None or role == "idle":
        return {}
    arm: Arm = "canary" if role == "canary" else "stable"
    tallies = trial.canary if arm == "canary" else trial.stable
    return {kind.replace("_", " "): f"{tally.bad} of {tally.seen}" for kind, tally in tallies.items() if tally.seen}


def _suggestion(trial: Trial | None) -> str:
    if trial is None or not trial.no_worse():
        return ""
    return f"no worse within the margins, with a confidence of {trial.rules.confidence:.2%}: it may be promoted"
