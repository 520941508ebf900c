"""The commands that run in this process's sandbox, so that each can be cancelled and all be ended."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sandbox.protocol import Outcome, Result, SandboxError
from sandbox.threads import settle


class Running(Protocol):
    """One command from its files in to its files out."""

    def stop(self, reason: Outcome) -> None:
        """Kill it; may be called at any time."""
        ...

    async def execute(self) -> Result:
        """Run to the end."""
        ...


class ActiveRuns:
    """None at first."""

    def __init__(self) -> None:
        self._runs: dict[asyncio.Task[Result], Running] = {}

    async def run(self, run: Running) -> Result:
        """Run to the end; a cancellation is raised once the command is dead. Raises `SandboxError` for the host."""
        task = asyncio.create_task(run.execute())
        self._runs[task] = run
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            run.stop("cancelled")
            await settle(task)
            raise
        except OSError as error:
            raise SandboxError(f"The host failed while it ran a command: {error}.") from error
        finally:
            del self._runs[task]

    async def end(self) -> None:
        """Kill all, with the outcome `cancelled`, and wait until they are dead."""
        for run in self._runs.values():
            run.stop("cancelled")
        for task in list(self._runs):
            await settle(task)
