"""Through a folder that a foreign program filled: no link followed, no mount crossed, nothing opened that could block.

Runs only when every process of the jail is gone. What is passed over is listed with its reason. `collect.py` takes
files out this way, `workspace.py` hands them on to the next jail.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.kernel import open_inside
from sandbox.protocol import Rejection

MAX_LEVELS = 16

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_WAY = os.O_PATH | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_NONBLOCK
_MAX_ENTRIES = 50_000
_MAX_REJECTIONS = 256


@dataclass(slots=True)
class Rejections:
    """What was passed over; beyond a bound only the fact that there was more is noted."""

    listed: list[Rejection] = field(default_factory=list)

    def add(self, path: str, reason: str) -> None:
        """Note one path; what is not Unicode in it is escaped."""
        if len(self.listed) < _MAX_REJECTIONS:
            self.listed.append(Rejection(path.encode("utf-8", "backslashreplace").decode("utf-8"), reason))
        elif len(self.listed) == _MAX_REJECTIONS:
            self.listed.append(Rejection("", "more files were rejected than are listed"))


@dataclass
class Refused(Exception):
    """Why a file is not to be had."""

    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Something found: its path from the beginning, and its name in the open folder `parent`."""

    path: str
    parent: int
    name: str
    is_folder: bool


def walk(directory: int, rejections: Rejections) -> Iterator[Entry]:
    """All that lies below a directory descriptor, in the order of names, folders before what is in them. Blocking."""
    for count, entry in enumerate(_walk(directory, "", rejections, level=1), start=1):
        if count > _MAX_ENTRIES:
            rejections.add("", f"the workspace has more than {_MAX_ENTRIES} entries; the rest was not looked at")
            return
        yield entry


def _walk(directory: int, above: str, rejections: Rejections, level: int) -> Iterator[Entry]:
    try:
        descriptor = open_inside(directory, ".", _FOLDER)
    except OSError as error:
        rejections.add(above, f"the folder cannot be read ({os.strerror(error.errno or 0)})")
        return
    try:
        with os.scandir(descriptor) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in names:
            if is_folder and level >= MAX_LEVELS:
                rejections.add(above + name, f"deeper than {MAX_LEVELS} levels")
                continue
            yield Entry(above + name, descriptor, name, is_folder)
            if is_folder:
                yield from _descend(descriptor, name, above, rejections, level)
    finally:
        os.close(descriptor)


def _descend(parent: int, name: str, above: str, rejections: Rejections, level: int) -> Iterator[Entry]:
    try:
        folder = open_inside(parent, name, _WAY)
    except OSError as error:
        rejections.add(above + name, f"the folder cannot be read ({os.strerror(error.errno or 0)})")
        return
    try:
        yield from _walk(folder, f"{above}{name}/", rejections, level + 1)
    finally:
        os.close(folder)


@contextmanager
def opened(entry: Entry) -> Iterator[tuple[int, os.stat_result]]:
    """A regular file with one name, open for reading, and its status. Raises `Refused` for everything else."""
    demand_unicode(entry)
    try:
        kind = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False).st_mode
        if not stat.S_ISREG(kind):
            raise Refused("a symbolic link" if stat.S_ISLNK(kind) else "not a regular file")
        descriptor = open_inside(entry.parent, entry.name, _FILE)
    except OSError as error:
        raise Refused(f"cannot be read ({os.strerror(error.errno or 0)})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("not a regular file")
        if status.st_nlink != 1:
            raise Refused(f"a hard link ({status.st_nlink} names)")
        yield descriptor, status
    finally:
        os.close(descriptor)


def demand_unicode(entry: Entry) -> None:
    """Raise `Refused` for a name that is not valid UTF-8."""
    try:
        entry.path.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("the name is not valid UTF-8") from None
