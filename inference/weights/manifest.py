"""What the store knows about the weights of one source: every file with its digest, and where they came from.

A manifest is written when everything it names is there and right; what no manifest names is not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from posixpath import commonpath, dirname, relpath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.weights.selection import SINGLE, Kind

FILE = "manifest.json"


class StoredFile(BaseModel):
    """A file of the weights; its name is relative, with slashes."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """The weights of one source as they were pulled. `folder` lies beside the manifest and holds the files."""

    model_config = ConfigDict(frozen=True)

    source: str
    kind: Kind
    revision: str
    folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    digest: str
    files: tuple[StoredFile, ...]

    @property
    def digests(self) -> dict[str, str]:
        """name -> SHA-256."""
        return {file.name: file.sha256 for file in self.files}

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    def write(self, slot: Path) -> None:
        """Into the source's folder of the store, at once or not at all."""
        fresh = slot / f"{FILE}.new"
        fresh.write_text(self.model_dump_json(indent=2))
        fresh.replace(slot / FILE)

    @classmethod
    def read(cls, slot: Path) -> Manifest | None:
        """The manifest of a source's folder; None if there is none, or none that can be read."""
        try:
            return cls.model_validate_json((slot / FILE).read_bytes())
        except (OSError, ValidationError):
            return None


def weights_digest(files: Mapping[str, str]) -> str:
    """The one digest that identifies weights, from the SHA-256 of each of their files by name.

    Of one file it is that file's SHA-256. Of several it is the SHA-256 of the lines `sha256sum` prints for them, names
    relative to the folder they share and sorted by their bytes: `sha256sum FILES | LC_ALL=C sort -k2 | sha256sum`.
    """
    if len(files) == 1:
        return next(iter(files.values()))
    shared = commonpath([dirname(name) for name in files])
    named = {relpath(name, shared) if shared else name: digest for name, digest in files.items()}
    lines = (f"{named[name]}  {name}\n" for name in sorted(named, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def declarable(files: Mapping[str, str]) -> tuple[str, ...]:
    """What `sha256:` in models.yaml may say of these files: a folder's only file of weights, or all of them."""
    return (*([files[SINGLE]] if SINGLE in files else []), weights_digest(files))
