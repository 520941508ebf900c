"""What is known about this host once it is proven, and how to start a jail on it.

Plain values; `prove.py` makes one while it checks the host, `run.py` uses it for every command.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.catalogue import text
from sandbox.interpreter import Interpreter
from sandbox.jails.cgroup import Group, Hierarchy
from sandbox.launcher import Launcher
from sandbox.profile import OWN_PROCESSES, Profile, Shape
from sandbox.protocol import Command, Limits, SandboxUnavailable
from sandbox.spec import Tier
from sandbox.tools import TOOLCHAIN_PLACE, Provision

_USER_INSIDE = 1000


@dataclass(frozen=True, slots=True)
class Host:
    """A host with a way to isolate: tier A has `hierarchy`, tier B has none, tier C has no user namespaces.

    `shortfalls` say why stricter tiers are not to be had here.
    """

    launcher: Launcher
    interpreter: Interpreter
    command: tuple[str, ...]
    hierarchy: Hierarchy | None
    first_uid: int | None  # of the slots; None: every jail is this process's own user
    provisions: Mapping[str, Provision]  # by profile
    user_namespaces: bool = True
    shortfalls: tuple[str, ...] = ()

    @property
    def tier(self) -> Tier:
        """A with control groups and user namespaces, B without the former, C without the latter."""
        if not self.user_namespaces:
            return "C"
        return "B" if self.hierarchy is None else "A"

    @property
    def weighs(self) -> bool:
        """Whether control groups hold back how much of the processor jobs take; without, nice values do."""
        return self.hierarchy is not None and self.hierarchy.weighs

    def policy(self) -> str:
        """The system call policy: the same for all, and stricter where nothing counts memory."""
        return text("deny.kafel") if self.hierarchy is not None else text("deny.kafel") + text("uncounted.kafel")

    def owner(self, slot: int) -> tuple[int, int]:
        """User and group, outside, of the jail in a slot."""
        if self.first_uid is None:
            return os.getuid(), os.getgid()
        return self.first_uid + slot, self.first_uid + slot

    def group(self, limits: Limits) -> Group | None:
        """A control group for a run, where there are any."""
        return self.hierarchy.create(limits, OWN_PROCESSES) if self.hierarchy is not None else None

    def demand_tools(self, profile: Profile) -> None:
        """Raise `SandboxUnavailable` when the host lacks what a profile needs."""
        if missing := self.provisions[profile.name].missing:
            raise SandboxUnavailable(f"The sandbox profile {profile.name!r} does not work here: {'; '.join(missing)}.")

    def render(self, profile: Profile, limits: Limits, command: Command, slot: int) -> str:
        """nsjail's configuration for one command."""
        return self._render(profile, limits, command, slot, self.launcher.source)

    def render_for_review(self, profile: Profile) -> str:
        """The same for any command, with the host's own paths in place of the launcher's view of them."""
        return self._render(profile, profile.limits, Command(()), 0, self.launcher.origin)

    def _render(
        self, profile: Profile, limits: Limits, command: Command, slot: int, source: Callable[[str], Path]
    ) -> str:
        uid, gid = self.owner(slot)
        values: dict[str, str | int] = {
            "user_namespace": "true" if self.user_namespaces else "false",
            "inside_uid": _USER_INSIDE if self.user_namespaces else uid,
            "inside_gid": _USER_INSIDE if self.user_namespaces else gid,
            "outside_uid": uid,
            "outside_gid": gid,
            "policy": self.policy(),
            "python_source": str(source("python")),
            "python_prefix": str(self.interpreter.prefix),
            "python_executable": str(self.interpreter.executable),
            "site_source": str(source("site")),
            "init_source": str(source("init")),
        }
        provision = self.provisions[profile.name]
        shown = tuple((folder, folder) for folder in provision.folders)
        if provision.toolchain is not None:
            shown = ((TOOLCHAIN_PLACE, str(source(toolchain_source(profile.name)))), *shown)
        shape = Shape(self.interpreter.packages, shown)
        return profile.render(limits, values, shape, command.environment)


def toolchain_source(profile: str) -> str:
    """The launcher's name for the toolchain of a profile."""
    return f"toolchain-{profile}"
