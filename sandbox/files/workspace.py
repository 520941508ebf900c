"""Files into a jail: names are checked first, then written relative to directory descriptors.

Nothing here follows a link, leaves the workspace's own file system or names a host path inside it, whatever lies
there already; the kernel holds that, not the order of calls. The other direction is `collect.py`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.files.remains import Remains
from sandbox.files.walk import MAX_LEVELS, Entry, Refused, Rejections, demand_unicode, opened, walk
from sandbox.kernel import file_system_identity, open_inside
from sandbox.protocol import Command, FileDigest, InvalidCommand

MAX_NAME_BYTES = 255

_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_SOURCE_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 1 << 20
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


def check_names(names: Iterable[str]) -> None:
    """Raise `InvalidCommand` for a name that could leave the workspace or cannot exist beside another."""
    known = set(names)
    for name in known:
        parts = name.split("/")
        _check_parts(name, parts)
        clash = next((above for n in range(1, len(parts)) if (above := "/".join(parts[:n])) in known), None)
        if clash is not None:
            raise InvalidCommand(f"The file names {clash!r} and {name!r} clash: one is a folder of the other.")


def _check_parts(name: str, parts: list[str]) -> None:
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise InvalidCommand(
            f"The file name {name!r} is not a plain relative path: no leading slash, empty parts, '.', '..', NUL."
        )
    if len(parts) > MAX_LEVELS:
        raise InvalidCommand(f"The file name {name!r} has {len(parts)} levels; at most {MAX_LEVELS} are allowed.")
    try:
        longest = max(len(part.encode("utf-8")) for part in parts)
    except UnicodeEncodeError:
        raise InvalidCommand(f"The file name {name!r} is not valid Unicode.") from None
    if longest > MAX_NAME_BYTES:
        raise InvalidCommand(f"The file name {name!r} has a part of {longest} bytes; at most {MAX_NAME_BYTES} fit.")


def tree_names(tree: Path) -> list[str]:
    """The regular files below a folder, as relative POSIX paths. Links and special files are left out."""
    if not tree.is_dir():
        raise InvalidCommand(f"The tree {str(tree)!r} is not a folder.")
    names: list[str] = []
    for folder, _, files in os.walk(tree):
        relative = Path(folder).relative_to(tree)
        names += [(relative / file).as_posix() for file in files if stat.S_ISREG((Path(folder) / file).lstat().st_mode)]
    return names


def read_tree(tree: Path, most_bytes: int) -> tuple[dict[str, bytes], frozenset[str]]:
    """The files that a tree would bring into a workspace, and which of them may be executed. Blocking.

    Raises `InvalidCommand` when they are more than so many bytes.
    """
    files: dict[str, bytes] = {}
    executables: set[str] = set()
    for name in tree_names(tree):
        with _source(tree / name) as (descriptor, executable):
            content = bytearray()
            while piece := os.read(descriptor, _PIECE):
                content += piece
                most_bytes -= len(piece)
                if most_bytes < 0:
                    raise InvalidCommand(f"The tree {str(tree)!r} is too large to be sent to the sandbox.")
        files[name] = bytes(content)
        executables |= {name} if executable else set()
    return files, frozenset(executables)


@contextmanager
def _source(path: Path) -> Iterator[tuple[int, bool]]:
    """A regular file of a tree, open, and whether it may be executed."""
    descriptor = os.open(path, _SOURCE_FILE)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise InvalidCommand(f"The file {str(path)!r} changed while it was copied; run the command again.")
        yield descriptor, bool(mode & stat.S_IXUSR)
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Filling:
    """What a workspace begins with, and what of the last command's files it does not have, with reasons."""

    inputs: dict[str, FileDigest] = field(default_factory=dict)
    carried: int = 0
    rejections: Rejections = field(default_factory=Rejections)

    def note(self, file: FileDigest) -> None:
        """A file is in its place."""
        self.inputs[file.path] = file

    def by_path(self) -> tuple[FileDigest, ...]:
        """What was written, in the order of paths."""
        return tuple(self.inputs[path] for path in sorted(self.inputs))


class Workspace:
    """A jail's working directory, held by descriptor; `uid` owns what is written. No job runs meanwhile."""

    def __init__(self, directory: int, uid: int, gid: int) -> None:
        self._directory = directory
        self._owner = (uid, gid)

    def fill(self, command: Command, tree_files: Iterable[str], remains: Remains | None = None) -> Filling:
        """Write what the last command left, then those files of this one's tree, then its own on top. Blocking.

        Raises `InvalidCommand` when they do not fit, or when something else is at their place.
        """
        filling, from_tree = Filling(), set(tree_files) - set(command.files)
        try:
            if remains is not None:
                self._carry(remains, from_tree | set(command.files), filling)
            if command.tree is not None:
                for name in sorted(from_tree):
                    with _source(command.tree / name) as (descriptor, executable):
                        filling.note(self._copy(descriptor, name, executable))
            for name, content in sorted(command.files.items()):
                with self._create(name, 0o755 if name in command.executables else 0o644) as target:
                    _write(target, content)
                filling.note(FileDigest(name, len(content), hashlib.sha256(content).hexdigest()))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InvalidCommand("The files do not fit in the workspace; raise disk_mib or disk_files.") from None
        return filling

    def _carry(self, remains: Remains, replaced: set[str], filling: Filling) -> None:
        """Hand on what was left, read with the rights of its owner alone, but for files that others replace."""
        if (left := remains.left()) is None:
            return
        folder, owner = left
        with file_system_identity(*owner):
            for entry in walk(folder, filling.rejections):
                if entry.path in replaced and not entry.is_folder:
                    continue
                try:
                    self._hand_on(entry, filling)
                except Refused as refused:
                    filling.rejections.add(entry.path, f"not handed on to the next command: {refused.reason}")

    def _hand_on(self, entry: Entry, filling: Filling) -> None:
        if entry.is_folder:
            demand_unicode(entry)
            self._make_folder(entry.path)
            return
        with opened(entry) as (descriptor, status):
            executable = bool(status.st_mode & stat.S_IXUSR)
            filling.note(self._copy(descriptor, entry.path, executable, status.st_mtime_ns))
            filling.carried += 1

    def _copy(self, source: int, name: str, executable: bool, changed_ns: int | None = None) -> FileDigest:
        digest, size = hashlib.sha256(), 0
        with self._create(name, 0o755 if executable else 0o644) as target:
            while piece := os.read(source, _PIECE):
                _write(target, piece)
                digest.update(piece)
                size += len(piece)
            if changed_ns is not None:  # builds go by it
                with file_system_identity(*self._owner):
                    os.utime(target, ns=(changed_ns, changed_ns))
        return FileDigest(name, size, digest.hexdigest())

    def _make_folder(self, name: str) -> None:
        with contextlib.ExitStack() as held, file_system_identity(*self._owner):
            _open_folders(self._directory, name.split("/"), held)

    @contextmanager
    def _create(self, name: str, mode: int) -> Iterator[int]:
        """A new file under a name that nobody can expect, which takes its place when it is whole."""
        *folders, last = name.split("/")
        with _place_taken(name), contextlib.ExitStack() as held:
            with file_system_identity(*self._owner):
                parent = _open_folders(self._directory, folders, held)
                unfinished = f".{secrets.token_hex(8)}"
                target = open_inside(parent, unfinished, _NEW_FILE, 0o600)
                held.callback(os.close, target)
                os.fchmod(target, mode)
            with contextlib.ExitStack() as unless_whole:
                unless_whole.callback(self._drop, unfinished, parent)
                yield target
                with file_system_identity(*self._owner):
                    os.rename(unfinished, last, src_dir_fd=parent, dst_dir_fd=parent)
                unless_whole.pop_all()

    def _drop(self, name: str, parent: int) -> None:
        with file_system_identity(*self._owner):
            os.unlink(name, dir_fd=parent)


@contextmanager
def _place_taken(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
        raise InvalidCommand(
            f"The file {name!r} cannot be written into the workspace: something else is at its place "
            f"({error.strerror})."
        ) from None


def _open_folders(directory: int, names: list[str], held: contextlib.ExitStack) -> int:
    """The last of folders in folders, which are made where they are missing."""
    for name in names:
        directory = _open_folder(directory, name)
        held.callback(os.close, directory)
    return directory


def _open_folder(parent: int, name: str) -> int:
    try:
        return open_inside(parent, name, _DIRECTORY)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=parent)
        return open_inside(parent, name, _DIRECTORY)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
