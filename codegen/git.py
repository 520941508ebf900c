"""Git plumbing on a git directory: trees, commits, merges and refs, without any working tree.

Every call names its git directory, so git never looks for one in the folders around it, and runs with a
pinned environment: nobody's user configuration, no prompts, no objects fetched on the way, and no hooks
but those of a repository that is pushed to.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from codegen.protocol import RepositoryProblem

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A repository may name a program that brings its missing objects; only plain paths are ever read.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "file",
}
_OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "maintenance.auto=false")
_GRACE_SECONDS = 5.0
COMMITTER = "Bailey"
NOT_FOUND = "0" * 40
# A task holds its files in memory: what is larger than source files are is left out, too much of it all is refused.
LARGEST_FILE_BYTES = 16 * 1024**2
LARGEST_TREE_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Commit:
    """What a new commit says. Equal values give an equal commit id: making it twice is harmless."""

    tree: str
    parents: tuple[str, ...]
    message: str
    author: str
    at: float


class Git:
    """One repository, addressed by its git directory."""

    def __init__(self, directory: Path, *, timeout_seconds: float = 600.0) -> None:
        self.directory = directory
        self._timeout_seconds = timeout_seconds

    async def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
    ) -> tuple[int, bytes]:
        """Run git; exit code and stdout. Raises `RepositoryProblem` for exit codes that are not `ok`."""
        process = await asyncio.create_subprocess_exec(
            "git", f"--git-dir={self.directory}", *_OPTIONS, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**_ENVIRONMENT, **(environment or {})}, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout_seconds):
                stdout, stderr = await process.communicate(stdin)
        except TimeoutError:
            limit = f"{self._timeout_seconds:g} seconds"
            raise RepositoryProblem(f"`git {arguments[0]}` did not end within {limit} and was stopped.") from None
        finally:
            if process.returncode is None:
                await _stop(process)
        code = process.returncode or 0
        if code not in ok:
            said = stderr.decode(errors="replace").strip().splitlines()
            raise RepositoryProblem(f"`git {arguments[0]}` failed: {said[-1] if said else f'exit code {code}'}.")
        return code, stdout

    async def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """Stdout as stripped text."""
        return (await self.run(*arguments, stdin=stdin))[1].decode(errors="replace").strip()

    async def resolve(self, revision: str) -> str | None:
        """The commit a revision names, or None."""
        code, out = await self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", ok=(0, 1, 128))
        return out.decode().strip() if code == 0 else None

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` contains `ancestor`."""
        code, _ = await self.run("merge-base", "--is-ancestor", ancestor, descendant, ok=(0, 1))
        return code == 0

    async def tree_of(self, commit: str) -> str:
        """The tree id of a commit."""
        return await self.text("rev-parse", f"{commit}^{{tree}}")

    async def files(self, commit: str) -> dict[str, bytes]:
        """Path -> content of every file that `blobs` names."""
        blobs = await self.blobs(commit)
        request = "".join(f"{blob}\n" for blob in blobs.values()).encode()
        stream = (await self.run("cat-file", "--batch", stdin=request))[1]
        return dict(zip(blobs, _batch_contents(stream), strict=True))

    async def blobs(self, commit: str) -> dict[str, str]:
        """Path -> blob id of every regular file. Raises `RepositoryProblem` when they are too large together.

        Left out are links, submodules, files larger than `LARGEST_FILE_BYTES` and names that are not UTF-8.
        """
        blobs: dict[str, str] = {}
        total = 0
        listing = (await self.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit))[1]
        for line in filter(None, listing.split(b"\0")):
            meta, _, name = line.partition(b"\t")
            mode, _, blob, size = meta.decode().split()
            if mode.startswith("100") and int(size) <= LARGEST_FILE_BYTES:
                with suppress(UnicodeDecodeError):
                    blobs[name.decode()] = blob
                    total += int(size)
        if total > LARGEST_TREE_BYTES:
            raise RepositoryProblem(
                f"The files of commit {commit[:12]} have {total / 1024**2:.0f} MiB together; a task can work on "
                f"{LARGEST_TREE_BYTES // 1024**2} MiB at most, so split the repository or take large data out of it."
            )
        return blobs

    async def write_tree(self, base_tree: str, changes: Mapping[str, str | None]) -> str:
        """A tree: `base_tree` with files replaced, added or (None) removed."""
        with tempfile.TemporaryDirectory(prefix="bailey-index-") as folder:
            return await self._write_tree(base_tree, changes, {"GIT_INDEX_FILE": f"{folder}/index"})

    async def _write_tree(self, base_tree: str, changes: Mapping[str, str | None], scratch: Mapping[str, str]) -> str:
        await self.run("read-tree", base_tree, environment=scratch)
        for path, content in sorted(changes.items()):
            if content is None:
                entry = f"0 {NOT_FOUND}\t{path}\0".encode()
                await self.run("update-index", "-z", "--index-info", stdin=entry, environment=scratch)
                continue
            blob = await self.text("hash-object", "-w", "--stdin", stdin=content.encode())
            mode = await self._mode(base_tree, path)
            await self.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", environment=scratch)
        return (await self.run("write-tree", environment=scratch))[1].decode().strip()

    async def _mode(self, tree: str, path: str) -> str:
        """The file mode at a path; changing a file keeps its executable bit, and a link is never written through."""
        entry = await self.text("ls-tree", tree, "--", path)
        mode = entry.split()[0] if entry else "100644"
        if not mode.startswith("100"):
            raise RepositoryProblem(f"{path} is not a regular file in the repository, so it cannot be changed.")
        return mode

    async def commit(self, commit: Commit) -> str:
        """Write a commit object; its id."""
        date = datetime.fromtimestamp(int(commit.at), UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        identity = {
            "GIT_AUTHOR_NAME": commit.author,
            "GIT_AUTHOR_EMAIL": "",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": COMMITTER,
            "GIT_COMMITTER_EMAIL": "",
            "GIT_COMMITTER_DATE": date,
        }
        parents = [argument for parent in commit.parents for argument in ("-p", parent)]
        _, out = await self.run(
            "commit-tree", commit.tree, *parents, stdin=commit.message.encode(), environment=identity
        )
        return out.decode().strip()

    async def merged_tree(self, ours: str, theirs: str) -> str:
        """The tree of merging two commits. Raises `RepositoryProblem` naming the files in conflict."""
        code, out = await self.run(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", ours, theirs, ok=(0, 1)
        )
        tree, *conflicts = out.decode().strip().splitlines()
        if code:
            raise RepositoryProblem(f"The change does not merge: {', '.join(conflicts)} changed on both sides.")
        return tree

    async def set_ref(self, ref: str, new: str, old: str = NOT_FOUND) -> bool:
        """Move a ref if it still is where it was (`old`; NOT_FOUND: it must not exist). False when it moved."""
        code, _ = await self.run("update-ref", ref, new, old, ok=(0, 128))
        return code == 0


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End git and what it started, by SIGTERM first: only then does it take its lock files away."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
            return


def _batch_contents(stream: bytes) -> list[bytes]:
    """Split the output of `cat-file --batch`: "<id> blob <size>\\n<content>\\n" repeated."""
    contents, position = [], 0
    while position < len(stream):
        header_end = stream.index(b"\n", position)
        size = int(stream[position:header_end].split()[-1])
        contents.append(stream[header_end + 1 : header_end + 1 + size])
        position = header_end + 1 + size + 1
    return contents
