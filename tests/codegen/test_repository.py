"""Changes are made in the mirror; the customer's checkout and .git are never touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from codegen.git import Commit
from codegen.protocol import Patch, RepositoryNotFound, RepositoryProblem
from codegen.repository import Candidate, Repository
from tests.codegen.conftest import commit_files, git

SAY = Commit("", (), "Add whisper\n", "Ada", 1_800_000_000.0)
WHISPER = Patch({"textkit/quiet.py": "def whisper(text):\n    return text.lower()\n"})


def everything_in(folder: Path) -> dict[str, str]:
    """Path -> digest of every file, .git included."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def merged(repository: Repository, patch: Patch = WHISPER, base: str | None = None) -> Candidate:
    start = base or await repository.prepare("main")
    commit = await repository.commit_patch(start, patch, SAY)
    await repository.propose("bailey/one", start, commit)
    candidate = await repository.merge_candidate("main", commit, "Merge one\n", SAY.at)
    assert await repository.publish("main", "bailey/one", candidate)
    return candidate


async def test_a_change_is_merged_in_the_mirror_and_the_checkout_is_untouched(checkout: Path, tmp_path: Path) -> None:
    before = everything_in(checkout)
    repository = Repository(checkout, tmp_path / "mirrors")
    candidate = await merged(repository)
    files = await repository.files(candidate.merge_commit)
    assert files["textkit/quiet.py"].startswith(b"def whisper")
    assert "textkit/words.py" in files
    assert everything_in(checkout) == before


async def test_the_customer_can_pull_the_merge(checkout: Path, tmp_path: Path) -> None:
    repository = Repository(checkout, tmp_path / "mirrors")
    candidate = await merged(repository)
    integration = await repository.publish("main", "bailey/one", candidate)
    assert integration is not None
    assert not integration.delivered
    git(checkout, *integration.pull_command.removeprefix("git ").split())
    assert git(checkout, "rev-parse", "HEAD") == candidate.merge_commit


async def test_a_bare_source_gets_the_merge_pushed(bare: Path, tmp_path: Path) -> None:
    repository = Repository(bare, tmp_path / "mirrors")
    candidate = await merged(repository)
    assert git(bare, "rev-parse", "main") == candidate.merge_commit


async def test_doing_it_all_twice_gives_the_same_commits(bare: Path, tmp_path: Path) -> None:
    repository = Repository(bare, tmp_path / "mirrors")
    base = await repository.prepare("main")
    first = await merged(repository, base=base)
    second = await merged(Repository(bare, tmp_path / "mirrors"), base=base)
    assert (first.merge_commit, first.tree) == (second.merge_commit, second.tree)
    assert git(bare, "rev-list", "--count", "main") == "3"


async def test_a_branch_that_moved_is_merged_with_and_a_conflict_is_named(bare: Path, tmp_path: Path) -> None:
    repository = Repository(bare, tmp_path / "mirrors")
    base = await repository.prepare("main")
    await merged(repository, base=base)
    other = await repository.commit_patch(base, Patch({"other.py": "X = 1\n"}), SAY)
    candidate = await repository.merge_candidate("main", other, "Merge two\n", SAY.at)
    assert {"other.py", "textkit/quiet.py"} <= set(await repository.files(candidate.merge_commit))
    clash = await repository.commit_patch(base, Patch({"textkit/quiet.py": "def whisper():\n    return 1\n"}), SAY)
    with pytest.raises(RepositoryProblem, match=r"textkit/quiet\.py changed on both sides"):
        await repository.merge_candidate("main", clash, "Merge three\n", SAY.at)


async def test_a_rollback_undoes_the_change_keeps_what_came_later_and_happens_once(bare: Path, tmp_path: Path) -> None:
    repository = Repository(bare, tmp_path / "mirrors")
    first = await merged(repository)
    later = await repository.commit_patch(first.merge_commit, Patch({"later.py": "Y = 2\n"}), SAY)
    assert await repository.publish(
        "main", "bailey/two", await repository.merge_candidate("main", later, "Merge two\n", SAY.at)
    )
    reverted = await repository.revert("main", first.merge_commit, "Roll back one\n", SAY.at)
    files = await repository.files("main")
    assert "textkit/quiet.py" not in files
    assert "later.py" in files
    assert await repository.revert("main", first.merge_commit, "Roll back one\n", SAY.at) == reverted
    assert git(bare, "rev-parse", "main") == reverted


async def test_what_is_wrong_with_a_repository_is_said(checkout: Path, tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors"
    with pytest.raises(RepositoryNotFound, match="There is no repository at"):
        await Repository(tmp_path / "nowhere", mirrors).prepare("main")
    (tmp_path / "plain").mkdir()
    with pytest.raises(RepositoryNotFound, match="is not a git repository"):
        await Repository(tmp_path / "plain", mirrors).prepare("main")
    with pytest.raises(RepositoryNotFound, match="no branch 'release'"):
        await Repository(checkout, mirrors).prepare("release")
    (checkout / "textkit/words.py").write_text("changed")
    with pytest.raises(RepositoryProblem, match=r"uncommitted changes \(textkit/words\.py\)"):
        await Repository(checkout, mirrors).prepare("main")
    assert await Repository(checkout, mirrors).prepare("main", allow_dirty=True)


async def test_a_diverged_checkout_is_refused_until_it_pulled(checkout: Path, tmp_path: Path) -> None:
    repository = Repository(checkout, tmp_path / "mirrors")
    candidate = await merged(repository)
    assert await repository.prepare("main") == candidate.merge_commit  # the mirror is ahead: work goes on from there
    commit_files(checkout, {"mine.py": "Z = 3\n"}, "Mine")
    with pytest.raises(RepositoryProblem, match="have diverged"):
        await repository.prepare("main")


async def test_links_are_neither_read_nor_written_through(checkout: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep out")
    (checkout / "link").symlink_to(secret)
    commit_files(checkout, {}, "A link")
    repository = Repository(checkout, tmp_path / "mirrors")
    base = await repository.prepare("main")
    assert "link" not in await repository.files(base)
    with pytest.raises(RepositoryProblem, match="not a regular file"):
        await repository.commit_patch(base, Patch({"link": "overwritten"}), SAY)
    assert secret.read_text() == "keep out"


async def test_hooks_of_the_source_do_not_run_when_it_is_read(checkout: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "post-merge"):
        path = checkout / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {marker}\n")
        path.chmod(0o755)
    await merged(Repository(checkout, tmp_path / "mirrors"))
    assert not marker.exists()
