"""Which adapters a version is to have: what models.yaml declares, and what was decided at run time over it. Pure.

The last word on an adapter counts, wherever it came from: a decision holds until models.yaml says of that adapter
something else than it did when it was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.adapters import adapters_of, with_adapters
from inference.catalog import ModelSpec, VllmModel


@dataclass(frozen=True, slots=True)
class Attached:
    """An adapter that somebody loaded: where from, and the digest of its files then."""

    source: str
    digest: str
    actor: str


Decided = Mapping[str, Mapping[str, Attached | None]]
"""version -> adapter -> how it was loaded last; None if it was unloaded."""


def advanced(decided: Decided, version: str, adapter: str, loaded: Attached | None) -> Decided:
    """With one more decision."""
    return {**decided, version: {**decided.get(version, {}), adapter: loaded}}


def kept(decided: Decided, before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> Decided:
    """The decisions that hold when models.yaml declared the adapters `before`, and these `now`."""
    return {
        version: {
            adapter: loaded
            for adapter, loaded in adapters.items()
            if before.get(version, {}).get(adapter) == now.get(version, {}).get(adapter)
        }
        for version, adapters in decided.items()
    }


def reconciled(spec: ModelSpec, decided: Mapping[str, Attached | None]) -> ModelSpec:
    """The version with the adapters that it is to have; one that takes none any more stays as it is."""
    if not decided or not isinstance(spec, VllmModel):
        return spec
    sources = {name: loaded.source for name, loaded in decided.items() if loaded}
    declared = {name: source for name, source in adapters_of(spec).items() if name not in decided}
    return with_adapters(spec, declared | sources)
