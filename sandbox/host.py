"""What is known about this host once it is proven, and how to start a jail on it.

Plain values; `nsjail.py` makes one while it checks the host, `run.py` uses it for every command.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sandbox.cgroup import Group, Hierarchy
from sandbox.interpreter import Interpreter
from sandbox.launcher import Launcher
from sandbox.profile import OWN_PROCESSES, Profile, text
from sandbox.protocol import Command, Limits
from sandbox.spec import Tier


@dataclass(frozen=True, slots=True)
class Host:
    """A host with a way to isolate: tier A has `hierarchy`, tier B has none."""

    launcher: Launcher
    interpreter: Interpreter
    command: tuple[str, ...]
    hierarchy: Hierarchy | None
    first_uid: int | None  # of the slots; None: every jail is this process's own user

    @property
    def tier(self) -> Tier:
        """A with control groups, B without."""
        return "B" if self.hierarchy is None else "A"

    @property
    def weighs(self) -> bool:
        """Whether control groups hold back how much of the processor jobs take; without, nice values do."""
        return self.hierarchy is not None and self.hierarchy.weighs

    def policy(self) -> str:
        """The system call policy: the same for all, and stricter where nothing counts memory."""
        return text("deny.kafel") if self.tier == "A" else text("deny.kafel") + text("uncounted.kafel")

    def owner(self, slot: int) -> tuple[int, int]:
        """User and group, outside, of the jail in a slot."""
        if self.first_uid is None:
            return os.getuid(), os.getgid()
        return self.first_uid + slot, self.first_uid + slot

    def group(self, limits: Limits) -> Group | None:
        """A control group for a run, in tier A."""
        return self.hierarchy.create(limits, OWN_PROCESSES) if self.hierarchy is not None else None

    def render(self, profile: Profile, limits: Limits, command: Command, slot: int) -> str:
        """nsjail's configuration for one command."""
        uid, gid = self.owner(slot)
        values: dict[str, str | int] = {
            "outside_uid": uid,
            "outside_gid": gid,
            "policy": self.policy(),
            "python_source": str(self.launcher.source("python")),
            "python_prefix": str(self.interpreter.prefix),
            "python_executable": str(self.interpreter.executable),
            "site_source": str(self.launcher.source("site")),
            "init_source": str(self.launcher.source("init")),
        }
        return profile.render(limits, values, self.interpreter.packages, command.environment)
