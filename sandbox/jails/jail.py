"""One nsjail process with its pipes: started, held at a gate until its files are in, let go, ended.

Mechanism only: what may run is decided in `run.py`, how isolated it is in `profiles/`. Inside the jail
an init process (number 1) starts a shell that waits at the gate and then becomes the program (number 2);
the first line on standard input opens the gate. Nothing foreign runs before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from sandbox.launcher import Launcher
from sandbox.processes import children
from sandbox.protocol import OutputStream, SandboxUnavailable
from sandbox.streams import Drain, Feed

_GATE = (
    'echo ready >&2; read -r _ || exit 1; command -v "$1" >/dev/null || { echo absent >&2; exit 127; }; '
    'echo started >&2; exec "$@" 2>&3 3>&-'
)
COLD_OPENING = b"\n"
_START_SECONDS = 30.0
_LAST_BYTES_SECONDS = 5.0
_NUDGE_SECONDS = 0.02
_LOG_BYTES = 65_536


def cold_gate(argv: Sequence[str]) -> tuple[str, ...]:
    """A shell that waits for `COLD_OPENING` and becomes the program."""
    return ("/bin/sh", "-c", _GATE, "sh", *argv)


class Jail:
    """The life of one jail. Every method belongs to the event loop."""

    def __init__(self, nsjail: Sequence[str], output_bytes: int) -> None:
        self._command = nsjail
        self.stdout = Drain(output_bytes, partial(self._heard_output, "stdout"))
        self.stderr = Drain(output_bytes, partial(self._heard_output, "stderr"))
        self.report = Drain(_LOG_BYTES, self._heard_report)
        self.log = Drain(_LOG_BYTES, lambda _: None)
        self.on_began: Callable[[], None] = lambda: None
        self.on_output: Callable[[OutputStream, bytes], None] = lambda _, __: None
        self.on_excess: Callable[[], None] = lambda: None
        self.pid = 0
        self.init_pid = 0
        self.cpu_seconds = 0.0  # of nsjail and everything that was waited for, once it has ended
        self.ended_at = 0.0
        self.program_began = False  # the gate let the program start
        self._output_bytes = output_bytes
        self._feed = Feed()
        self._pidfd = self._init_pidfd = -1
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[bool] = loop.create_future()
        self._exited: asyncio.Future[None] = loop.create_future()

    async def start(self, launcher: Launcher, config: str, program: Sequence[str]) -> None:
        """Spawn nsjail; it sets up the jail and starts a program that stops at the gate."""
        with contextlib.ExitStack() as theirs:
            stdin, feed = _pipe()
            theirs.callback(os.close, stdin)
            await self._feed.attach(feed)
            descriptors = [stdin]
            for drain in (self.stdout, self.report, self.stderr, self.log):
                ours, other = _pipe()
                theirs.callback(os.close, other)
                await drain.attach(ours)
                descriptors.append(other)
            descriptors.append(_memory_file(config))
            theirs.callback(os.close, descriptors[-1])
            command = (*self._command, "-C", f"/proc/self/fd/{len(descriptors) - 1}", "--")
            self.pid = await launcher.spawn((*command, "init", "-v", *program), descriptors)
        self._pidfd = os.pidfd_open(self.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    async def wait_ready(self) -> None:
        """Wait until the jail stands at its gate. Raises `SandboxUnavailable` when it cannot be set up."""
        await asyncio.wait((self._ready, self._exited), timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._exited.done():
            # Killed a moment before it could bind its child's life to its own, nsjail leaves it at the gate: end it.
            self._feed.close()
            await asyncio.wait((self.log.ended, self.report.ended), timeout=_LAST_BYTES_SECONDS)
        lines = self.log.head.decode(errors="replace").splitlines()
        # nsjail goes on after some mount flags that failed, with a mere warning; this sandbox does not.
        complaints = [line for line in lines if line.startswith(("[W]", "[E]", "[F]"))]
        if complaints or not self._ready.done():
            said = complaints or lines[-1:] or [self.report.head.decode(errors="replace").strip()]
            raise SandboxUnavailable(f"nsjail could not set up a jail: {' | '.join(said) or 'it did not answer'}")
        self.init_pid = next(iter(children(self.pid)), 0)
        if not self.init_pid:
            raise SandboxUnavailable(f"/proc/{self.pid}/task/*/children is missing; the kernel needs PROC_CHILDREN")
        self._init_pidfd = os.pidfd_open(self.init_pid)
        asyncio.get_running_loop().add_reader(self._init_pidfd, self._init_died)

    def processes(self) -> list[int]:
        """The jail's processes while it stands at its gate."""
        return [self.init_pid, *children(self.init_pid)]

    def open_folder(self, path: str) -> int:
        """A descriptor of a folder inside; only while the jail stands at its gate. The caller closes it."""
        root = os.open(f"/proc/{self.init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path.lstrip("/"), flags, dir_fd=root)
        finally:
            os.close(root)

    def go(self, opening: bytes, stdin: bytes) -> None:
        """Open the gate with what it waits for; the program reads `stdin`."""
        self._feed.send(opening + stdin)

    @property
    def stands(self) -> bool:
        """It is at its gate, or its program runs."""
        return self._init_pidfd >= 0

    @property
    def program_absent(self) -> bool:
        """The gate found no such program. It spoke before anything foreign ran, so this cannot be forged."""
        return b"absent\n" in self.report.head.partition(b"started\n")[0]

    def kill(self) -> None:
        """Kill every process of the jail: the kernel ends a process namespace with its first process."""
        target = self._init_pidfd if self._init_pidfd >= 0 else self._pidfd
        if target >= 0 and not self.ended_at:  # once the first process is dead, nsjail is only writing its log
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(target, signal.SIGKILL)

    async def wait_ended(self) -> None:
        """Wait until nsjail is gone and every byte that was written is counted."""
        await asyncio.shield(self._exited)
        drains = (self.stdout, self.stderr, self.report, self.log)
        await asyncio.wait([drain.ended for drain in drains], timeout=_LAST_BYTES_SECONDS)

    async def close(self) -> None:
        """Kill what lives and close everything; safe at any moment."""
        self.kill()
        if self.pid and not self._exited.done():
            await asyncio.wait((self._exited,), timeout=_LAST_BYTES_SECONDS)
        if self._pidfd >= 0 and not self._exited.done():
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await asyncio.shield(self._exited)
        self._feed.close()
        drains = (self.stdout, self.stderr, self.report, self.log)
        if self.pid:  # whoever was left at the gate ends now, and then nobody holds the other ends
            await asyncio.wait([drain.ended for drain in drains], timeout=_LAST_BYTES_SECONDS)
        for drain in drains:
            drain.close()
        self._forget("_init_pidfd")

    def _heard_output(self, stream: OutputStream, kept: bytes) -> None:
        if kept:
            self.on_output(stream, kept)
        if max(self.stdout.total, self.stderr.total) > self._output_bytes:
            self.on_excess()

    def _heard_report(self, _: bytes) -> None:
        if not self._ready.done() and b"ready\n" in self.report.head:
            self._ready.set_result(True)
        if not self.program_began and b"started\n" in self.report.head:
            self.program_began = True
            self.on_began()

    def _init_died(self) -> None:
        self.ended_at = time.monotonic()
        self._forget("_init_pidfd")
        self._nudge()

    def _nudge(self) -> None:
        """nsjail can miss the end of its child by a hair and sleep on for a second; any signal wakes it."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGCHLD)
            asyncio.get_running_loop().call_later(_NUDGE_SECONDS, self._nudge)

    def _reap(self) -> None:
        _, _, usage = os.wait4(self.pid, 0)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.ended_at = self.ended_at or time.monotonic()
        self._forget("_pidfd")
        self._exited.set_result(None)

    def _forget(self, name: str) -> None:
        pidfd = getattr(self, name)
        if pidfd >= 0:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)
            setattr(self, name, -1)


def _pipe() -> tuple[int, int]:
    return os.pipe2(os.O_CLOEXEC)


def _memory_file(text: str) -> int:
    descriptor = os.memfd_create("nsjail-config", os.MFD_CLOEXEC)
    os.write(descriptor, text.encode())
    return descriptor
