"""SHA-256 of files, remembered: weights have gigabytes, and a start must not read them all.

A digest is remembered until the file's size or time of change differ. Called by the store and by pulls.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of files anywhere; what is known is kept in `folder`, one small file each."""

    folder: Path

    def of(self, path: Path, declared: str | None = None, *, fresh: bool = False) -> str:
        """The file's SHA-256. `fresh` reads it whatever is remembered.

        `declared` is what a manifest says of a file of this size: it is taken for true the first time, and
        the file is read only if it is touched afterwards.
        """
        stat = path.stat()
        state: dict[str, object] = {"path": str(path.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        marker = self.folder / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()}.json"
        known = _read(marker)
        digest = known.pop("sha256", None)
        if known == state and isinstance(digest, str) and not fresh:
            return digest
        digest = declared if declared and not known and not fresh else sha256_of(path)
        self._remember(marker, {**state, "sha256": digest})
        return digest

    def _remember(self, marker: Path, known: dict[str, object]) -> None:
        """As far as there is a place for it: what cannot be remembered is read again."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = marker.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(known))
            unfinished.replace(marker)


def sha256_of(path: Path) -> str:
    """Read the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """What git, and with it a hub, calls a file that is not kept as a large one."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(marker: Path) -> dict[str, object]:
    """What is known about a file; nothing if the marker is missing or damaged."""
    try:
        known = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
