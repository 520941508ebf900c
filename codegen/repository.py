"""The customer's repository as the appliance sees it: a bare mirror in which changes are made and merged.

The customer's checkout and its .git are only read. A merged change is pushed when the source is a
bare repository; otherwise it waits in the mirror and the customer pulls it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from codegen.git import NOT_FOUND, Commit, Git
from codegen.protocol import Integration, Patch, RepositoryNotFound, RepositoryProblem

_MERGE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change merged with its target branch as that stands now, not yet visible to anyone."""

    change_commit: str
    merge_commit: str
    tree: str
    target_head: str


class Repository:
    """One source repository and its mirror."""

    def __init__(self, source: Path, mirrors: Path) -> None:
        self.source = source
        self.name = f"{source.name.removesuffix('.git')}-{hashlib.sha256(str(source).encode()).hexdigest()[:16]}"
        self._mirror_path = mirrors / f"{self.name}.git"
        self.git = Git(self._mirror_path)

    async def prepare(self, branch: str, *, allow_dirty: bool = False) -> str:
        """Bring the mirror up to date; the commit to start from. Raises `RepositoryProblem`."""
        await self._check_source(branch, allow_dirty)
        if not (self._mirror_path / "HEAD").exists():
            self._mirror_path.mkdir(parents=True, exist_ok=True)
            await self.git.run("init", "--bare", "--quiet", "--initial-branch", branch)
        seen = f"refs/bailey/source/{branch}"
        await self.git.run("fetch", "--quiet", "--no-tags", str(self.source), f"+refs/heads/{branch}:{seen}")
        theirs, ours = await self.git.resolve(seen), await self.git.resolve(f"refs/heads/{branch}")
        if theirs is None:
            raise RepositoryProblem(f"Branch {branch!r} of {self.source} has no commit.")
        if ours is None or await self.git.is_ancestor(ours, theirs):
            await self.git.set_ref(f"refs/heads/{branch}", theirs, ours or NOT_FOUND)
            return theirs
        if await self.git.is_ancestor(theirs, ours):
            return ours
        raise RepositoryProblem(
            f"Branch {branch!r} of {self.source} and the merged changes in {self._mirror_path} have diverged; "
            f"run `git pull {self._mirror_path} {branch}` there first."
        )

    async def _check_source(self, branch: str, allow_dirty: bool) -> None:
        if not self.source.is_dir():
            raise RepositoryNotFound(f"There is no repository at {self.source}.")
        source = Git(self.source)
        code, _ = await source.run("rev-parse", "--git-dir", ok=(0, 128))
        if code:
            raise RepositoryNotFound(f"{self.source} is not a git repository.")
        if await source.resolve(f"refs/heads/{branch}") is None:
            raise RepositoryNotFound(f"{self.source} has no branch {branch!r} with a commit.")
        if not allow_dirty and not await self._is_bare():
            status = await source.text("status", "--porcelain", "--untracked-files=no")
            if changed := [line[2:].strip() for line in status.splitlines()]:
                raise RepositoryProblem(
                    f"{self.source} has uncommitted changes ({', '.join(changed[:5])}); "
                    "commit or stash them, or allow a dirty checkout to work from its last commit."
                )

    async def _is_bare(self) -> bool:
        return await Git(self.source).text("rev-parse", "--is-bare-repository") == "true"

    async def files(self, commit: str) -> dict[str, bytes]:
        """Path -> content at a commit."""
        return await self.git.files(commit)

    async def commit_patch(self, base: str, patch: Patch, commit_like: Commit) -> str:
        """A commit of the patch on `base`; `commit_like.tree` and `.parents` are filled in here."""
        tree = await self.git.write_tree(await self.git.tree_of(base), patch.changes)
        made = Commit(tree, (base,), commit_like.message, commit_like.author, commit_like.at)
        return await self.git.commit(made)

    async def propose(self, task_branch: str, base: str, commit: str) -> str:
        """Point a branch of the task's own at its change; the unified diff against its base."""
        await self.git.run("update-ref", f"refs/heads/{task_branch}", commit)
        diff = (await self.git.run("diff", "--no-color", "--no-ext-diff", base, commit))[1]
        return diff.decode(errors="replace")

    async def merge_candidate(self, branch: str, change_commit: str, message: str, at: float) -> Candidate:
        """Merge a commit with the branch as it stands now, without moving the branch.

        A commit that the branch already has gives the merge that brought it: merging twice is harmless.
        """
        head = await self.git.resolve(f"refs/heads/{branch}")
        if head is None:
            raise RepositoryProblem(f"Branch {branch!r} is gone from {self._mirror_path}.")
        if await self.git.is_ancestor(change_commit, head):
            merge = await self._merge_of(head, change_commit)
            return Candidate(change_commit, merge, await self.git.tree_of(merge), head)
        tree = await self.git.merged_tree(head, change_commit)
        merge = await self.git.commit(Commit(tree, (head, change_commit), message, "Bailey", at))
        return Candidate(change_commit, merge, tree, head)

    async def _merge_of(self, head: str, change_commit: str) -> str:
        """The merge on the branch's own line whose second parent is the change."""
        for line in (await self.git.text("rev-list", "--first-parent", "--merges", "--parents", head)).splitlines():
            merge, _, *others = line.split()
            if change_commit in others:
                return merge
        raise RepositoryProblem(f"The branch contains {change_commit[:12]} without a merge of it.")

    async def contains(self, branch: str, commit: str) -> bool:
        """Whether the branch already has this commit."""
        head = await self.git.resolve(f"refs/heads/{branch}")
        return head is not None and await self.git.is_ancestor(commit, head)

    async def publish(self, branch: str, task_branch: str, candidate: Candidate) -> Integration | None:
        """Move the branch to the merge; None when the branch moved in between (merge again)."""
        if not await self.contains(branch, candidate.merge_commit):
            moved = not await self.git.set_ref(f"refs/heads/{branch}", candidate.merge_commit, candidate.target_head)
            if moved:
                return None
        delivered = await self._deliver(branch)
        pull = f"git pull {self._mirror_path} {branch}"
        return Integration(
            task_branch, candidate.change_commit, candidate.merge_commit, candidate.tree, delivered, pull
        )

    async def _deliver(self, branch: str) -> bool:
        """Push the branch when the source has no checkout that a push could upset."""
        if not await self._is_bare():
            return False
        await self.git.run("push", "--quiet", str(self.source), f"refs/heads/{branch}:refs/heads/{branch}")
        return True

    async def revert(self, branch: str, merge_commit: str, message: str, at: float) -> str:
        """Undo a merge on the branch by a new commit; its id.

        The first line of `message` must be unique to this rollback: a commit on the branch with it is the answer.
        """
        for _ in range(_MERGE_ATTEMPTS):
            head = await self.git.resolve(f"refs/heads/{branch}")
            before = await self.git.resolve(f"{merge_commit}^1")
            if head is None or before is None:
                raise RepositoryProblem(f"Merge {merge_commit[:12]} cannot be found on branch {branch!r}.")
            done = (
                "rev-list",
                "--max-count=1",
                "--fixed-strings",
                f"--grep={message.splitlines()[0]}",
                f"{merge_commit}..{head}",
            )
            if earlier := await self.git.text(*done):
                return earlier
            # A commit on top of the merge that restores what was before it; merging that with the head undoes
            # the change and keeps everything that came later.
            undo = Commit(await self.git.tree_of(before), (merge_commit,), message, "Bailey", at)
            tree = await self.git.merged_tree(head, await self.git.commit(undo))
            reverted = await self.git.commit(Commit(tree, (head,), message, "Bailey", at))
            if await self.git.set_ref(f"refs/heads/{branch}", reverted, head):
                await self._deliver(branch)
                return reverted
        raise RepositoryProblem(f"Branch {branch!r} keeps moving; roll back again when it is quiet.")
