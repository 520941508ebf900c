"""A repository is read without running anything that it names, and only where it really is."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from codegen.git import LARGEST_FILE_BYTES, Commit, Git
from codegen.protocol import InvalidTask, Patch, RepositoryNotFound, RepositoryProblem
from codegen.repository import Repository
from codegen.source import locate
from gateway.tasks_api import check_repository
from router.spec import BudgetSpec, TenantSpec
from tests.codegen.conftest import FILES, commit_files, git
from tests.codegen.test_repository import everything_in, merged

SAY = Commit("", (), "Change\n", "Ada", 1_800_000_000.0)


def program(folder: Path) -> tuple[Path, Path]:
    """A program, and the file that is there once it ran."""
    path, marker = folder / "program", folder / "ran"
    path.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    path.chmod(0o755)
    return path, marker


def age(path: Path) -> None:
    """Give a file another time, so that git must look at its content."""
    os.utime(path, (1_500_000_000, 1_500_000_000))


async def test_programs_in_a_repositorys_configuration_do_not_run(checkout: Path, tmp_path: Path) -> None:
    path, marker = program(tmp_path)
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.external", "core.sshCommand"):
        git(checkout, "config", key, str(path))
    (checkout / ".git/info").mkdir(exist_ok=True)
    (checkout / ".git/info/attributes").write_text("* filter=evil\n")
    age(checkout / "textkit/words.py")
    before = everything_in(checkout / ".git")
    assert await Repository(checkout, tmp_path / "mirrors").prepare("main")
    (checkout / "textkit/words.py").write_text("changed")
    with pytest.raises(RepositoryProblem, match=r"uncommitted changes \(textkit/words\.py\)"):
        await Repository(checkout, tmp_path / "mirrors").prepare("main")
    assert everything_in(checkout / ".git") == before
    assert not marker.exists()


async def test_missing_objects_are_not_fetched_by_a_program_of_the_repository(checkout: Path, tmp_path: Path) -> None:
    path, marker = program(tmp_path)
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": str(path),
    }
    for key, value in settings.items():
        git(checkout, "config", key, value)
    (checkout / ".git/refs/heads/main").write_text("1" * 40 + "\n")
    with pytest.raises(RepositoryProblem):
        await Repository(checkout, tmp_path / "mirrors").prepare("main")
    assert not marker.exists()


async def test_what_is_uncommitted_is_found_as_git_would(checkout: Path, tmp_path: Path) -> None:
    async def prepare() -> str:
        return await Repository(checkout, tmp_path / "mirrors").prepare("main")

    age(checkout / "textkit/words.py")
    (checkout / "untracked.py").write_text("")
    assert await prepare()
    git(checkout, "config", "core.fileMode", "false")
    (checkout / "textkit/words.py").chmod(0o755)
    assert await prepare()
    git(checkout, "add", "untracked.py")
    with pytest.raises(RepositoryProblem, match=r"uncommitted changes \(untracked\.py\)"):
        await prepare()
    git(checkout, "reset", "--quiet")
    (checkout / "textkit/words.py").unlink()
    with pytest.raises(RepositoryProblem, match=r"uncommitted changes \(textkit/words\.py\)"):
        await prepare()


async def test_another_users_repository_is_refused(checkout: Path, tmp_path: Path) -> None:
    foreign = Path("/usr")
    if os.geteuid() == 0:
        foreign = checkout
        os.lchown(checkout / ".git", 65534, 65534)
    with pytest.raises(RepositoryProblem, match=r"belongs to user id \d+, .* a bare one that the owner pushes to"):
        await Repository(foreign, tmp_path / "mirrors").prepare("main")


async def test_a_folder_inside_a_repository_is_not_a_repository(checkout: Path, tmp_path: Path) -> None:
    for folder in (checkout / "textkit", checkout / ".git", checkout / ".git/refs"):
        with pytest.raises(RepositoryNotFound, match="is not a git repository"):
            await Repository(folder, tmp_path / "mirrors").prepare("main")


async def test_a_half_made_mirror_never_stands_for_the_repository_around_it(checkout: Path) -> None:
    """The data folder's default place is in a checkout; a kill may leave anything unfinished there."""
    repository = Repository(checkout, checkout / ".bailey")
    unfinished = repository.git.directory.with_suffix(".new")
    unfinished.mkdir(parents=True)
    (unfinished / "HEAD").write_text("ref: refs/heads/main\n")
    assert await repository.prepare("main")

    other = Repository(checkout, checkout / ".bailey/other")
    other.git.directory.mkdir(parents=True)
    (other.git.directory / "HEAD").write_text("ref: refs/heads/main\n")
    main = git(checkout, "rev-parse", "main")
    with pytest.raises(RepositoryProblem, match="not a git repository"):
        await merged(other)
    assert git(checkout, "rev-parse", "main") == main
    assert git(checkout, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


async def test_a_linked_worktree_is_a_checkout(checkout: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(checkout, "worktree", "add", "--quiet", str(linked))
    candidate = await merged(Repository(linked, tmp_path / "mirrors"))
    assert git(checkout, "rev-parse", "main") != candidate.merge_commit
    (linked / "textkit/words.py").write_text("changed")
    with pytest.raises(RepositoryProblem, match="uncommitted changes"):
        await Repository(linked, tmp_path / "mirrors").prepare("main")


async def test_a_tenants_paths_hold_for_where_git_reads(checkout: Path, tmp_path: Path) -> None:
    tenant = TenantSpec(
        name="a",
        budget=BudgetSpec(limit_usd=Decimal(1)),
        data_class="internal",
        repositories=(f"{tmp_path}/allowed/*",),
    )
    linked, pointing, crafted, own = (tmp_path / "allowed" / name for name in ("link", "file", "crafted", "own"))
    for folder in (linked, pointing, own):
        folder.mkdir(parents=True)
    (linked / ".git").symlink_to(checkout / ".git")
    (pointing / ".git").write_text(f"gitdir: {checkout}/.git\n")
    git(tmp_path, "clone", "--quiet", str(checkout), str(crafted))
    (crafted / ".git/commondir").write_text(f"{checkout}/.git\n")
    for folder in (linked, pointing, crafted):
        with pytest.raises(InvalidTask, match=f"may not work on {folder}, which is a part of {checkout};"):
            await check_repository(str(folder), tenant)
    with pytest.raises(InvalidTask, match=f"may not work on {checkout};"):
        await check_repository(str(checkout), tenant)

    git(own, "init", "--quiet", "--initial-branch", "main")
    commit_files(own, FILES, "Begin")
    git(own, "worktree", "add", "--quiet", str(tmp_path / "allowed/worktree"))
    for folder in (own, tmp_path / "allowed/worktree"):
        await check_repository(str(folder), tenant)
    assert (await locate(tmp_path / "allowed/worktree")).roots() == {own}


async def test_large_files_and_names_that_are_not_text_are_left_out(checkout: Path, tmp_path: Path) -> None:
    (checkout / "data.bin").write_bytes(bytes(LARGEST_FILE_BYTES + 1))
    Path(os.fsdecode(os.fsencode(checkout) + b"/caf\xe9.py")).write_text("X = 1\n")
    commit_files(checkout, {"café.py": "X = 1\n"}, "Data")
    repository = Repository(checkout, tmp_path / "mirrors")
    candidate = await merged(repository)
    assert set(await repository.files(candidate.merge_commit)) == {*FILES, "café.py", "textkit/quiet.py"}
    assert git(repository.git.directory, "cat-file", "-s", f"{candidate.merge_commit}:data.bin").startswith("16777217")


async def test_files_too_large_together_are_refused_at_once(checkout: Path, tmp_path: Path) -> None:
    data = bytes(LARGEST_FILE_BYTES)
    for number in range(17):
        (checkout / f"{number}.bin").write_bytes(data)
    commit_files(checkout, {}, "Data")
    with pytest.raises(RepositoryProblem, match="have 272 MiB together; a task can work on 256 MiB at most"):
        await Repository(checkout, tmp_path / "mirrors").prepare("main")


async def test_a_file_can_be_removed_and_no_path_leaves_the_tree(checkout: Path, tmp_path: Path) -> None:
    repository = Repository(checkout, tmp_path / "mirrors")
    base = await repository.prepare("main")
    removed = await repository.commit_patch(base, Patch({"textkit/words.py": None, "gone.py": None}), SAY)
    assert set(await repository.files(removed)) == set(FILES) - {"textkit/words.py"}
    for path in ("../outside.py", ".git/config", "/etc/x"):
        with pytest.raises(RepositoryProblem):
            await repository.commit_patch(base, Patch({path: "X = 1\n"}), SAY)


async def test_a_git_that_does_not_end_is_stopped(checkout: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    with pytest.raises(RepositoryProblem, match=r"`git hash-object` did not end within 0\.2 seconds"):
        await Git(checkout / ".git", timeout_seconds=0.2).run("hash-object", "--no-filters", str(tmp_path / "never"))
