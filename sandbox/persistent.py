"""Several commands in one workspace, each in a jail of its own.

Only files pass from one to the next, by the rules by which files come out of any jail: regular ones with one name.
Processes, mounts and links do not, so what one command leaves behind cannot reach out of the next one's jail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandbox.files.remains import Remains
from sandbox.protocol import Command, InvalidCommand, OnProgress, Result
from sandbox.threads import finish

RunWithRemains = Callable[[Remains, Command, OnProgress | None], Awaitable[Result]]


class PersistentWorkspace:
    """See `Sandbox.workspace`. Commands that come at the same time run one after the other."""

    def __init__(self, run: RunWithRemains) -> None:
        self._run = run
        self._remains = Remains()
        self._turn = asyncio.Lock()

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """See `CommandRunner.run`."""
        async with self._turn:
            if self._remains.closed:
                raise InvalidCommand("The workspace is closed.")
            return await self._run(self._remains, command, on_progress)

    async def close(self) -> None:
        """Let its files go, once no command runs; safe to call twice."""
        async with self._turn:
            await finish(self._remains.close)
