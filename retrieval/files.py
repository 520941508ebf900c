"""Which files of a repository are worth indexing, and why the others are not.

Reads a directory into memory; knows nothing of passages or of the index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from stat import S_ISREG

from retrieval.spec import RetrievalSpec

_GENERATED = re.compile(
    rb"^[\s/*#;<!-]*(?:@generated\b|code generated\b.*do not edit|(?:auto-?generated|automatically generated)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE = re.compile(rb"[^\r\n]+")


def read_tree(root: Path, spec: RetrievalSpec) -> dict[str, bytes]:
    """The regular files under `root` by relative POSIX path, sorted, without what `spec` skips by name or size.

    Links are not followed, wherever they lead; a file that vanishes meanwhile is left out. Blocks: call it in
    a thread. Raises OSError if a file or folder cannot be read.
    """
    return {path: data for path in sorted(_paths(root, spec)) if (data := _content(root / path, spec)) is not None}


def skip_reason(path: str, data: bytes, spec: RetrievalSpec) -> str | None:
    """Why a file is not indexed, as the end of a sentence that begins with its path; None if it is."""
    for above in accumulate(path.split("/"), "{}/{}".format):
        if (glob := _skipped_by(above, spec)) is not None:
            return f"is skipped by `{glob}`"
    if len(data) > spec.max_file_kib * 1024:
        return f"is larger than {spec.max_file_kib} KiB"
    if b"\0" in data:
        return "is binary"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8"
    if _GENERATED.search(data[:1000]):
        return "says that it is generated"
    if any(len(line) > spec.max_line_characters for line in _LINE.findall(data)):
        return f"has a line longer than {spec.max_line_characters} characters"
    return None


def _skipped_by(path: str, spec: RetrievalSpec) -> str | None:
    """The glob that skips this file or folder itself, not one above it."""
    name = path.rpartition("/")[2]
    return next((glob for glob in (".git", *spec.skip) if fnmatchcase(path if "/" in glob else name, glob)), None)


def _paths(root: Path, spec: RetrievalSpec) -> Iterator[str]:
    for folder, folders, names in os.walk(root, onerror=_raise):
        inside = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if _skipped_by((inside / name).as_posix(), spec) is None]
        for name in names:
            path = (inside / name).as_posix()
            if _skipped_by(path, spec) is None and path.isprintable():
                yield path


def _raise(error: OSError) -> None:
    raise error


def _content(path: Path, spec: RetrievalSpec) -> bytes | None:
    """A regular file's bytes unless it is too large; links are refused by the system, not only by a look before."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink() or not path.is_file():  # a link, a socket, or gone
            return None
        raise
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return file.read() if S_ISREG(status.st_mode) and status.st_size <= spec.max_file_kib * 1024 else None
