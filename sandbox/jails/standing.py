"""A jail with its control group: brought to the gate, and taken down so that nothing of either is left.

`run.py` brings up a cold one for each command, `warm.py` some beforehand.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from sandbox.jails.cgroup import Group
from sandbox.jails.host import Host
from sandbox.jails.jail import Jail
from sandbox.protocol import Limits
from sandbox.threads import finish


class Standing:
    """`group` is None where there are no control groups, and before `up`."""

    def __init__(self, host: Host, limits: Limits) -> None:
        self.jail = Jail(host.command, limits.output_bytes)
        self.group: Group | None = None
        self._host = host
        self._limits = limits

    async def up(self, config: str, program: Sequence[str]) -> None:
        """Bring the jail to its gate. Raises `SandboxUnavailable` when it cannot be set up."""
        self.group = await finish(lambda: self._host.group(self._limits))
        await self.jail.start(self._host.launcher, config, program)
        # The first move into a group waits for a grace period of the kernel; nsjail starts meanwhile.
        joining = finish(lambda: self._join([self.jail.pid]))
        for failure in filter(None, await asyncio.gather(self.jail.wait_ready(), joining, return_exceptions=True)):
            raise failure
        await finish(lambda: self._join(self.jail.processes()))

    async def down(self) -> None:
        """Kill what lives and delete the group; safe at any moment."""
        await self.jail.close()
        if self.group is not None:
            await finish(self.group.remove)

    def _join(self, pids: list[int]) -> None:
        if self.group is not None:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # a dead process is found out elsewhere
                    self.group.join(pid)
