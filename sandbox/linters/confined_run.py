"""One command of a trusted tool in tier D, from its files in to its files out.

Its workspace is a private folder on disk; how much lies in it, memory and processor time are sampled. `landlock.py`
decides when and in which slot.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

from sandbox.files.collect import Collection, collect, compile_globs
from sandbox.files.workspace import Workspace, check_names, tree_names
from sandbox.kernel import file_system_identity
from sandbox.linters.confined_process import ConfinedProcess
from sandbox.linters.confinement import Trust
from sandbox.linters.folders import Contents, RunFolder
from sandbox.order import Order
from sandbox.priority import give_way
from sandbox.processes import Usage, usage_alone
from sandbox.protocol import (
    FileDigest,
    InvalidCommand,
    Outcome,
    Piece,
    Result,
    SandboxError,
    SandboxUnavailable,
    Started,
)
from sandbox.record import Happening, write_record
from sandbox.threads import finish
from sandbox.verdict import Ending, Observation, judge

_LOOK_SECONDS = 0.05


class ConfinedRun:
    """The run of one order; `stop` may be called at any time."""

    def __init__(self, trust: Trust, order: Order) -> None:
        self._trust = trust
        self._order = order
        self._process = ConfinedProcess(order.limits.output_bytes)
        self._process.on_excess = lambda: self.stop("output_limit")
        self._process.on_output = lambda stream, content: order.on_progress(Piece(stream, content))
        self._text = trust.order(order)
        self._owner = trust.owner(order.slot) or (os.geteuid(), os.getegid())
        self._stopped: Outcome | None = None
        self._most = Usage(0.0, 0.0)

    def stop(self, reason: Outcome) -> None:
        """Kill the tool; the first reason is kept."""
        self._stopped = self._stopped or reason
        self._process.kill()

    async def execute(self) -> Result:
        """Run to the end. Raises `InvalidCommand` for files that cannot be, `SandboxError` for the host."""
        began, started_at = time.monotonic(), datetime.now(UTC)
        folder = await finish(lambda: self._trust.folders.make(self._owner))
        try:
            inputs = await finish(lambda: self._fill(folder))
            await self._start(folder)
            started = time.monotonic()
            await self._watch(folder)
            contents = await finish(folder.contents)
            files = await finish(lambda: self._collect(folder))
        finally:
            await self._process.close()
            await finish(folder.remove)
        result = self._result(files, self._is_full(contents), started - began, self._process.ended_at - started)
        happening = Happening(
            started_at=started_at.isoformat(timespec="milliseconds"),
            tier="D",
            config=self._text,
            inputs=inputs,
            setup_seconds=started - began,
            processes_peak=None,
            nsjail_log=b"",
        )
        return replace(result, record=await finish(lambda: write_record(self._order, happening, result)))

    def _fill(self, folder: RunFolder) -> tuple[FileDigest, ...]:
        command = self._order.command
        names = tree_names(command.tree) if command.tree is not None else []
        check_names({*names, *command.files})
        written = Workspace(folder.descriptor, *self._owner).fill(command, names)
        if self._is_full(folder.contents()):
            raise InvalidCommand("The files do not fit in the workspace; raise disk_mib or disk_files.")
        return written.by_path()

    async def _start(self, folder: RunFolder) -> None:
        program = self._trust.programs[self._order.profile.name]
        await self._process.start(self._trust, self._text, program, folder.descriptor)
        try:
            if self._stopped != "cancelled":
                await self._process.wait_began()
        except SandboxUnavailable:
            if self._stopped != "cancelled":
                raise
        if self._stopped == "cancelled":
            raise SandboxError("The sandbox was closed before the command started.")
        self._order.on_progress(Started(self._order.queue_seconds))
        self._process.begin(self._order.command.stdin)

    async def _watch(self, folder: RunFolder) -> None:
        """Wait for the end, and bring it about at a limit. The clock on the wall is exact, the rest is sampled."""
        limits = self._order.limits
        timer = asyncio.get_running_loop().call_later(limits.wall_seconds, self.stop, "timeout")
        ended = asyncio.create_task(self._process.wait_ended())
        try:
            while not (await asyncio.wait((ended,), timeout=_LOOK_SECONDS))[0]:
                now, contents = await finish(self._look), await finish(folder.contents)
                if now.memory_mib > limits.memory_mib:
                    self.stop("out_of_memory")
                if now.cpu_seconds - self._process.setup_cpu_seconds >= limits.cpu_seconds:
                    self.stop("cpu_limit")
                if self._is_full(contents):
                    self.stop("disk_limit")
        finally:
            timer.cancel()
            ended.cancel()

    def _look(self) -> Usage:
        if self._process.ended_at:
            return self._most  # its process number may be somebody else's by now
        give_way((self._process.pid,))
        now = usage_alone(self._process.pid)
        self._most = Usage(max(now.cpu_seconds, self._most.cpu_seconds), max(now.memory_mib, self._most.memory_mib))
        return now

    def _is_full(self, contents: Contents) -> bool:
        return contents.mib >= self._order.limits.disk_mib or contents.files >= self._order.limits.disk_files

    def _collect(self, folder: RunFolder) -> Collection:
        if not self._order.command.collect:
            return Collection()
        with file_system_identity(*self._owner):
            return collect(folder.descriptor, compile_globs(self._order.command.collect), self._order.caps)

    def _result(self, files: Collection, is_full: bool, setup_seconds: float, wall_seconds: float) -> Result:
        process = self._process
        torn_down = self._stopped is not None and process.signal == signal.SIGKILL
        seen = Observation(
            ending=Ending(process.exit_code, process.signal, torn_down),
            stopped=self._stopped,
            most_output_bytes=max(process.stdout.total, process.stderr.total),
            oom_kills=0,
            cpu_seconds=max(0.0, process.cpu_seconds - process.setup_cpu_seconds),
            disk_full=is_full or process.signal == signal.SIGXFSZ,
            backstop=False,
        )
        return Result(
            outcome=judge(seen, self._order.limits),
            exit_code=process.exit_code,
            signal=process.signal,
            stdout=bytes(process.stdout.head),
            stderr=bytes(process.stderr.head),
            stdout_bytes=process.stdout.total,
            stderr_bytes=process.stderr.total,
            wall_seconds=wall_seconds,
            cpu_seconds=seen.cpu_seconds,
            memory_peak_mib=self._most.memory_mib or None,
            environment_digest=self._order.environment_digest,
            files=files.files,
            rejected=tuple(files.rejected),
            facts={
                "tier": "D",
                "landlock_abi": self._trust.landlock_abi,
                "own_user": self._trust.first_uid is not None,
                "yields_by": "nice values",
                "setup_seconds": round(setup_seconds, 4),
                "stopped_by_supervisor": seen.stopped or "",
                "disk_full": seen.disk_full,
            },
        )
