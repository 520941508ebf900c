"""A bare source decides what its branch is: merges and rollbacks reach it first, or nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from codegen.git import Commit
from codegen.protocol import Patch, RepositoryProblem
from codegen.repository import Candidate, Repository
from tests.codegen.conftest import commit_files, git
from tests.codegen.test_repository import SAY, WHISPER, merged


@pytest.fixture
def repository(bare: Path, tmp_path: Path) -> Repository:
    return Repository(bare, tmp_path / "mirrors")


def colleague_pushes(bare: Path, checkout: Path, name: str = "theirs.py") -> str:
    git(checkout, "pull", "--quiet", "--no-rebase", str(bare), "main")
    commit = commit_files(checkout, {name: "Y = 1\n"}, f"Add {name}")
    git(checkout, "push", "--quiet", str(bare), "main")
    return commit


def refuse_pushes(bare: Path) -> Path:
    hook = bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    return hook


def tracked(bare: Path) -> set[str]:
    return set(git(bare, "ls-tree", "-r", "--name-only", "main").splitlines())


async def proposed(repository: Repository, base: str, patch: Patch = WHISPER) -> str:
    commit = await repository.commit_patch(base, patch, SAY)
    await repository.propose("bailey/one", base, commit)
    return commit


async def candidate_for(repository: Repository, commit: str) -> Candidate:
    return await repository.merge_candidate("main", commit, "Merge one\n", SAY.at)


async def test_a_push_before_the_merge_is_merged_with(repository: Repository, bare: Path, checkout: Path) -> None:
    commit = await proposed(repository, await repository.prepare("main"))
    theirs = colleague_pushes(bare, checkout)
    candidate = await candidate_for(repository, commit)
    assert candidate.target_head == theirs
    assert await repository.publish("main", "bailey/one", candidate)
    assert {"theirs.py", "textkit/quiet.py"} <= tracked(bare)


async def test_a_push_during_the_merge_asks_for_another_one(repository: Repository, bare: Path, checkout: Path) -> None:
    commit = await proposed(repository, await repository.prepare("main"))
    stale = await candidate_for(repository, commit)
    theirs = colleague_pushes(bare, checkout)
    assert await repository.publish("main", "bailey/one", stale) is None
    assert git(bare, "rev-parse", "main") == git(repository.git.directory, "rev-parse", "main") == theirs
    assert await repository.publish("main", "bailey/one", await candidate_for(repository, commit))
    assert {"theirs.py", "textkit/quiet.py"} <= tracked(bare)


async def test_a_push_in_the_very_moment_of_ours_asks_for_another_merge(
    repository: Repository, bare: Path, checkout: Path
) -> None:
    """The source's own hook moves its branch after our look at it: as near as a colleague can come."""
    commit = await proposed(repository, await repository.prepare("main"))
    candidate = await candidate_for(repository, commit)
    theirs = commit_files(checkout, {"theirs.py": "Y = 1\n"}, "Theirs")
    git(checkout, "push", "--quiet", str(bare), "main:refs/heads/side")
    hook = refuse_pushes(bare)
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {theirs}\n")
    assert await repository.publish("main", "bailey/one", candidate) is None
    hook.unlink()
    assert await repository.publish("main", "bailey/one", await candidate_for(repository, commit))
    assert {"theirs.py", "textkit/quiet.py"} <= tracked(bare)


async def test_a_refused_push_leaves_no_trace(repository: Repository, bare: Path) -> None:
    base = await repository.prepare("main")
    commit = await proposed(repository, base)
    hook = refuse_pushes(bare)
    with pytest.raises(RepositoryProblem, match=r"did not take the push to 'main': .*pre-receive hook declined"):
        await repository.publish("main", "bailey/one", await candidate_for(repository, commit))
    assert git(repository.git.directory, "rev-parse", "main") == base
    hook.unlink()
    assert await repository.prepare("main") == base
    assert await repository.publish("main", "bailey/one", await candidate_for(repository, commit))


async def test_a_merge_that_was_not_recorded_is_found_again(repository: Repository, bare: Path, checkout: Path) -> None:
    """Killed after the push; meanwhile a colleague's own merge has ours on its side."""
    base = await repository.prepare("main")
    first = await merged(repository, base=base)
    git(repository.git.directory, "update-ref", "refs/heads/main", base)
    commit_files(checkout, {"theirs.py": "Y = 1\n"}, "Theirs")
    colleague_pushes(bare, checkout, "more.py")
    again = await candidate_for(repository, first.change_commit)
    assert again.published
    assert not first.published
    assert again.merge_commit == first.merge_commit
    integration = await repository.publish("main", "bailey/one", again)
    assert integration is not None
    assert (integration.merge_commit, integration.delivered) == (first.merge_commit, True)


async def test_a_source_that_went_back_is_followed(repository: Repository, bare: Path) -> None:
    base = await repository.prepare("main")
    candidate = await merged(repository, base=base)
    git(bare, "update-ref", "refs/heads/main", base)
    assert await repository.prepare("main") == base
    with pytest.raises(RepositoryProblem, match="does not have merge"):
        await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)


async def test_a_rollback_after_a_push_reaches_the_source(repository: Repository, bare: Path, checkout: Path) -> None:
    candidate = await merged(repository)
    colleague_pushes(bare, checkout)
    reverted = await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)
    assert git(bare, "rev-parse", "main") == reverted
    assert "textkit/quiet.py" not in tracked(bare)
    assert "theirs.py" in tracked(bare)


async def test_a_rollback_that_was_refused_is_delivered_by_the_next(repository: Repository, bare: Path) -> None:
    candidate = await merged(repository)
    hook = refuse_pushes(bare)
    with pytest.raises(RepositoryProblem, match="pre-receive hook declined"):
        await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)
    assert "textkit/quiet.py" in tracked(bare)
    hook.unlink()
    reverted = await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)
    assert git(bare, "rev-parse", "main") == reverted
    assert "textkit/quiet.py" not in tracked(bare)


async def test_a_rollback_that_was_not_recorded_is_found_again(repository: Repository, bare: Path) -> None:
    candidate = await merged(repository)
    reverted = await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)
    git(repository.git.directory, "update-ref", "refs/heads/main", candidate.merge_commit)
    assert await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at) == reverted
    assert git(bare, "rev-list", "--count", "main") == "4"


async def test_a_commit_that_only_mentions_a_rollback_is_none(repository: Repository, bare: Path) -> None:
    candidate = await merged(repository)
    talk = Commit("", (), "Notes\n\nRoll back one\n", "Ada", SAY.at)
    noted = await repository.commit_patch(candidate.merge_commit, Patch({"notes.py": ""}), talk)
    assert await repository.publish("main", "bailey/two", await candidate_for(repository, noted))
    await repository.revert("main", candidate.merge_commit, "Roll back one\n", SAY.at)
    assert "textkit/quiet.py" not in tracked(bare)


async def test_many_tasks_at_once_on_one_fresh_repository(bare: Path, tmp_path: Path) -> None:
    async def one(number: int) -> None:
        repository = Repository(bare, tmp_path / "mirrors")
        base = await repository.prepare("main")
        commit = await repository.commit_patch(base, Patch({f"n{number}.py": "N = 1\n"}), SAY)
        for _ in range(6):  # each time another one was first
            if await repository.publish("main", f"bailey/{number}", await candidate_for(repository, commit)):
                return

    await asyncio.gather(*map(one, range(6)))
    assert {f"n{number}.py" for number in range(6)} <= tracked(bare)
