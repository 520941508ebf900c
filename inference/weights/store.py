"""The store: a folder with weights that can be filled on one machine and mounted read-only on another.

Each source has a folder in it with a manifest and plain files, no links. Finds what `source:` means, checks it
against what was declared, and fetches it if it is not here. Called when engines are built, and by `bailey models`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inference.errors import WeightsError
from inference.weights.digests import Digests
from inference.weights.manifest import Manifest, weights_digest
from inference.weights.pull import Patience, Plan, Pull, Watch
from inference.weights.remote import Access
from inference.weights.selection import SINGLE, Kind, UnclearError, select
from inference.weights.sources import LOCAL, origin, slot_name

_log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parents[1] / "bundled"
# Left free when weights are fetched: a full disk stops more than a download.
_SPARE_BYTES = 2**28


@dataclass(frozen=True, slots=True)
class WeightsStore:
    """Finds weights. What is fetched is kept in `root`, known digests in `cache`; `offline` fetches nothing.

    `root` may be read-only if nothing has to be fetched; `cache` (unset: a folder in `root`) is written to.
    """

    root: Path
    cache: Path | None = None
    offline: bool = False
    access: Access = field(default_factory=Access)
    bundled: Path = BUNDLED
    patience: Patience = field(default_factory=Patience)

    def gguf(self, source: str, sha256: str | None = None) -> Path:
        """The GGUF file of a model, the first one if it is split. Raises `WeightsError`, also for a wrong digest."""
        folder, names = self._found(source, "gguf", sha256)
        return folder / names[0]

    def folder(self, source: str, sha256: str | None = None) -> Path:
        """The folder of a model in Hugging Face's layout. Raises `WeightsError`, also for a wrong digest."""
        return self._found(source, "folder", sha256)[0]

    def find(self, source: str, kind: Kind, sha256: str | None = None) -> Path:
        """What `gguf` or `folder` finds."""
        return self.gguf(source, sha256) if kind == "gguf" else self.folder(source, sha256)

    def here(self, source: str, kind: Kind, sha256: str | None = None) -> bool:
        """Whether nothing has to be fetched. Raises `WeightsError` if what is here is not what was declared."""
        if not source.startswith(LOCAL) and self.manifest(source, kind) is None:
            return False
        return bool(self.find(source, kind, sha256))

    def identity(self, path: Path) -> str:
        """The digest that identifies the weights which `gguf` or `folder` found (`weights_digest`)."""
        return weights_digest(dict(self._digests_at(path)))

    def digest(self, path: Path, *, fresh: bool = False) -> str:
        """A file's SHA-256; read from the file once, or if it is in the store, not at all until it is touched."""
        file = self._stored(path)
        declared = file[1] if file and path.stat().st_size == file[0] else None
        return self._known.of(path, declared, fresh=fresh)

    def manifest(self, source: str, kind: Kind) -> Manifest | None:
        """What the store has of a source; None if it was never pulled to the end."""
        manifest = Manifest.read(self.root / slot_name(source, kind))
        return manifest if manifest and (manifest.source, manifest.kind) == (source, kind) else None

    def plan(self, source: str, kind: Kind) -> Plan | None:
        """What a pull would fetch; None for what is on this machine anyway. Asks the source. Raises `WeightsError`."""
        return None if source.startswith(LOCAL) else self._pull(source, kind).plan()

    def fetch(self, source: str, kind: Kind, plan: Plan, sha256: str | None, watch: Watch) -> None:
        """Carry out a plan. Raises `WeightsError`; what has come is kept, and the next pull goes on from there."""
        self._pull(source, kind).run(plan, sha256, watch)

    def free_bytes(self) -> int:
        """What the disk of the store has room for."""
        existing = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.exists())
        return shutil.disk_usage(existing).free

    def refuse_unless_it_fits(self, missing_bytes: int) -> None:
        """Raises `WeightsError` if the disk has no room for so much."""
        free = self.free_bytes()
        if missing_bytes and missing_bytes + _SPARE_BYTES > free:
            raise WeightsError(
                f"{in_units(missing_bytes)} would have to be fetched into {self.root}, and only {in_units(free)} "
                f"are free there ({in_units(_SPARE_BYTES)} stay free). Make room, or choose another folder."
            )

    def problems(self, source: str, kind: Kind, sha256: str | None) -> Iterator[str]:
        """Read all of a model's files again, whatever is remembered of them; what is wrong as a sentence."""
        try:
            folder, names = self._located(source, kind)
            for name in names:
                if (folder / name).is_file():
                    self._known.of(folder / name, fresh=True)
            self._found(source, kind, sha256)
        except WeightsError as error:
            yield error.message

    @property
    def _known(self) -> Digests:
        return Digests((self.cache or self.root) / "digests")

    def _pull(self, source: str, kind: Kind) -> Pull:
        where = origin(source, self.access)
        if self.offline:
            raise WeightsError(
                f"The weights of {source!r} are not in the store {self.root}, and nothing is fetched in an air gap. "
                "Pull them where there is a network, `bailey models pull --online --to FOLDER`, and set BAILEY_WEIGHTS "
                "to that folder here."
            )
        slot = self.root / slot_name(source, kind)
        return Pull(source, kind, where.named, slot, where.remote, self._known, self.patience)

    def _found(self, source: str, kind: Kind, sha256: str | None) -> tuple[Path, tuple[str, ...]]:
        """A model's folder and the names of its files in it: here, right, and fetched if they were not here."""
        if not source.startswith(LOCAL) and self.manifest(source, kind) is None:
            pull = self._pull(source, kind)
            plan = pull.plan()
            self.refuse_unless_it_fits(plan.missing_bytes)
            _log.info("fetching the weights of %s: %s", source, in_units(plan.missing_bytes))
            pull.run(plan, sha256, lambda name, here: None)
        folder, names = self._located(source, kind)
        if manifest := self.manifest(source, kind):
            self._refuse_damage(folder, manifest)
        self._check(source, folder, names, sha256)
        return folder, names

    def _located(self, source: str, kind: Kind) -> tuple[Path, tuple[str, ...]]:
        """The same for what is here, without looking into the files. Raises `WeightsError`."""
        if source.startswith(LOCAL):
            return self._local(source, kind)
        manifest = self.manifest(source, kind)
        if manifest is None:
            raise WeightsError(f"The weights of {source!r} are not in the store {self.root}.")
        return self.root / slot_name(source, kind) / manifest.folder, tuple(manifest.digests)

    def _refuse_damage(self, folder: Path, manifest: Manifest) -> None:
        """Files of the store that are not as they were pulled; only those that were touched since are read."""
        for file in manifest.files:
            path = folder / file.name
            size = path.stat().st_size if path.is_file() else None
            if size == file.size and self.digest(path) == file.sha256:
                continue
            is_now = "missing" if size is None else f"{size} bytes with SHA-256 {self.digest(path)}"
            raise WeightsError(
                f"The weights of {manifest.source!r} are damaged: {path} is {is_now}, and was pulled as "
                f"{file.size} bytes with {file.sha256}. Pull them again."
            )

    def _local(self, source: str, kind: Kind) -> tuple[Path, tuple[str, ...]]:
        scheme, _, rest = source.partition(":")
        path = self.bundled / rest if scheme == "bundled" else Path(rest).expanduser()
        if not path.exists():
            there = [each.name for each in self.bundled.glob("*") if each.is_dir()]
            hint = f" Bundled are: {', '.join(sorted(there)) or 'none'}." if scheme == "bundled" else ""
            raise WeightsError(f"The weights of {source!r} are missing: there is no {path}.{hint}")
        folder, named = (path, None) if path.is_dir() else (path.parent, path.name)
        try:
            if kind == "gguf" and named and not named.endswith(".gguf"):
                return folder, (named,)  # a link or a blob by its digest: its name says nothing
            return folder, select(_names(folder, kind), kind, named)
        except UnclearError as error:
            raise WeightsError(f"The weights of {source!r} cannot be used: {error} in {folder}.") from None

    def _check(self, source: str, folder: Path, names: tuple[str, ...], sha256: str | None) -> None:
        """A folder's only file of weights is looked at first: usually that is what was declared."""
        if sha256 is None:
            return
        first = folder / (SINGLE if SINGLE in names else names[0])
        if SINGLE in names and self.digest(first) == sha256:
            return
        found = self._together(folder, names)
        if found != sha256:
            found = self.digest(first) if SINGLE in names else found
            raise WeightsError(
                f"The weights of {source!r} are not those declared: {first} has SHA-256 {found}, "
                f"models.yaml says {sha256}. The model is not loaded."
            )

    def _together(self, folder: Path, names: tuple[str, ...]) -> str:
        return weights_digest({name: self.digest(folder / name) for name in names})

    def _digests_at(self, path: Path) -> Iterator[tuple[str, str]]:
        kind: Kind = "folder" if path.is_dir() else "gguf"
        folder = path if path.is_dir() else path.parent
        names: tuple[str, ...] = (path.name,)
        if kind == "folder" or path.suffix == ".gguf":
            names = select(_names(folder, kind), kind, None if kind == "folder" else path.name)
        for name in names:
            yield name, self.digest(folder / name)

    def _stored(self, path: Path) -> tuple[int, str] | None:
        """Size and digest that the store's manifest has for a file of the store."""
        if not path.is_relative_to(self.root) or len(path.relative_to(self.root).parts) < 3:
            return None
        slot, folder, *rest = path.relative_to(self.root).parts
        manifest = Manifest.read(self.root / slot)
        if manifest is None or manifest.folder != folder:
            return None
        files = {file.name: (file.size, file.sha256) for file in manifest.files}
        return files.get("/".join(rest))


def _names(folder: Path, kind: Kind) -> list[str]:
    """A folder's files; of GGUF files only those that lie in it directly."""
    paths = folder.iterdir() if kind == "gguf" else folder.rglob("*")
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]


def in_units(count: int) -> str:
    """Bytes for people."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"
