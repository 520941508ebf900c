"""A profile: what a folder of profiles says, with the operator's ceilings and one run's values filled in.

The isolation itself is in the data files, which `catalogue.py` reads. This module only fills in, and refuses
what may not be asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from string import Template

from sandbox.protocol import InvalidCommand, Limits

WORKSPACE = "/work"
WRITABLE_PLACES = (WORKSPACE, "/tmp", "/dev/shm")  # noqa: S108 - paths inside the jail
FIXED_PLACES = (*WRITABLE_PLACES, "/proc", "/dev", "/etc", "/bin", "/lib", "/lib64", "/site", "/jail", "/toolchain")

# Processes that are ours and not the command's: the init process inside, nsjail outside.
OWN_PROCESSES_INSIDE = 1
OWN_PROCESSES = 2

# By how much the kernel's limits stay behind the supervisor's exact ones.
BACKSTOP_SECONDS = 5

# Below these no jail comes up.
_LEAST = {"memory_mib": 15, "open_files": 15, "disk_files": 1}

_SHARED_MEMORY_MIB = 32
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a profile runs one source file; `$file` among the words stands for it.

    Where there is a `build`, that runs first, and only the files that match `makes` go on to `run`, in another jail.
    """

    suffixes: tuple[str, ...]
    build: tuple[str, ...]
    makes: tuple[str, ...]
    run: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trusted:
    """What runs in tier D too: commands that begin with `words`, by the file `program` of the importable tools.

    Only for programs that execute nothing of what they read. They are not started through an interpreter, which
    would find modules in the workspace.
    """

    words: tuple[str, ...]
    program: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One row of profiles.toml with the text of its jail; `limits` are the most a command may use.

    `tools` are programs that it needs of the host, with the package that brings each, `modules` importable ones;
    of `shown_if_present` the host's folders that match are shown.
    """

    name: str
    config: str
    loopback: bool
    address_space_mib: int
    limits: Limits
    tools: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    shown_if_present: tuple[str, ...] = ()
    recipe: Recipe = Recipe((), (), (), ())
    trusted: Trusted | None = None

    def effective(self, asked: Limits | None) -> Limits:
        """The limits of one command. Raises `InvalidCommand` for a limit above this profile's."""
        if asked is None:
            return self.limits
        for limit in (each.name for each in fields(Limits)):
            value, most = getattr(asked, limit), getattr(self.limits, limit)
            if not _LEAST.get(limit, 0) < value <= most:
                raise InvalidCommand(
                    f"The limit {limit}={value} is not possible in profile {self.name!r}: it must be above "
                    f"{_LEAST.get(limit, 0)} and at most {most}, "
                    f"or the operator raises sandbox.profiles.{self.name}.{limit}."
                )
        return asked

    def environment(self) -> dict[str, str]:
        """The variables that the jail sets; a command may not change them."""
        lines = [line.strip() for line in self.config.splitlines() if line.startswith("envar:")]
        return dict(line.removeprefix("envar:").strip().strip('"').split("=", 1) for line in lines)

    def render(
        self, limits: Limits, values: Mapping[str, str | int], shape: Shape, variables: Mapping[str, str]
    ) -> str:
        """nsjail's configuration for one run.

        `values` are the words that depend on host and slot, `shape` the mounts that do; `variables` are added to
        the environment.
        """
        numbers = {
            "no_loopback": "false" if self.loopback else "true",
            "backstop_seconds": math.ceil(limits.wall_seconds) + BACKSTOP_SECONDS,
            "rlimit_cpu_seconds": math.ceil(limits.cpu_seconds) + BACKSTOP_SECONDS,
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
        covers = shape.covers if self.shows_interpreter else ()
        added = [_COVER.substitute(folder=quoted(folder)) for folder in covers]
        added += [_SHOWN.substitute(source=quoted(source), place=quoted(place)) for place, source in shape.shown]
        added += [f'envar: "{quoted(name)}={quoted(value)}"\n' for name, value in variables.items()]
        return filled + "".join(added)

    @property
    def shows_interpreter(self) -> bool:
        """Whether its jail holds the interpreter and the importable tools."""
        return "$python_source" in self.config


@dataclass(frozen=True, slots=True)
class Shape:
    """Mounts of a jail that depend on the host.

    `covers` are folders of the interpreter that an empty read-only one hides; `shown` are pairs of a place inside
    and what is shown there, read-only.
    """

    covers: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()


_COVER = Template(
    'mount { dst: "$folder" fstype: "tmpfs" options: "size=4096,nr_inodes=2,mode=755" '
    "nosuid: true nodev: true noexec: true }\n"
)
_SHOWN = Template('mount { src: "$source" dst: "$place" is_bind: true nosuid: true nodev: true }\n')


_NOT_PLAIN = re.compile(rb"[^ !#-\[\]-~]")


def quoted(value: str | int) -> str:
    """The inside of a protobuf text string: quotes, backslashes and everything not plain ASCII escaped."""
    if isinstance(value, int):
        return str(value)
    content = value.encode("utf-8", "surrogateescape")
    return _NOT_PLAIN.sub(lambda found: b"\\%03o" % found[0][0], content).decode("ascii")
