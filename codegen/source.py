"""A customer's repository, only ever looked at: where its parts are, whose they are, what in it is not committed.

Its configuration can name programs (filters, file system monitors, helpers of remotes). None of them runs:
what git does by configuration is done here with the mirror's. `repository.py` and the tasks API call this.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codegen.git import Git
from codegen.protocol import RepositoryNotFound, RepositoryProblem

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
# How a checkout compares its files with commits. None of these settings names a program.
_COMPARING = r"^core\.(filemode|symlinks|trustctime|checkstat|autocrlf|eol)$"


@dataclass(frozen=True, slots=True)
class Source:
    """A repository of the appliance's own user. The last two folders differ in a linked worktree only."""

    path: Path
    is_bare: bool
    git_dir: Path
    common_dir: Path

    def roots(self) -> set[Path]:
        """Folders outside of `path` that git reads as parts of this repository, each by its repository's path."""
        common = self.common_dir
        main = common.parent if common.name == ".git" else common
        outside = (place for place in (self.git_dir, common) if not place.is_relative_to(self.path.resolve()))
        return {main if place.is_relative_to(common) else place for place in outside}

    async def check_branch(self, branch: str) -> None:
        """Raises `RepositoryNotFound` when there is no such branch."""
        code, _ = await Git(self.git_dir).run("show-ref", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1, 128))
        if code:
            raise RepositoryNotFound(f"{self.path} has no branch {branch!r} with a commit.")

    async def check_clean(self, mirror: Git) -> None:
        """Raises `RepositoryProblem` when files of a checkout differ from the commit that is checked out."""
        if not self.is_bare and (changed := await self._uncommitted(mirror)):
            raise RepositoryProblem(
                f"{self.path} has uncommitted changes ({', '.join(changed[:5])}); "
                "commit or stash them, or allow a dirty checkout to work from its last commit."
            )

    async def _uncommitted(self, mirror: Git) -> list[str]:
        """Tracked files that differ, seen with the mirror's configuration and a copy of the checkout's index."""
        own = Git(self.git_dir)
        code, out = await own.run("rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1, 128))
        head = _EMPTY_TREE if code else out.decode().strip()
        with tempfile.TemporaryDirectory(prefix="bailey-index-") as folder:
            index = Path(folder) / "index"
            await asyncio.to_thread(_copy, self.git_dir / "index", index)
            environment = {
                **await self._settings(own),
                "GIT_WORK_TREE": str(self.path),
                "GIT_INDEX_FILE": str(index),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(self.common_dir / "objects"),
            }
            refresh = ("update-index", "-q", "--ignore-submodules", "--refresh")
            await mirror.run(*refresh, environment=environment, ok=(0, 1))
            compare = ("diff-index", "--name-only", "--no-renames", "--ignore-submodules=all", "-z", head)
            _, names = await mirror.run(*compare, environment=environment)
        return names.decode(errors="replace").split("\0")[:-1]

    async def _settings(self, own: Git) -> dict[str, str]:
        """The checkout's settings for comparing, as environment of another git."""
        found = (await own.run("config", "-z", "--get-regexp", _COMPARING, ok=(0, 1)))[1].decode(errors="replace")
        environment = {"GIT_CONFIG_COUNT": str(found.count("\0"))}
        for number, setting in enumerate(found.split("\0")[:-1]):
            key, _, value = setting.partition("\n")
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value or "true"}
        return environment


async def locate(path: Path) -> Source:
    """The repository in exactly this folder. Raises `RepositoryNotFound`, or `RepositoryProblem` for another user's."""
    entry = await asyncio.to_thread(_entry, path)
    places = ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--is-bare-repository")
    code, out = await Git(entry).run(*places, ok=(0, 128))
    *folders, is_bare = os.fsdecode(out).strip().split("\n")
    if code or len(folders) != 2 or (entry == path and is_bare != "true"):
        raise RepositoryNotFound(f"{path} is not a git repository.")
    git_dir, common_dir = await asyncio.to_thread(_resolved, path, folders)
    return Source(path, is_bare == "true", git_dir, common_dir)


def _entry(path: Path) -> Path:
    """What git reads first: `.git` of a checkout, or a bare repository itself."""
    if not path.is_dir():
        raise RepositoryNotFound(f"There is no repository at {path}.")
    entry = path / ".git" if os.path.lexists(path / ".git") else path
    _check_owner(path, path.resolve(), entry)
    return entry


def _resolved(path: Path, folders: list[str]) -> list[Path]:
    places = [Path(folder).resolve() for folder in folders]
    _check_owner(path, *places)
    return places


def _check_owner(path: Path, *places: Path) -> None:
    """Git serves nobody else's repository either: its configuration and hooks would run in our name."""
    ours = os.geteuid()
    for place in places:
        if (owner := place.lstat().st_uid) != ours:
            raise RepositoryProblem(
                f"{place} belongs to user id {owner}, the appliance runs as user id {ours} and does not read {path}; "
                "name a repository of the appliance's user, for instance a bare one that the owner pushes to."
            )


def _copy(index: Path, to: Path) -> None:
    """With its time, by which git knows which files may have changed after it; a checkout may have none yet."""
    if index.exists():
        shutil.copy2(index, to)


def _quoted(path: Path) -> str:
    """A path in a list that is split at colons."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
