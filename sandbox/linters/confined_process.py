"""One trusted tool with its pipes, in tier D: started, killed, reaped.

It can make no other processes and dies with its supervisor, both by the kernel. Mechanism only: `confined_run.py`
decides, `confinement.py` says by what it is held.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sandbox.linters.confinement import Trust
from sandbox.protocol import OutputStream, SandboxUnavailable
from sandbox.streams import Drain, Feed

_START_SECONDS = 30.0
_LAST_BYTES_SECONDS = 5.0
_REPORT_BYTES = 4096


class ConfinedProcess:
    """The life of one tool. Every method belongs to the event loop."""

    def __init__(self, output_bytes: int) -> None:
        self.stdout = Drain(output_bytes, partial(self._heard, "stdout"))
        self.stderr = Drain(output_bytes, partial(self._heard, "stderr"))
        self.on_output: Callable[[OutputStream, bytes], None] = lambda _, __: None
        self.on_excess: Callable[[], None] = lambda: None
        self.pid = 0
        self.setup_cpu_seconds = 0.0  # until the tool began
        self.cpu_seconds = 0.0  # in all, once it has ended
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.ended_at = 0.0
        self._output_bytes = output_bytes
        self._report = Drain(_REPORT_BYTES, lambda _: None)
        self._early: list[tuple[OutputStream, bytes]] | None = []  # written before it was known that the tool began
        self._feed = Feed()
        self._pidfd = -1
        self._exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, trust: Trust, order: str, program: Path, workspace: int) -> None:
        """Spawn what confines itself and becomes the tool."""
        with contextlib.ExitStack() as theirs:
            stdin, feed = os.pipe2(os.O_CLOEXEC)
            theirs.callback(os.close, stdin)
            await self._feed.attach(feed)
            descriptors = [stdin]
            for drain in (self.stdout, self.stderr, self._report):
                ours, other = os.pipe2(os.O_CLOEXEC)
                theirs.callback(os.close, other)
                await drain.attach(ours)
                descriptors.append(other)
            for descriptor in (_memory_file(order), os.open(program, os.O_PATH | os.O_CLOEXEC)):
                theirs.callback(os.close, descriptor)
                descriptors.append(descriptor)
            self.pid = await trust.launcher.spawn(trust.command(os.getpid()), [*descriptors, workspace])
        self._pidfd = os.pidfd_open(self.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    async def wait_began(self) -> None:
        """Wait until the tool is executed. Raises `SandboxUnavailable` when it could not be confined or started."""
        await asyncio.wait((self._report.ended,), timeout=_START_SECONDS)  # the executed tool does not hold it
        words = self._report.head.decode(errors="replace").split("\n")
        if not self._report.ended.done() or len(words) != 2 or not words[0].startswith("started "):
            self.kill()
            await self.wait_ended()
            said = words[-2:-1] or [self.stderr.head.decode(errors="replace")[-500:] or "it did not answer"]
            raise SandboxUnavailable(f"a trusted tool could not be confined: {said[0]}")
        self.setup_cpu_seconds = float(words[0].removeprefix("started "))

    def begin(self, stdin: bytes) -> None:
        """Hand over its input, and what it has written by now and from now on."""
        self._feed.send(stdin)
        early, self._early = self._early or [], None
        for stream, content in early:
            self.on_output(stream, content)

    def kill(self) -> None:
        """Kill it, and with it everything: it has no children."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def wait_ended(self) -> None:
        """Wait until it is gone and every byte that was written is counted."""
        await asyncio.shield(self._exited)
        await asyncio.wait((self.stdout.ended, self.stderr.ended), timeout=_LAST_BYTES_SECONDS)

    async def close(self) -> None:
        """Kill what lives and close everything; safe at any moment."""
        self.kill()
        if self.pid:
            await asyncio.shield(self._exited)
        self._feed.close()
        for drain in (self.stdout, self.stderr, self._report):
            drain.close()

    def _heard(self, stream: OutputStream, kept: bytes) -> None:
        if kept and self._early is not None:
            self._early.append((stream, kept))
        elif kept:
            self.on_output(stream, kept)
        if max(self.stdout.total, self.stderr.total) > self._output_bytes:
            self.on_excess()

    def _reap(self) -> None:
        _, status, usage = os.wait4(self.pid, 0)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        if os.WIFSIGNALED(status):
            self.signal = os.WTERMSIG(status)
        else:
            self.exit_code = os.WEXITSTATUS(status)
        self.ended_at = time.monotonic()
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._exited.set_result(None)


def _memory_file(text: str) -> int:
    descriptor = os.memfd_create("order", os.MFD_CLOEXEC)
    os.write(descriptor, text.encode())
    return descriptor
