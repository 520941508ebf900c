"""Files out of a dead jail: regular, single-linked, asked for by a glob, and counted while they are read.

Runs only after every process of the jail is gone. It never follows a link and never opens anything
that could block. Everything that was asked for and does not come out is listed with its reason.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.protocol import InvalidCommand, Rejection
from sandbox.workspace import MAX_LEVELS

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_ENTRIES = 50_000
_MAX_REJECTIONS = 256


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that comes out: number of files and their bytes together."""

    files: int
    total_bytes: int


@dataclass(slots=True)
class Collection:
    """What came out, and what did not."""

    files: dict[str, bytes] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, path: str, reason: str) -> None:
        """Note a file that stays inside; beyond a bound only the fact that there are more is noted."""
        if len(self.rejected) < _MAX_REJECTIONS:
            self.rejected.append(Rejection(path, reason))
        elif len(self.rejected) == _MAX_REJECTIONS:
            self.rejected.append(Rejection("", "more files were rejected than are listed"))


def compile_globs(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all globs: `*` and `?` stay within a level, `**/` crosses levels, the rest is literal."""
    for glob in globs:
        if not glob or glob.startswith("/") or "\0" in glob or ".." in glob.split("/"):
            raise InvalidCommand(f"The collect pattern {glob!r} is not a relative path without '..'.")
    return re.compile("|".join(_translate(glob) for glob in globs) or r"(?!)", re.DOTALL)


def _translate(glob: str) -> str:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(words.get(word, re.escape(word)) for word in re.split(r"(\*\*/|\*\*|\*|\?)", glob)) + r"\Z"


def collect(directory: int, wanted: re.Pattern[str], caps: Caps) -> Collection:
    """Read the wanted files below a directory descriptor. Blocking; the descriptor stays open."""
    collection = Collection()
    for entries, (path, parent, name) in enumerate(_walk(directory, "", collection), start=1):
        if entries > _MAX_ENTRIES:
            collection.reject("", f"the workspace has more than {_MAX_ENTRIES} entries; the rest was not looked at")
            break
        if wanted.match(path):
            _take(collection, path, parent, name, caps)
    return collection


def _walk(directory: int, above: str, collection: Collection, level: int = 1) -> Iterator[tuple[str, int, str]]:
    try:
        descriptor = os.open(".", _FOLDER, dir_fd=directory)
    except OSError as error:
        collection.reject(_printable(above), f"the folder cannot be read ({os.strerror(error.errno or 0)})")
        return
    try:
        with os.scandir(descriptor) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in names:
            if not is_folder:
                yield above + name, descriptor, name
            elif level >= MAX_LEVELS:
                collection.reject(_printable(above + name), f"deeper than {MAX_LEVELS} levels")
            else:
                yield from _descend(descriptor, name, above, collection, level)
    finally:
        os.close(descriptor)


def _descend(parent: int, name: str, above: str, collection: Collection, level: int) -> Iterator[tuple[str, int, str]]:
    try:
        folder = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        collection.reject(_printable(above + name), f"the folder cannot be read ({os.strerror(error.errno or 0)})")
        return
    try:
        yield from _walk(folder, f"{above}{name}/", collection, level + 1)
    finally:
        os.close(folder)


def _take(collection: Collection, path: str, parent: int, name: str, caps: Caps) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        collection.reject(_printable(path), "the name is not valid UTF-8")
        return
    if len(collection.files) >= caps.files:
        collection.reject(path, f"more than {caps.files} files")
        return
    room = caps.total_bytes - sum(len(content) for content in collection.files.values())
    try:
        content = _read(parent, name, room)
    except _Refused as refused:
        collection.reject(path, refused.reason)
    except OSError as error:
        collection.reject(path, f"cannot be read ({os.strerror(error.errno or 0)})")
    else:
        collection.files[path] = content


@dataclass
class _Refused(Exception):
    reason: str


def _read(parent: int, name: str, room: int) -> bytes:
    kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISREG(kind):
        raise _Refused("a symbolic link" if stat.S_ISLNK(kind) else "not a regular file")
    descriptor = os.open(name, _FILE, dir_fd=parent)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Refused("not a regular file")
        if status.st_nlink != 1:
            raise _Refused(f"a hard link ({status.st_nlink} names)")
        if status.st_size > room:
            raise _Refused(f"{status.st_size} bytes, more than the {room} bytes that are left")
        content = bytearray()
        while len(content) <= room and (piece := file.read(1 << 20)):
            content += piece
        if len(content) > room:
            raise _Refused(f"more than the {room} bytes that are left")
        return bytes(content)


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
