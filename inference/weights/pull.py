"""Fetching the weights of one source into its folder of the store, killed and begun again as often as need be.

Files grow in a folder `REVISION.partial`. Only when all are there and right does it lose that ending, and then
the manifest is written: what a start finds is whole or not there. Called by the store.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from inference.errors import WeightsError
from inference.weights.digests import Digests, git_sha1_of
from inference.weights.manifest import Manifest, StoredFile, declarable, weights_digest
from inference.weights.remote import InterruptedPull, Listing, RefusedPull, Remote, RemoteFile
from inference.weights.selection import Kind, UnclearError, select

_log = logging.getLogger(__name__)

T = TypeVar("T")
Watch = Callable[[str, int], None]
"""Told a file's name and how many bytes of it are here, often."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often in a row something may fail without a byte having come, and the pauses between, doubling."""

    failures: int = 6
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0

    def pause(self, failure: int) -> None:
        """After the n-th failure in a row (from 1)."""
        time.sleep(min(self.first_pause_seconds * 2 ** (failure - 1), self.longest_pause_seconds))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pull would do: the files at the revision found, and how much of them is here."""

    listing: Listing
    files: tuple[RemoteFile, ...]
    here_bytes: int

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def missing_bytes(self) -> int:
        """What has to be fetched."""
        return self.total_bytes - self.here_bytes


@dataclass(frozen=True, slots=True)
class Pull:
    """The weights of one source, on their way into `slot`."""

    source: str
    kind: Kind
    named: str | None
    slot: Path
    remote: Remote
    digests: Digests
    patience: Patience

    def plan(self) -> Plan:
        """Ask what there is. Raises `WeightsError`."""
        listing = self._persistently(self.remote.list)
        try:
            names = {*select((file.name for file in listing.files), self.kind, self.named)}
        except UnclearError as error:
            raise WeightsError(f"The weights of {self.source!r} cannot be used: {error}.") from None
        files = tuple(file for file in listing.files if file.name in names)
        if self.kind == "folder" and not any(name.endswith(".safetensors") for name in names):
            raise self._failed("it has no .safetensors files, and weights in other forms are not loaded")
        whole, partial = self._folders(listing)
        folder = whole if whole.is_dir() else partial
        stored = self._stored()
        here = (file.size if file.sha256 in stored else min(_size(folder / file.name), file.size) for file in files)
        return Plan(listing, files, sum(here))

    def run(self, plan: Plan, sha256: str | None, watch: Watch) -> Manifest:
        """Fetch what is missing, check everything, publish it. Raises `WeightsError`; what came stays for the next.

        `sha256` is what models.yaml declares; where the source declares digests too, they are compared before.
        """
        promised = {file.name: file.sha256 for file in plan.files if file.sha256}
        if sha256 and len(promised) == len(plan.files) and sha256 not in declarable(promised):
            raise WeightsError(
                f"The weights of {self.source!r} are not those declared: their source says they have SHA-256 "
                f"{declarable(promised)[0]}, models.yaml says {sha256}. Nothing was fetched."
            )
        try:
            self.slot.mkdir(parents=True, exist_ok=True)
            with self._alone():
                return self._run(plan, sha256, watch)
        except OSError as error:
            raise WeightsError(
                f"The weights of {self.source!r} cannot be stored in {self.slot}: {error.strerror}. "
                "What has come is kept; pull again when that is put right."
            ) from error

    def _run(self, plan: Plan, sha256: str | None, watch: Watch) -> Manifest:
        whole, partial = self._folders(plan.listing)
        known = Manifest.read(self.slot)
        if known and known.folder == whole.name and {*known.digests} == {file.name for file in plan.files}:
            damaged = [file.name for file in known.files if not self._intact(file, whole / file.name)]
            if not damaged:
                return known
            for name in damaged:
                (whole / name).unlink(missing_ok=True)
        self._sweep(known, keep={whole.name, partial.name})
        if whole.is_dir():  # its manifest was never written, or it was damaged
            whole.rename(partial)
        stored = self._stored()
        for file in plan.files:
            path = partial / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.sha256 in stored and _size(path) < file.size:
                with suppress(OSError):  # not every file system has links; then it is fetched
                    path.unlink(missing_ok=True)
                    path.hardlink_to(stored[file.sha256])
            self._fetch(plan.listing, file, path, watch)
        found = {file.name: self._checked(file, partial / file.name) for file in plan.files}
        self._check_declared(found, sha256, partial)
        partial.rename(whole)
        manifest = Manifest(
            source=self.source,
            kind=self.kind,
            revision=plan.listing.revision,
            folder=whole.name,
            digest=weights_digest(found),
            files=tuple(StoredFile(name=file.name, size=file.size, sha256=found[file.name]) for file in plan.files),
        )
        manifest.write(self.slot)
        return manifest

    def _stored(self) -> dict[str, Path]:
        """What the store has already, of this source's other revision or of other sources: digest -> file."""
        found: dict[str, Path] = {}
        for slot in self.slot.parent.glob("*/"):
            if manifest := Manifest.read(slot):
                folder = slot / manifest.folder
                intact = (file for file in manifest.files if self._intact(file, folder / file.name))
                found |= {file.sha256: folder / file.name for file in intact}
        return found

    def _intact(self, file: StoredFile, path: Path) -> bool:
        return _size(path) == file.size and path.is_file() and self.digests.of(path, file.sha256) == file.sha256

    def _folders(self, listing: Listing) -> tuple[Path, Path]:
        name = re.sub(r"[^A-Za-z0-9]", "", listing.revision.rpartition(":")[2])[:16] or "files"
        return self.slot / name, self.slot / f"{name}.partial"

    def _sweep(self, known: Manifest | None, keep: set[str]) -> None:
        """Remove other revisions, except the one in use: an engine that runs may open its files again."""
        for folder in self.slot.iterdir():
            if folder.is_dir() and folder.name not in {known.folder if known else "", *keep}:
                shutil.rmtree(folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.slot / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WeightsError(
                    f"Another process is fetching {self.source!r} into {self.slot}; wait for it."
                ) from None
            yield

    def _fetch(self, listing: Listing, file: RemoteFile, path: Path, watch: Watch) -> None:
        """Append to the file until it has its size."""
        if _size(path) > file.size:
            path.unlink()
        path.touch()
        watch(file.name, _size(path))
        failures = 0
        while (before := _size(path)) < file.size:
            try:
                self._append(listing, file, path, watch)
                trouble = InterruptedPull("the connection was closed too early")
            except InterruptedPull as error:
                trouble = error
            except RefusedPull as error:
                raise self._failed(f"{file.name}: {error}") from error
            if _size(path) == file.size:
                break
            failures = 1 if _size(path) > before else failures + 1
            if failures > self.patience.failures:
                raise self._failed(f"{file.name}: {trouble}; {failures} times in a row") from trouble
            self._pause(failures, f"{file.name}: {trouble}")

    def _append(self, listing: Listing, file: RemoteFile, path: Path, watch: Watch) -> None:
        with path.open("ab") as out:
            here = out.tell()
            for piece in self.remote.read(listing, file, here):
                out.write(piece[: file.size - here])
                here += len(piece)
                watch(file.name, min(here, file.size))
                if here >= file.size:
                    break
            out.flush()
            os.fsync(out.fileno())

    def _checked(self, file: RemoteFile, path: Path) -> str:
        """The file's SHA-256; the file is removed if it is not what the other end declares."""
        found = self.digests.of(path)
        declared, is_now = file.sha256, found
        if file.sha256 is None and file.git_sha1 is not None:
            declared, is_now = file.git_sha1, git_sha1_of(path)
        if declared is not None and is_now != declared:
            path.unlink()
            raise self._failed(
                f"{file.name} came with the digest {is_now}, and its source declares {declared}; it was removed"
            )
        return found

    def _check_declared(self, found: dict[str, str], sha256: str | None, partial: Path) -> None:
        if sha256 is None or sha256 in declarable(found):
            return
        for name in select(found, self.kind, self.named):
            if name.endswith((".gguf", ".safetensors")):
                (partial / name).unlink()
        raise WeightsError(
            f"The weights of {self.source!r} are not those declared: what came has SHA-256 "
            f"{declarable(found)[0]}, models.yaml says {sha256}. They were removed."
        )

    def _persistently(self, ask: Callable[[], T]) -> T:
        for failure in range(1, self.patience.failures + 1):
            try:
                return ask()
            except InterruptedPull as error:
                self._pause(failure, str(error))
            except RefusedPull as error:
                raise self._failed(str(error)) from error
        try:
            return ask()
        except (InterruptedPull, RefusedPull) as error:
            raise self._failed(str(error)) from error

    def _pause(self, failure: int, trouble: str) -> None:
        _log.warning("%s: %s; trying again", self.source, trouble)
        self.patience.pause(failure)

    def _failed(self, why: str) -> WeightsError:
        return WeightsError(f"The weights of {self.source!r} cannot be fetched: {why}.")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
