"""One command from its files in to its files out: fill, open the gate, watch, kill, count, judge, collect.

`nsjail.py` decides when and in which slot; `jail.py` holds the process. Whatever happens, nothing of the
run is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sandbox.files.collect import Collection, collect, compile_globs
from sandbox.files.workspace import Filling, Workspace, check_names, tree_names
from sandbox.jails.host import Host
from sandbox.jails.jail import COLD_OPENING, cold_gate
from sandbox.jails.standing import Standing
from sandbox.jails.warm import WarmJail, opening
from sandbox.kernel import file_system_identity
from sandbox.order import Order
from sandbox.priority import give_way
from sandbox.processes import Usage, tree, usage
from sandbox.profile import WORKSPACE, WRITABLE_PLACES
from sandbox.protocol import (
    InvalidCommand,
    Outcome,
    OutputStream,
    Piece,
    Result,
    SandboxError,
    SandboxUnavailable,
    Started,
)
from sandbox.record import Happening, write_record
from sandbox.threads import finish
from sandbox.verdict import Observation, judge, read_ending

_LOOK_SECONDS = 0.05


class Run:
    """The run of one order, in a warm jail that stands or in one of its own; `stop` may be called at any time."""

    def __init__(self, host: Host, order: Order, warm: WarmJail | None = None) -> None:
        self._host = host
        self._order = order
        self._warm = warm
        self._standing = warm.standing if warm else Standing(host, order.limits)
        self._jail = self._standing.jail
        self._jail.on_excess = lambda: self.stop("output_limit")
        self._jail.on_began = lambda: order.on_progress(Started(order.queue_seconds))
        self._jail.on_output = self._pass_on
        self._folders: dict[str, int] = {}
        self._stopped: Outcome | None = None
        self._most = Usage(0.0, 0.0)
        self._config = warm.config if warm else host.render(order.profile, order.limits, order.command, order.slot)
        self._filling = Filling()
        self._how_it_stood = warm.facts() if warm else {"warm": False}

    def stop(self, reason: Outcome) -> None:
        """Kill the jail; the first reason is kept."""
        self._stopped = self._stopped or reason
        self._jail.kill()

    def _pass_on(self, stream: OutputStream, content: bytes) -> None:
        self._order.on_progress(Piece(stream, content))

    @property
    def began(self) -> bool:
        """Whether the program was started; before that, nothing foreign has run in the jail."""
        return self._jail.program_began

    async def execute(self) -> Result:
        """Run to the end. Raises `InvalidCommand` for files or programs that cannot be, `SandboxError` for the host."""
        began, at = time.monotonic(), datetime.now(UTC)
        async with self._standing_jail():
            with contextlib.ExitStack() as held:
                self._hold_folders(held)
                before = await finish(self._prepare)
                started = time.monotonic()
                command = self._order.command
                self._jail.go(opening(command) if self._warm else COLD_OPENING, command.stdin)
                await self._watch(before)
                if not (self.began or self._stopped or self._jail.program_absent):
                    raise SandboxError("The jail died before the command started.")
                self._demand_program()
                result = await finish(
                    lambda: self._conclude(before, at, started - began, self._jail.ended_at - started)
                )
        return result

    @contextlib.asynccontextmanager
    async def _standing_jail(self) -> AsyncIterator[None]:
        """A jail that stands at its gate, in its control group; nothing is left of either afterwards."""
        try:
            if self._warm is None:
                await self._standing.up(self._config, cold_gate(self._order.command.argv))
            if self._stopped is not None:
                raise SandboxError("The sandbox was closed before the command started.")
            yield
        except SandboxUnavailable:
            if self._stopped is not None:
                raise SandboxError("The sandbox was closed before the command started.") from None
            raise
        finally:
            await self._standing.down()

    def _hold_folders(self, held: contextlib.ExitStack) -> None:
        """Open the jail's writable places: file systems in memory that live as long as they are held here."""
        for place in WRITABLE_PLACES:
            self._folders[place] = self._jail.open_folder(place)
            held.callback(os.close, self._folders[place])

    def _prepare(self) -> Usage:
        """Files first; what was used until then is not the program's."""
        self._fill()
        return self._look()

    def _fill(self) -> None:
        command = self._order.command
        names = tree_names(command.tree) if command.tree is not None else []
        check_names({*names, *command.files})
        workspace = Workspace(self._folders[WORKSPACE], *self._host.owner(self._order.slot))
        self._filling = workspace.fill(command, names, self._order.remains)

    def _leave(self) -> None:
        if self._order.remains is not None:
            self._order.remains.replace(self._folders[WORKSPACE], self._host.owner(self._order.slot))

    async def _watch(self, before: Usage) -> None:
        """Wait for the end, and bring it about at a limit. The clock on the wall is exact, the rest is sampled."""
        limits = self._order.limits
        timer = asyncio.get_running_loop().call_later(limits.wall_seconds, self.stop, "timeout")
        ended = asyncio.create_task(self._jail.wait_ended())
        try:
            while not (await asyncio.wait((ended,), timeout=_LOOK_SECONDS))[0]:
                now = await finish(self._look)
                # A tree that is being killed looks smaller than it was.
                most = self._most
                self._most = Usage(max(now.cpu_seconds, most.cpu_seconds), max(now.memory_mib, most.memory_mib))
                if now.memory_mib > limits.memory_mib:
                    self.stop("out_of_memory")
                if now.cpu_seconds - before.cpu_seconds >= limits.cpu_seconds:
                    self.stop("cpu_limit")
        finally:
            timer.cancel()
            ended.cancel()

    def _look(self) -> Usage:
        if not (self._host.weighs or self._jail.ended_at):
            give_way(tree(self._jail.init_pid)[1:])  # all but the init process, which only waits
        if self._standing.group is not None:
            return Usage(self._standing.group.cpu_seconds(), 0.0)  # the group itself holds the memory limit
        if self._jail.ended_at:
            return self._most  # its process number may be somebody else's by now
        files_mib = sum(_used_mib(folder) for folder in self._folders.values())
        return usage(self._jail.init_pid, files_mib, self._order.limits.memory_mib)

    def _demand_program(self) -> None:
        if self._jail.program_absent:
            command = self._order.command
            raise InvalidCommand(f"There is no program {command.argv[0]!r} in the sandbox profile {command.profile!r}.")

    def _conclude(self, before: Usage, at: datetime, setup_seconds: float, wall_seconds: float) -> Result:
        """Count, judge, take files out and write the record, while the dead jail's folders are still held."""
        stock = self._take_stock(before)
        self._leave()
        result = self._result(stock, setup_seconds, wall_seconds)
        happening = Happening(
            started_at=at.isoformat(timespec="milliseconds"),
            tier=self._host.tier,
            config=self._config,
            inputs=self._filling.by_path(),
            setup_seconds=setup_seconds,
            processes_peak=stock.processes_peak,
            nsjail_log=bytes(self._jail.log.head),
        )
        return replace(result, record=write_record(self._order, happening, result))

    def _take_stock(self, before: Usage) -> _Stock:
        disk_full = any(_is_full(folder) for folder in self._folders.values())
        files = self._collect()
        if self._standing.group is None:
            # What was killed with the jail is in no parent's account: the last look knows more then.
            cpu = max(self._jail.cpu_seconds, self._most.cpu_seconds) - before.cpu_seconds
            return _Stock(max(0.0, cpu), self._most.memory_mib or None, None, 0, disk_full, files)
        cpu = self._standing.group.cpu_seconds() - before.cpu_seconds
        memory, processes = self._standing.group.memory_peak_mib(), self._standing.group.processes_peak()
        return _Stock(cpu, memory, processes, self._standing.group.oom_kills(), disk_full, files)

    def _collect(self) -> Collection:
        if not self._order.command.collect:
            return Collection()
        with file_system_identity(*self._host.owner(self._order.slot)):
            wanted = compile_globs(self._order.command.collect)
            return collect(self._folders[WORKSPACE], wanted, self._order.caps)

    def _what_was_there(self) -> dict[str, str | int]:
        remains = self._order.remains
        if remains is None:
            return {}
        return {"workspace": remains.name, "workspace_step": remains.step, "carried_files": self._filling.carried}

    def _result(self, stock: _Stock, setup_seconds: float, wall_seconds: float) -> Result:
        jail = self._jail
        seen = Observation(
            ending=read_ending(bytes(jail.log.head), jail.report.tail),
            stopped=self._stopped,
            most_output_bytes=max(jail.stdout.total, jail.stderr.total),
            oom_kills=stock.oom_kills,
            cpu_seconds=stock.cpu_seconds,
            disk_full=stock.disk_full,
            backstop=b"run time >= time limit" in jail.log.head,
        )
        return Result(
            outcome=judge(seen, self._order.limits),
            exit_code=seen.ending.exit_code,
            signal=seen.ending.signal,
            stdout=bytes(jail.stdout.head),
            stderr=bytes(jail.stderr.head),
            stdout_bytes=jail.stdout.total,
            stderr_bytes=jail.stderr.total,
            wall_seconds=wall_seconds,
            cpu_seconds=stock.cpu_seconds,
            memory_peak_mib=stock.memory_peak_mib,
            environment_digest=self._order.environment_digest,
            files=stock.collection.files,
            rejected=(*self._filling.rejections.listed, *stock.collection.rejected),
            facts={
                **self._how_it_stood,
                **self._what_was_there(),
                "tier": self._host.tier,
                "yields_by": "cpu weight" if self._host.weighs else "nice values",
                "setup_seconds": round(setup_seconds, 4),
                "stopped_by_supervisor": seen.stopped or "",
                "jail_killed": seen.ending.torn_down,
                "oom_kills": seen.oom_kills,
                "disk_full": seen.disk_full,
                "backstop": seen.backstop,
            },
        )


@dataclass(frozen=True, slots=True)
class _Stock:
    cpu_seconds: float
    memory_peak_mib: float | None
    processes_peak: int | None
    oom_kills: int
    disk_full: bool
    collection: Collection


def _is_full(folder: int) -> bool:
    status = os.fstatvfs(folder)
    return status.f_bavail == 0 or status.f_favail == 0


def _used_mib(folder: int) -> float:
    status = os.fstatvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize / (1 << 20)
