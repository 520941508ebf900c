"""Tier D for tests: sandboxes for linters, and programs that no sandbox would trust behind the same walls."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.catalogue import load
from sandbox.files.collect import Caps
from sandbox.jails.prove import Surroundings
from sandbox.landlock import LandlockSandbox
from sandbox.launcher import Launcher
from sandbox.linters.confined_run import ConfinedRun
from sandbox.linters.confinement import LEAST_ABI, Trust, demand_landlock, identify_trusted, landlock_abi
from sandbox.linters.folders import Folders
from sandbox.order import Order, nobody_listens
from sandbox.profile import Trusted
from sandbox.protocol import Command, Limits, OnProgress, Result
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import BASE_INTERPRETER, SITE

# test_landlock_hosts.py takes it away to hold the refusal of a host that has too little of it.
needs_landlock = pytest.mark.skipif(landlock_abi() < LEAST_ABI, reason=f"tier D takes Landlock ABI {LEAST_ABI}")
RUFF = ("python", "-m", "ruff")
FAULT = {"x.py": b"import os\nprint('x' )\n"}

# The host's own, whose library lies where that of every program does.
PROBING = Path("/usr/bin/python3").resolve()
HOSTILE = replace(load("lint", {}), name="hostile", trusted=Trusted(("python",), ""))
FIRST_UID = 100_000

# An ordinary user on a host where no jail can be made: neither control groups nor one more user namespace.
WITHOUT_JAILS = (
    *("unshare", "--mount", "--map-root-user", "sh", "-c"),
    "mount -t tmpfs none /sys/fs/cgroup && echo 1 > /proc/sys/user/max_user_namespaces "
    '&& exec unshare --user --map-user=1000 --map-group=1000 "$@"',
    "sh",
)

# Root as most containers have it: for other users, but not to mount.
ROOT_WITHOUT_MOUNTS = ("setpriv", "--bounding-set=-sys_admin,-sys_ptrace")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """One that other users can pass through, unlike pytest's."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def make_landlock(temporary: Path, spec: SandboxSpec | None = None, *, site: Path = SITE) -> LandlockSandbox:
    """A sandbox of tier D, whatever else this host could do."""
    around = Surroundings(BASE_INTERPRETER, site)
    return LandlockSandbox(spec or SandboxSpec(minimum_tier="D"), around, temporary, ("tier B: not asked for",))


@contextmanager
def hostile_trust(temporary: Path, *, own_user: bool) -> Iterator[Trust]:
    """A host that trusts a Python interpreter. Without `own_user` nothing but Landlock and the filter holds it."""
    first_uid = FIRST_UID if own_user else None
    folders = Folders(temporary, shared=own_user)
    launcher = Launcher({}, private_view=False)
    try:
        yield Trust(launcher, BASE_INTERPRETER, demand_landlock(), first_uid, folders, {"hostile": PROBING})
    finally:
        launcher.close()
        folders.remove()


def hostile_run(
    trust: Trust, program: str, limits: Limits | None = None, hear: OnProgress = nobody_listens, **more: object
) -> ConfinedRun:
    """The run of a program text; further keywords are fields of `Command`."""
    command = Command(("python", "-IBc", program), profile="hostile", **more)  # type: ignore[arg-type]  # fields of Command
    identity = identify_trusted(trust.programs, SITE, {"hostile": HOSTILE})
    caps = Caps(16, 1 << 20)
    return ConfinedRun(trust, Order(command, HOSTILE, HOSTILE.effective(limits), caps, 0, identity, on_progress=hear))


async def run_hostile(trust: Trust, program: str, limits: Limits | None = None, **more: object) -> Result:
    """What becomes of it."""
    return await hostile_run(trust, program, limits, nobody_listens, **more).execute()


def is_root() -> bool:
    """Whether tools can have user ids of their own."""
    return os.geteuid() == 0
