"""`Sandbox` by nsjail: proves the host once, then runs commands in a bounded number of slots.

The isolation is in `profiles/`, one run in `run.py`. This class owns what outlives a run: the slots, the
launcher's thread and what is known about the host. It is neither a server nor a pool. `gateway` builds it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sandbox.active import ActiveRuns
from sandbox.admission import demand_possible
from sandbox.doctor import Report
from sandbox.files.collect import Caps
from sandbox.files.remains import Remains
from sandbox.identity import Identity
from sandbox.jails.host import Host
from sandbox.jails.identify import identify
from sandbox.jails.prove import Surroundings, prove
from sandbox.jails.report import report
from sandbox.jails.run import Run
from sandbox.jails.warm import Pool
from sandbox.offer import named, offered
from sandbox.order import Order, nobody_listens
from sandbox.persistent import PersistentWorkspace
from sandbox.probes import PROBE, demand_isolated
from sandbox.protocol import (
    Command,
    CommandRunner,
    OnProgress,
    Result,
    SandboxError,
    SandboxOverloaded,
    SandboxUnavailable,
)
from sandbox.slots import Slots
from sandbox.spec import SandboxSpec
from sandbox.threads import finish

_UNPROVEN = "The environment is known once the host is proven; call `check` first."
_MIB = 1 << 20


class NsjailSandbox:
    """Runs commands in nsjail.

    `python` is the interpreter for generated code unless `spec.interpreter` names another, `site` a folder
    of importable tools made by `pip install --target`, `control_groups` the place where cgroups are mounted.
    """

    def __init__(
        self, spec: SandboxSpec, *, python: Path, site: Path, control_groups: Path = Path("/sys/fs/cgroup")
    ) -> None:
        self._spec = spec
        self._around = Surroundings(spec.interpreter or python, site, control_groups)
        self._profiles = offered(spec)
        self._slots = Slots(spec.slots, spec.most_waiting, spec.wait_timeout_seconds)
        self._runs = ActiveRuns()
        self._workspaces: set[PersistentWorkspace] = set()
        self._host: Host | None = None
        self._identity: Identity | None = None
        self._pool: Pool | None = None
        self._proving = asyncio.Lock()
        self._closed = False

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """Run one command; see `Sandbox.run`."""
        return await self._run_in(None, command, on_progress)

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[CommandRunner]:
        """See `Sandbox.workspace`."""
        self._demand_open()
        if len(self._workspaces) >= self._spec.most_workspaces:
            raise SandboxOverloaded(
                f"{self._spec.most_workspaces} workspaces are open already; try again later, or raise "
                "sandbox.most_workspaces."
            )
        workspace = PersistentWorkspace(self._run_in)
        self._workspaces.add(workspace)
        try:
            yield workspace
        finally:
            self._workspaces.discard(workspace)
            await workspace.close()

    async def _run_in(self, remains: Remains | None, command: Command, on_progress: OnProgress | None) -> Result:
        profile = named(self._profiles, command.profile)
        limits = profile.effective(command.limits)
        demand_possible(command, profile)
        host = await self._proven_host()
        host.demand_tools(profile)
        queued = time.monotonic()
        async with self._slots.held(command.tenant) as slot:
            self._demand_open()
            caps, waited = Caps(self._spec.collect_files, self._spec.collect_mib * _MIB), time.monotonic() - queued
            listener = on_progress or nobody_listens
            order = Order(command, profile, limits, caps, slot, self._identity, waited, listener, remains)
            return await self._run_warm(host, order) or await self._runs.run(Run(host, order))

    def environment_digest(self, profile: str) -> str:
        """See `Sandbox.environment_digest`. Raises `SandboxUnavailable` before the first check or run."""
        name = named(self._profiles, profile).name
        if self._identity is None:
            raise SandboxUnavailable(_UNPROVEN)
        return self._identity.environments[name]

    async def check(self) -> None:
        """See `Sandbox.check`."""
        result = await self.run(PROBE)
        demand_isolated(result.stdout, result.stderr)

    async def diagnose(self) -> Report:
        """See `Sandbox.diagnose`."""
        host = await self._proven_host()
        if self._identity is None:
            raise SandboxUnavailable(_UNPROVEN)
        return report(host, self._identity, self._profiles)

    async def close(self) -> None:
        """See `Sandbox.close`; what runs ends with the outcome `cancelled`."""
        self._closed = True
        await self._runs.end()
        for workspace in list(self._workspaces):
            await workspace.close()
        async with self._proving:
            if self._pool is not None:
                await self._pool.close()
                self._pool = None
            if self._host is not None:
                self._host.launcher.close()
                self._host = None

    def _demand_open(self) -> None:
        if self._closed:
            raise SandboxError("The sandbox is closed.")

    async def _proven_host(self) -> Host:
        async with self._proving:
            self._demand_open()
            if self._host is None:
                host = await prove(self._spec, self._around, self._profiles)
                self._identity = await finish(lambda: identify(host, self._around.site, self._profiles.values()))
                self._host = host
                self._pool = Pool(host, self._profiles, self._spec)
            return self._host

    async def _run_warm(self, host: Host, order: Order) -> Result | None:
        """None: no jail of the pool fits, or it died before the command began."""
        warm = self._pool.take(order) if self._pool is not None else None
        if warm is None:
            return None
        run = Run(host, replace(order, slot=warm.slot), warm)
        try:
            return await self._runs.run(run)
        except SandboxError:
            if run.began or self._closed:
                raise
            return None
        finally:
            warm.give_back()
