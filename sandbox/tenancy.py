"""A sandbox in a tenant's name: its commands take turns with those of other tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sandbox.doctor import Report
from sandbox.protocol import Command, CommandRunner, OnProgress, Result, Sandbox


class TenantRunner:
    """The same runner; every command is the tenant's."""

    def __init__(self, runner: CommandRunner, tenant: str) -> None:
        self._runner = runner
        self._tenant = tenant

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """See `CommandRunner.run`."""
        return await self._runner.run(replace(command, tenant=self._tenant), on_progress)


class TenantSandbox(TenantRunner):
    """The same sandbox; closing it is the owner's."""

    def __init__(self, sandbox: Sandbox, tenant: str) -> None:
        super().__init__(sandbox, tenant)
        self._sandbox = sandbox

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[CommandRunner]:
        """See `Sandbox.workspace`."""
        async with self._sandbox.workspace() as runner:
            yield TenantRunner(runner, self._tenant)

    def environment_digest(self, profile: str) -> str:
        """See `Sandbox.environment_digest`."""
        return self._sandbox.environment_digest(profile)

    async def check(self) -> None:
        """See `Sandbox.check`."""
        await self._sandbox.check()

    async def diagnose(self) -> Report:
        """See `Sandbox.diagnose`."""
        return await self._sandbox.diagnose()

    async def close(self) -> None:
        """Leave it to the owner."""
