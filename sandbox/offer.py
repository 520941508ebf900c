"""The profiles that a sandbox offers: those built in and the operator's own, under the operator's ceilings."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.catalogue import load, profile_names
from sandbox.profile import Profile
from sandbox.protocol import InvalidCommand
from sandbox.spec import LimitsSpec, SandboxSpec


def offered(spec: SandboxSpec) -> dict[str, Profile]:
    """By name. Raises `UnsafeProfile`."""
    own = spec.profile_folder
    return {name: load(name, spec.profiles.get(name, LimitsSpec()).model_dump(), own) for name in profile_names(own)}


def named(profiles: Mapping[str, Profile], name: str) -> Profile:
    """One of them. Raises `InvalidCommand` with the names that there are."""
    if name not in profiles:
        raise InvalidCommand(f"There is no sandbox profile {name!r}; known are {', '.join(profiles)}.")
    return profiles[name]
