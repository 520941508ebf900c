"""Files out of a dead jail: regular, single-linked, asked for by a glob, and counted while they are read.

Everything that was asked for and does not come out is listed with its reason. How the files are reached and what
is never opened is in `walk.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from sandbox.files.walk import Entry, Refused, Rejections, opened, walk
from sandbox.protocol import InvalidCommand, Rejection

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that comes out: number of files and their bytes together."""

    files: int
    total_bytes: int


@dataclass(slots=True)
class Collection:
    """What came out, and what did not."""

    files: dict[str, bytes] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=Rejections)

    @property
    def rejected(self) -> list[Rejection]:
        """What did not come out, each with its reason."""
        return self.rejections.listed


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
    for entry in walk(directory, collection.rejections):
        if not entry.is_folder and wanted.match(entry.path):
            try:
                collection.files[entry.path] = _read(entry, collection, caps)
            except Refused as refused:
                collection.rejections.add(entry.path, refused.reason)
    return collection


def _read(entry: Entry, collection: Collection, caps: Caps) -> bytes:
    if len(collection.files) >= caps.files:
        raise Refused(f"more than {caps.files} files")
    room = caps.total_bytes - sum(len(content) for content in collection.files.values())
    with opened(entry) as (descriptor, status):
        if status.st_size > room:
            raise Refused(f"{status.st_size} bytes, more than the {room} bytes that are left")
        content = bytearray()
        try:
            while len(content) <= room and (piece := os.read(descriptor, _PIECE)):
                content += piece
        except OSError as error:
            raise Refused(f"cannot be read ({os.strerror(error.errno or 0)})") from None
    if len(content) > room:
        raise Refused(f"more than the {room} bytes that are left")
    return bytes(content)
