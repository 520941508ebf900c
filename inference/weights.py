"""From a `source:` in models.yaml to files on this machine, checked against their declared digest.

`bundled:NAME` is a model that comes with the appliance, `path:/x` a file or folder, `hf:owner/name@revision`
a repository on a Hugging Face hub (its token is only used if it is handed over here), and
`hf:owner/name/file.gguf@revision` one file of it.
Everything here blocks; call it in a thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.errors import WeightsError

BUNDLED = Path(__file__).parent / "bundled"
GGUF_PATTERNS = ("*.gguf",)
FOLDER_PATTERNS = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")

_HF = re.compile(r"(?P<repository>[^/@]+(/[^/@]+)?)(/(?P<file>[^@]+))?@(?P<revision>.+)")


@dataclass(frozen=True, slots=True)
class WeightsStore:
    """Finds weights. Downloads and known digests are kept in `cache`; `offline` downloads nothing."""

    cache: Path
    offline: bool = False
    endpoint: str | None = None
    token: str | None = None
    bundled: Path = BUNDLED

    def gguf(self, source: str, sha256: str | None = None) -> Path:
        """The GGUF file of a model. Raises `WeightsError` if there is not exactly one or its digest differs."""
        path = self._locate(source, GGUF_PATTERNS)
        if path.is_dir():
            path /= _only(sorted(each.name for each in path.glob("*.gguf")), f"{source!r} must hold one GGUF file")
        self._check(source, path, sha256)
        return path

    def folder(self, source: str, sha256: str | None = None) -> Path:
        """The folder of a model in Hugging Face's layout; the digest is that of its model.safetensors."""
        path = self._locate(source, FOLDER_PATTERNS)
        if not (path / "config.json").is_file():
            raise WeightsError(f"{source!r} is not a model folder: there is no {path / 'config.json'}.")
        if sha256 is not None:
            self._check(source, path / "model.safetensors", sha256)
        return path

    def digest(self, path: Path) -> str:
        """The file's SHA-256, remembered until its size or time of change differ."""
        stat = path.stat()
        state: dict[str, object] = {"path": str(path.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        marker = self.cache / "digests" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()}.json"
        known = _read_marker(marker)
        digest = known.pop("sha256", None)
        if known == state and isinstance(digest, str):
            return digest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        marker.parent.mkdir(parents=True, exist_ok=True)
        fresh = marker.with_suffix(".new")
        fresh.write_text(json.dumps({**state, "sha256": digest}))
        fresh.replace(marker)
        return digest

    def _check(self, source: str, path: Path, expected: str | None) -> None:
        if not path.is_file():
            raise WeightsError(f"The weights of {source!r} are missing: there is no file {path}.")
        if expected is not None and (found := self.digest(path)) != expected:
            raise WeightsError(
                f"The weights of {source!r} are not those declared: {path} has SHA-256 {found}, "
                f"models.yaml says {expected}. The model is not loaded."
            )

    def _locate(self, source: str, patterns: tuple[str, ...]) -> Path:
        scheme, _, rest = source.partition(":")
        if scheme == "hf":
            return self._fetch(source, rest, patterns)
        path = self.bundled / rest if scheme == "bundled" else Path(rest).expanduser()
        if not path.exists():
            there = [each.name for each in self.bundled.glob("*") if each.is_dir()]
            hint = f" Bundled are: {', '.join(sorted(there)) or 'none'}." if scheme == "bundled" else ""
            raise WeightsError(f"The weights of {source!r} are missing: there is no {path}.{hint}")
        return path

    def _fetch(self, source: str, rest: str, patterns: tuple[str, ...]) -> Path:
        parts = _HF.fullmatch(rest)
        if parts is None:
            raise WeightsError(f"{source!r} is not of the form hf:owner/name@revision or hf:owner/name/file@revision.")
        repository, file, revision = parts["repository"], parts["file"], parts["revision"]
        if file is None and patterns == GGUF_PATTERNS:
            there = self._list(source, repository, revision)
            file = _only(there, f"{source!r} must hold one GGUF file; name it as hf:{repository}/FILE@{revision}")
        if file is None:
            return self._snapshot(source, repository, revision, patterns)
        return self._snapshot(source, repository, revision, (file,)) / file

    def _snapshot(self, source: str, repository: str, revision: str, patterns: tuple[str, ...]) -> Path:
        """The repository's files of these patterns, downloaded as far as they are not here yet."""
        from huggingface_hub import snapshot_download

        with _hub_errors(source, self.offline):
            folder = snapshot_download(
                repository,
                revision=revision,
                cache_dir=self.cache / "hub",
                allow_patterns=list(patterns),
                local_files_only=self.offline,
                endpoint=self.endpoint,
                token=self.token or False,
            )
        return Path(folder)

    def _list(self, source: str, repository: str, revision: str) -> list[str]:
        """The names of the repository's GGUF files; offline, of those that are here."""
        from huggingface_hub import snapshot_download

        if self.offline:
            folder = self._snapshot(source, repository, revision, GGUF_PATTERNS)
            return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.gguf"))
        with _hub_errors(source, self.offline):
            files = snapshot_download(
                repository,
                revision=revision,
                cache_dir=self.cache / "hub",
                allow_patterns=list(GGUF_PATTERNS),
                endpoint=self.endpoint,
                token=self.token or False,
                dry_run=True,
            )
        return sorted(file.filename for file in files)


@contextmanager
def _hub_errors(source: str, offline: bool) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        why = (
            "downloads are switched off and it is not here yet"
            if offline
            else str(error.__cause__ or error).split("\n")[0].rstrip(".")
        )
        raise WeightsError(f"The weights of {source!r} cannot be fetched: {why}.") from error


def _only(names: list[str], rule: str) -> str:
    if len(names) != 1:
        raise WeightsError(f"{rule}; there are {', '.join(names) or 'none'}.")
    return names[0]


def _read_marker(marker: Path) -> dict[str, object]:
    """What is known about a file; nothing if the marker is missing or damaged."""
    try:
        known = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
