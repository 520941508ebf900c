"""`Sandbox` without jails, for trusted linters alone (tier D): Landlock, a system call filter, limits.

`gateway` turns to it when the operator accepts tier D and nsjail has proven nothing stricter. What was generated is
read here and never executed: every profile without a trusted tool refuses. See `confinement.py` for what holds a tool.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox import kernel
from sandbox.active import ActiveRuns
from sandbox.admission import demand_possible
from sandbox.diagnosis import advice
from sandbox.doctor import MEANINGS, ProfileReport, Report
from sandbox.files.collect import Caps
from sandbox.identity import Identity
from sandbox.jails.prove import CannotIsolate, Surroundings
from sandbox.launcher import Launcher
from sandbox.linters.confined_run import ConfinedRun
from sandbox.linters.confinement import Trust, demand_landlock, identify_trusted
from sandbox.linters.folders import Folders
from sandbox.offer import named, offered
from sandbox.order import Order, nobody_listens
from sandbox.probes import LINTER_PROBE, demand_linted
from sandbox.profile import Profile
from sandbox.protocol import (
    Command,
    CommandRunner,
    InvalidCommand,
    OnProgress,
    Result,
    SandboxError,
    SandboxUnavailable,
)
from sandbox.slots import Slots
from sandbox.spec import SandboxSpec
from sandbox.threads import finish

_MIB = 1 << 20


class LandlockSandbox:
    """Runs the trusted tools of `around.site`; `shortfalls` say why stricter tiers are not to be had.

    `around.python` runs what confines a tool; `temporary` is where private workspaces may lie.
    """

    def __init__(self, spec: SandboxSpec, around: Surroundings, temporary: Path, shortfalls: Sequence[str]) -> None:
        self._spec = spec
        self._around = around
        self._temporary = temporary
        self._shortfalls = tuple(shortfalls)
        self._profiles = offered(spec)
        self._slots = Slots(spec.slots, spec.most_waiting, spec.wait_timeout_seconds)
        self._runs = ActiveRuns()
        self._proven: tuple[Trust, Identity] | None = None
        self._proving = asyncio.Lock()
        self._closed = False

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """Run one command of a trusted tool; see `Sandbox.run`. Raises `SandboxUnavailable` for other profiles."""
        profile = named(self._profiles, command.profile)
        limits = profile.effective(command.limits)
        demand_possible(command, profile)
        trust, identity = await self._proof()
        self._demand_trusted(command, profile, trust)
        queued = time.monotonic()
        async with self._slots.held(command.tenant) as slot:
            self._demand_open()
            caps, waited = Caps(self._spec.collect_files, self._spec.collect_mib * _MIB), time.monotonic() - queued
            order = Order(command, profile, limits, caps, slot, identity, waited, on_progress or nobody_listens)
            return await self._runs.run(ConfinedRun(trust, order))

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[CommandRunner]:
        """See `Sandbox.workspace`: a linter needs none, so entering raises `SandboxUnavailable`."""
        self._demand_open()
        raise SandboxUnavailable("In tier D there are no workspaces of several commands; give each command its files.")
        yield self

    def environment_digest(self, profile: str) -> str:
        """See `Sandbox.environment_digest`. Raises `SandboxUnavailable` before the first check or run."""
        name = named(self._profiles, profile).name
        if self._proven is None:
            raise SandboxUnavailable("The environment is known once the host is proven; call `check` first.")
        return self._proven[1].environments[name]

    async def check(self) -> None:
        """See `Sandbox.check`: the linter finds what is in a file. Every run proves anew by what it is held."""
        try:
            demand_linted(await self.run(LINTER_PROBE))
        except SandboxUnavailable as error:
            raise CannotIsolate((*self._shortfalls, f"tier D: {error}")) from None

    async def diagnose(self) -> Report:
        """See `Sandbox.diagnose`."""
        trust, identity = await self._proof()
        return Report(
            tier="D",
            meaning=MEANINGS["D"],
            shortfalls=self._shortfalls,
            advice=advice(),
            cgroup_version=None,
            own_users=trust.first_uid is not None,
            kernel=identity.kernel,
            nsjail_version="",
            nsjail_sha256="",
            interpreter=str(trust.python),
            profiles=tuple(self._report(name, trust, identity) for name in self._profiles),
            landlock_abi=trust.landlock_abi,
        )

    async def close(self) -> None:
        """See `Sandbox.close`; what runs ends with the outcome `cancelled`."""
        self._closed = True
        await self._runs.end()
        async with self._proving:
            if self._proven is not None:
                trust, _ = self._proven
                trust.launcher.close()
                await finish(trust.folders.remove)
                self._proven = None

    def _demand_open(self) -> None:
        if self._closed:
            raise SandboxError("The sandbox is closed.")

    def _demand_trusted(self, command: Command, profile: Profile, trust: Trust) -> None:
        if missing := self._missing(profile, trust):
            trusted = ", ".join(name for name, each in self._profiles.items() if each.trusted is not None)
            raise SandboxUnavailable(
                f"The sandbox profile {profile.name!r} does not work here: {missing}. This host is held to tier D, "
                f"where only {trusted} runs; `bailey sandbox doctor` says what it must allow."
            )
        words = profile.trusted.words if profile.trusted is not None else ()
        if command.argv[: len(words)] != words:
            raise InvalidCommand(
                f"In tier D the sandbox profile {profile.name!r} runs `{' '.join(words)}` and nothing else."
            )

    def _missing(self, profile: Profile, trust: Trust) -> str:
        """Why a profile does not work here, or nothing."""
        if profile.trusted is None:
            return "it can execute generated code, which takes tier A, B or C"
        if profile.name not in trust.programs:
            place = self._around.site / profile.trusted.program
            return f"its program is not at {place}; install it among the importable tools"
        return ""

    async def _proof(self) -> tuple[Trust, Identity]:
        async with self._proving:
            self._demand_open()
            if self._proven is None:
                self._proven = await finish(self._prove)
            return self._proven

    def _prove(self) -> tuple[Trust, Identity]:
        """What this host has for it. Blocking."""
        abi, first_uid = demand_landlock(), _first_uid(self._spec)
        programs = {}
        for name, profile in self._profiles.items():
            place = self._around.site / profile.trusted.program if profile.trusted is not None else None
            if place is not None and os.access(place, os.X_OK):
                programs[name] = place.resolve()
        identity = identify_trusted(programs, self._around.site, self._profiles)
        try:
            folders = Folders(self._temporary, shared=first_uid is not None)
        except OSError as error:
            raise SandboxUnavailable(f"no private folder can be kept in {self._temporary}: {error}") from None
        return Trust(Launcher({}, private_view=False), self._around.python, abi, first_uid, folders, programs), identity

    def _report(self, name: str, trust: Trust, identity: Identity) -> ProfileReport:
        missing = self._missing(self._profiles[name], trust)
        found = {place.name: str(place) for each, place in trust.programs.items() if each == name}
        return ProfileReport(name, not missing, found, (missing,) if missing else (), identity.environments[name])


def _first_uid(spec: SandboxSpec) -> int | None:
    """Where the slots' user ids begin, for root; an ordinary user's tools run as that user."""
    if os.geteuid() != 0:
        return None
    if not kernel.acts_for_others():
        raise SandboxUnavailable(
            "this process is root without the capabilities to act for other users; run it as an ordinary user, or give "
            "it CAP_SETUID, CAP_SETGID, CAP_CHOWN, CAP_KILL and CAP_DAC_OVERRIDE"
        )
    if not all(kernel.maps_user(uid) for uid in (spec.first_uid, spec.first_uid + spec.slots - 1)):
        raise SandboxUnavailable(
            f"the user ids from {spec.first_uid} do not exist in this user namespace; set sandbox.first_uid to the "
            "first of enough unused ids that do"
        )
    return spec.first_uid
