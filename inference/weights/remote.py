"""What the store asks of a place that weights are fetched from. Each kind of source is one file beside this one.

A remote lists files and reads them from any byte on; trying again, checking and keeping is the pull's work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol


class InterruptedPull(Exception):
    """The other end failed in a way that may pass; what has come is kept. The message is a phrase."""


class RefusedPull(Exception):
    """The other end will not give this, however often it is asked. The message is a phrase."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to be fetched, with the digests that the other end declares for it, and its name for this version."""

    name: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None
    etag: str | None = None

    def __post_init__(self) -> None:
        """Names are somebody else's and become paths. Raises `RefusedPull`."""
        path = PurePosixPath(self.name)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in self.name or "\0" in self.name:
            raise RefusedPull(f"it holds a file with the name {self.name!r}, which leads out of its folder")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is there: the files, and a name for exactly this state of them, such as a commit."""

    revision: str
    files: tuple[RemoteFile, ...]


class Remote(Protocol):
    """A place to fetch from."""

    def list(self) -> Listing:
        """What is there now. Raises `InterruptedPull` or `RefusedPull`."""
        ...

    def read(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[bytes]:
        """Pieces of the file from byte `start` on; it may end before the file does, and is then asked again.

        Raises `InterruptedPull` or `RefusedPull`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """How the other ends are reached. S3 is not here: its own tools' configuration is read (AWS_...)."""

    hf_endpoint: str | None = None
    hf_token: str | None = field(default=None, repr=False)
    registry_keys: Path = Path("~/.docker/config.json")
