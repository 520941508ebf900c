"""Profiles: what `profiles/` says, with the operator's ceilings and one run's values filled in.

The isolation itself is in the data files. This module only fills in, and refuses what may not be asked for.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from sandbox.protocol import InvalidCommand, Limits

_FOLDER = Path(__file__).parent / "profiles"
WORKSPACE = "/work"
WRITABLE_PLACES = (WORKSPACE, "/tmp", "/dev/shm")  # noqa: S108 - paths inside the jail
FIXED_PLACES = (*WRITABLE_PLACES, "/proc", "/dev", "/etc", "/site", "/jail")

# Processes that are ours and not the command's: the init process inside, nsjail outside.
OWN_PROCESSES_INSIDE = 1
OWN_PROCESSES = 2

# By how much the kernel's limits stay behind the supervisor's exact ones.
_BACKSTOP_SECONDS = 5

# Below these no jail comes up.
_LEAST = {"memory_mib": 15, "open_files": 15, "disk_files": 1}

_SHARED_MEMORY_MIB = 32
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Profile:
    """One row of profiles.toml with the text of its jail; `limits` are the most a command may use."""

    name: str
    config: str
    loopback: bool
    address_space_mib: int
    limits: Limits

    def effective(self, asked: Limits | None) -> Limits:
        """The limits of one command. Raises `InvalidCommand` for a limit above this profile's."""
        if asked is None:
            return self.limits
        for field in fields(Limits):
            value, most = getattr(asked, field.name), getattr(self.limits, field.name)
            if not _LEAST.get(field.name, 0) < value <= most:
                raise InvalidCommand(
                    f"The limit {field.name}={value} is not possible in profile {self.name!r}: it must be above "
                    f"{_LEAST.get(field.name, 0)} and at most {most}, "
                    f"or the operator raises sandbox.profiles.{self.name}.{field.name}."
                )
        return asked

    def environment(self) -> dict[str, str]:
        """The variables that the jail sets; a command may not change them."""
        lines = [line.strip() for line in self.config.splitlines() if line.startswith("envar:")]
        return dict(line.removeprefix("envar:").strip().strip('"').split("=", 1) for line in lines)

    def render(
        self, limits: Limits, values: Mapping[str, str | int], covers: Iterable[str], variables: Mapping[str, str]
    ) -> str:
        """nsjail's configuration for one run.

        `values` are the words that depend on host and slot; `covers` the folders inside the jail that
        an empty read-only one hides; `variables` are added to the environment.
        """
        numbers = {
            "no_loopback": "false" if self.loopback else "true",
            "backstop_seconds": math.ceil(limits.wall_seconds) + _BACKSTOP_SECONDS,
            "rlimit_cpu_seconds": math.ceil(limits.cpu_seconds) + _BACKSTOP_SECONDS,
            "rlimit_as_mib": self.address_space_mib,
            "rlimit_fsize_mib": limits.disk_mib + 1,
            "rlimit_nproc": limits.processes + OWN_PROCESSES_INSIDE,
            "open_files": limits.open_files,
            "disk_bytes": limits.disk_mib * _MIB,
            "disk_files": limits.disk_files,
            "shm_bytes": min(limits.disk_mib, _SHARED_MEMORY_MIB) * _MIB,
        }
        filled = Template(self.config).substitute(
            {**numbers, **{name: quoted(value) for name, value in values.items()}}
        )
        added = [_COVER.substitute(folder=quoted(folder)) for folder in covers]
        added += [f'envar: "{quoted(name)}={quoted(value)}"\n' for name, value in variables.items()]
        return filled + "".join(added)


_COVER = Template(
    'mount { dst: "$folder" fstype: "tmpfs" options: "size=4096,nr_inodes=2,mode=755" '
    "nosuid: true nodev: true noexec: true }\n"
)


def quoted(value: str | int) -> str:
    """The inside of a protobuf text string: quotes, backslashes and everything not plain ASCII escaped."""
    if isinstance(value, int):
        return str(value)
    plain = set(range(32, 127)) - set(b'"\\')
    return "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in value.encode("utf-8", "surrogateescape"))


def profile_names() -> tuple[str, ...]:
    """The profiles that exist, in the order of profiles.toml."""
    return tuple(_table())


def load(name: str, ceilings: Mapping[str, float | int | None]) -> Profile:
    """A profile that exists, with the operator's ceilings (field name -> value or None)."""
    row = _table()[name]
    own = Limits(**{field.name: row[field.name] for field in fields(Limits)})
    limits = replace(own, **{field: value for field, value in ceilings.items() if value is not None})  # type: ignore[arg-type]  # fields checked by LimitsSpec
    return Profile(name, text(row["config"]), row["loopback"], row["address_space_mib"], limits)


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(text("profiles.toml"))


@cache
def text(file: str) -> str:
    """A file of `profiles/`."""
    return (_FOLDER / file).read_text("utf-8")
