"""The customer's repository as the appliance sees it: a bare mirror in which changes are made and merged.

The customer's checkout and its .git are only read; a merged change waits in the mirror, and the customer
pulls it. A bare source is pushed to: it decides what its branch is, and the mirror follows.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from codegen.git import COMMITTER, Commit, Git
from codegen.protocol import Integration, Patch, RepositoryProblem
from codegen.source import Source, locate

_MERGE_ATTEMPTS = 5
# Tasks on one repository share its mirror, and git's locks on refs refuse instead of waiting.
_MIRROR_LOCKS: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change merged with its target branch as that stands now; nobody sees it before it is published.

    `published`: the branch has had it already, from an earlier try whose outcome was not recorded.
    """

    change_commit: str
    merge_commit: str
    tree: str
    target_head: str
    published: bool = False


class Repository:
    """One source repository and its mirror."""

    def __init__(self, source: Path, mirrors: Path) -> None:
        self.source = source
        self.name = f"{source.name.removesuffix('.git')}-{hashlib.sha256(str(source).encode()).hexdigest()[:16]}"
        self._mirror_path = mirrors / f"{self.name}.git"
        self._lock = _MIRROR_LOCKS.setdefault(self._mirror_path, asyncio.Lock())
        self.git = Git(self._mirror_path)

    # -- the mirror and its source ----------------------------------------------------------------------------

    async def prepare(self, branch: str, *, allow_dirty: bool = False) -> str:
        """Bring the mirror up to date; the commit to start from. Raises `RepositoryProblem`."""
        async with self._lock:
            source = await locate(self.source)
            await source.check_branch(branch)
            await self._make_mirror(branch)
            if not allow_dirty:
                await source.check_clean(self.git)
            head = await self._follow(source, branch)
            if not await self.git.is_ancestor(_seen(branch), head):
                raise RepositoryProblem(
                    f"Branch {branch!r} of {self.source} and the merged changes in {self._mirror_path} have diverged; "
                    f"run `git pull {self._mirror_path} {branch}` there first."
                )
            await self.git.blobs(head)  # too large is said now, not when the work has begun
            return head

    async def _make_mirror(self, branch: str) -> None:
        """Made aside and renamed: a mirror is there in full or not at all."""
        if self._mirror_path.exists():
            return
        unfinished = self._mirror_path.with_suffix(".new")
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        await Git(unfinished).run("init", "--bare", "--quiet", "--template=", "--initial-branch", branch)
        unfinished.rename(self._mirror_path)

    async def _follow(self, source: Source, branch: str) -> str:
        """The branch's head to work on, after bringing the mirror's branch up to date with the source's.

        What a checkout has not pulled yet is in the mirror alone, so there the mirror never goes back.
        """
        seen, ref = _seen(branch), _ref(branch)
        await self.git.run("fetch", "--quiet", "--no-tags", str(source.common_dir), f"+{ref}:{seen}")
        theirs, ours = await self.git.resolve(seen), await self.git.resolve(ref)
        if theirs is None:
            raise RepositoryProblem(f"Branch {branch!r} of {self.source} has no commit.")
        if source.is_bare or ours is None or await self.git.is_ancestor(ours, theirs):
            await self.git.run("update-ref", ref, theirs)
            return theirs
        return ours

    async def _move(self, source: Source, branch: str, commit: str, head: str) -> bool:
        """Move the branch from `head` to a commit that is based on it; False when it was not there any more.

        A bare source comes first: the mirror only follows, so a change that was not taken is nowhere.
        """
        if not source.is_bare:
            return await self.git.set_ref(_ref(branch), commit, head)
        try:
            await self._push(source, branch, commit, head)
        except RepositoryProblem:
            if await self._follow(source, branch) == head:
                raise
        return await self.git.is_ancestor(commit, await self._follow(source, branch))

    async def _push(self, source: Source, branch: str, commit: str, head: str) -> None:
        """Push, if the source's branch still is at `head`. Raises `RepositoryProblem` with the source's answer."""
        lease = f"--force-with-lease={_ref(branch)}:{head}"
        push = ("push", "--porcelain", lease, str(source.common_dir), f"{commit}:{_ref(branch)}")
        code, said = await self.git.run(*push, ok=(0, 1))
        if code:
            refused = [line.split("\t")[-1] for line in said.decode(errors="replace").splitlines() if line[:1] == "!"]
            raise RepositoryProblem(f"{self.source} did not take the push to {branch!r}: {', '.join(refused)}.")

    # -- changes ----------------------------------------------------------------------------------------------

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
        async with self._lock:
            head = await self._follow(await locate(self.source), branch)
        if await self.git.is_ancestor(change_commit, head):
            merge = await self._merge_of(head, change_commit)
            return Candidate(change_commit, merge, await self.git.tree_of(merge), head, published=True)
        tree = await self.git.merged_tree(head, change_commit)
        merge = await self.git.commit(Commit(tree, (head, change_commit), message, COMMITTER, at))
        return Candidate(change_commit, merge, tree, head)

    async def _merge_of(self, head: str, change_commit: str) -> str:
        """The first merge in the branch's history that brought the change in from the side."""
        between = ("--merges", "--parents", "--ancestry-path", "--reverse", f"{change_commit}..{head}")
        for line in (await self.git.text("rev-list", *between)).splitlines():
            merge, _, *others = line.split()
            if change_commit in others:
                return merge
        raise RepositoryProblem(f"The branch contains {change_commit[:12]} without a merge of it.")

    async def publish(self, branch: str, task_branch: str, candidate: Candidate) -> Integration | None:
        """Move the branch to the merge; None when the branch moved in between (merge again)."""
        async with self._lock:
            source = await locate(self.source)
            head = await self._follow(source, branch)
            if not await self.git.is_ancestor(candidate.merge_commit, head):
                is_current = head == candidate.target_head
                if not (is_current and await self._move(source, branch, candidate.merge_commit, head)):
                    return None
        return Integration(
            task_branch,
            candidate.change_commit,
            candidate.merge_commit,
            candidate.tree,
            delivered=source.is_bare,
            pull_command=f"git pull {self._mirror_path} {branch}",
        )

    async def revert(self, branch: str, merge_commit: str, message: str, at: float) -> str:
        """Undo a merge on the branch by a new commit; its id.

        The first line of `message` must be unique to this rollback: our commit on the branch with it is the answer.
        """
        for _ in range(_MERGE_ATTEMPTS):
            async with self._lock:
                source = await locate(self.source)
                head = await self._follow(source, branch)
                if not await self.git.is_ancestor(merge_commit, head):
                    raise RepositoryProblem(f"Branch {branch!r} does not have merge {merge_commit[:12]} any more.")
                if earlier := await self._reverted(head, merge_commit, message.splitlines()[0]):
                    return earlier
                reverted = await self._undone(head, merge_commit, message, at)
                if await self._move(source, branch, reverted, head):
                    return reverted
        raise RepositoryProblem(f"Branch {branch!r} keeps moving; roll back again when it is quiet.")

    async def _reverted(self, head: str, merge_commit: str, title: str) -> str | None:
        """The commit with this title that we put on top of the merge earlier."""
        since = ("--format=%H %cn %s", "--fixed-strings", f"--grep={title}", f"{merge_commit}..{head}")
        for line in (await self.git.text("log", *since)).splitlines():
            commit, _, said = line.partition(" ")
            if said == f"{COMMITTER} {title}":
                return commit
        return None

    async def _undone(self, head: str, merge_commit: str, message: str, at: float) -> str:
        """A commit on `head` without the merge.

        First one on top of the merge that restores what was before it; merging that with the head undoes the
        change and keeps everything that came later.
        """
        before = await self.git.tree_of(f"{merge_commit}^1")
        undo = await self.git.commit(Commit(before, (merge_commit,), message, COMMITTER, at))
        tree = await self.git.merged_tree(head, undo)
        return await self.git.commit(Commit(tree, (head,), message, COMMITTER, at))


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _seen(branch: str) -> str:
    """Where the mirror keeps what the source's branch was when it last looked."""
    return f"refs/bailey/source/{branch}"
