"""A sandbox in a tenant's name: its commands take turns with those of other tenants."""

from __future__ import annotations

from dataclasses import replace

from sandbox.doctor import Report
from sandbox.protocol import Command, OnProgress, Result, Sandbox


class TenantSandbox:
    """The same sandbox; closing it is the owner's."""

    def __init__(self, sandbox: Sandbox, tenant: str) -> None:
        self._sandbox = sandbox
        self._tenant = tenant

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """See `Sandbox.run`."""
        return await self._sandbox.run(replace(command, tenant=self._tenant), on_progress)

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
