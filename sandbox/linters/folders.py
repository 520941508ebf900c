"""Private folders on disk for the workspaces of tier D, where no file system can be made for each.

One folder for each sandbox, locked for as long as the sandbox lives, with one below for each run. The kernel lets go of
the lock when the process dies, however it dies, and the next sandbox of the same user sweeps what is left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.files.walk import Rejections, walk
from sandbox.protocol import SandboxUnavailable

_PREFIX = "bailey-trusted-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 10
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """How much lies in a workspace, folders counted as files."""

    mib: float
    files: int


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The workspace of one run, held open."""

    path: Path
    descriptor: int

    def contents(self) -> Contents:
        """What it holds now. Blocking; a program may change it meanwhile."""
        size = files = 0
        for entry in walk(self.descriptor, Rejections()):
            files += 1
            try:
                status = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False)
            except FileNotFoundError:
                continue
            size += status.st_blocks * 512
        return Contents(size / _MIB, files)

    def remove(self) -> None:
        """Close and delete it. Blocking."""
        os.close(self.descriptor)
        _delete(self.path)


class Folders:
    """`shared` lets other users pass through to the folder that is theirs. Blocking throughout."""

    def __init__(self, parent: Path, *, shared: bool) -> None:
        sweep(parent)
        self.path, self._lock = _locked(parent)
        self.path.chmod(0o711 if shared else 0o700)

    def make(self, owner: tuple[int, int]) -> RunFolder:
        """A fresh workspace that nobody but its owner may enter."""
        path = Path(tempfile.mkdtemp(dir=self.path))
        if owner != (os.geteuid(), os.getegid()):
            os.chown(path, *owner)
        return RunFolder(path, os.open(path, _FOLDER))

    def remove(self) -> None:
        """Delete all of it, and let go of the lock."""
        _delete(self.path)
        os.close(self._lock)


def sweep(parent: Path) -> None:
    """Delete what sandboxes of this user left that are dead."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(path, _FOLDER)
        except OSError:
            continue  # somebody else's, or gone
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor):
                _delete(path)
        finally:
            os.close(descriptor)


def _locked(parent: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock; a sweep may be faster than the lock."""
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            descriptor = os.open(path, _FOLDER)
        except FileNotFoundError:
            continue
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)
    raise SandboxUnavailable(f"no private folder can be kept in {parent}")


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _delete(path: Path) -> None:
    """Nothing of ours runs in it any more. A folder can have been made so that not even its owner may enter."""
    for parent, names, _ in os.walk(path):
        for folder in (Path(parent, name) for name in names):
            if not folder.is_symlink():
                folder.chmod(0o700)
    shutil.rmtree(path)
