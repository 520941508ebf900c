"""A server as a child process: its own process group, its output in a file, and no way to outlive us.

A shell stands between us and the server. It holds the end of a pipe that breaks when we end, however that
comes about, and then ends the whole group: a server that nobody knows of would keep its GPU's memory.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

STOP_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 60.0
STABLE_SECONDS = 300.0
TAIL_BYTES = 4096

# `wait` also returns when a signal arrives; TERM is for the server, which has it from the group. Who watches the pipe
# must outlive TERM: we may be killed while a server that does not heed it is given time to end.
_WATCH = """
exec 3<&0
trap : TERM
"$@" </dev/null 3<&- &
server=$!
(trap '' TERM; read -r _ <&3; kill -s KILL -- "-$$") &
wait "$server"; code=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; code=$?; done
exit "$code"
"""


class Child:
    """One run of the server; make it with `spawn`, and `stop` it in any case."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, lifeline: ExitStack) -> None:
        self._process = process
        self._log = log
        self._lifeline = lifeline

    @classmethod
    async def spawn(cls, command: Sequence[str], log: Path) -> Child:
        """Start the command; the log of the run before is kept beside. Raises `OSError` if there is no log to write."""
        with ExitStack() as ours, _fresh(log) as output:
            theirs, end = os.pipe()
            ours.callback(os.close, end)
            try:
                process = await asyncio.create_subprocess_exec(
                    *("sh", "-c", _WATCH, "sh", *command),
                    stdin=theirs,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            finally:
                os.close(theirs)
            return cls(process, log, lifeline=ours.pop_all())

    @property
    def pid(self) -> int:
        """The number of its process, which is also that of its process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for the end; the exit code, or 128 and the number of the signal."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask the whole process group to end, then make it; safe to call twice."""
        if self.running:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()
        self._lifeline.close()

    def tail(self, lines: int = 3) -> str:
        """The last lines of the output, in one."""
        with self._log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:]) or "(no output)"

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _fresh(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    return log.open("wb")


async def keep_running(
    run_once: Callable[[], Awaitable[str]],
    first_pause_seconds: float,
    tell: Callable[[str], None],
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
) -> None:
    """Run something again whenever it ends, after a pause that doubles until a run was stable.

    `run_once` returns how it ended; `tell` hears that, and when it is started again.
    """
    pause = first_pause_seconds
    while True:
        started = time.monotonic()
        ending = await run_once()
        if time.monotonic() - started > STABLE_SECONDS:
            pause = first_pause_seconds
        tell(f"{ending}; it is started again in {pause:g} seconds")
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest_pause_seconds)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
