"""A code task on a bare repository that colleagues push to: what is recorded is what the repository has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.conftest import commit_files, git
from tests.journeys.appliance import Appliance
from tests.journeys.test_code_task import INSTRUCTION, events_until


@pytest.fixture
def bare(project: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "server.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(project), str(folder))
    git(project, "remote", "add", "server", str(folder))
    return folder


def colleague_pushes(project: Path, files: dict[str, str]) -> None:
    git(project, "pull", "--quiet", "--no-rebase", "server", "main")
    commit_files(project, files, "A colleague's")
    git(project, "push", "--quiet", "server", "main")


def words(bare: Path) -> str:
    return git(bare, "show", "main:textkit/words.py")


def submitted(appliance: Appliance, bare: Path) -> str:
    ada = appliance.client("ada")
    body = {"repository": str(bare), "instruction": INSTRUCTION, "files": ["textkit/words.py"]}
    task = ada.post("/v1/tasks", body)
    events_until(ada, task["id"], "task.waiting")
    return str(task["id"])


def test_colleagues_who_push_first_stop_neither_merge_nor_rollback(
    appliance: Appliance, project: Path, bare: Path
) -> None:
    ada, grace = appliance.client("ada"), appliance.client("grace")
    task = submitted(appliance, bare)
    colleague_pushes(project, {"one.py": ""})
    grace.post(f"/v1/tasks/{task}/approve")
    assert events_until(ada, task, "task.merged")[-1]["data"]["delivered"]
    assert "whisper" in words(bare)
    colleague_pushes(project, {"two.py": ""})
    assert grace.post(f"/v1/tasks/{task}/rollback")["status"] == "rolled_back"
    assert "whisper" not in words(bare)
    assert {"one.py", "two.py"} <= set(git(bare, "ls-tree", "--name-only", "main").splitlines())


def test_killed_between_push_and_record_the_task_is_merged(appliance: Appliance, project: Path, bare: Path) -> None:
    """The repository's own hook does the killing, then moves on to a commit whose tests are red."""
    task = submitted(appliance, bare)
    assert appliance.process
    hook = bare / "hooks/post-receive"
    hook.write_text(
        f"#!/bin/sh\nrm {hook}\nkill -9 {appliance.process.pid}\n"
        "blob=$(printf 'def test_red():\\n    assert False\\n' | git hash-object -w --stdin)\n"
        f"export GIT_INDEX_FILE={bare}/scratch\ngit read-tree main\n"
        "git update-index --add --cacheinfo 100644,$blob,tests/test_red.py\n"
        "git update-ref refs/heads/main $(git -c user.name=Dev -c user.email=dev@example.com "
        "commit-tree $(git write-tree) -p main -m Red)\n"
    )
    hook.chmod(0o755)
    appliance.client("grace").post(f"/v1/tasks/{task}/approve")
    appliance.process.wait(60)
    appliance.kill()

    appliance.start()
    merge = events_until(appliance.client("ada"), task, "task.merged")[-1]["data"]["merge_commit"]
    assert git(bare, "rev-parse", "main^") == merge
    assert git(bare, "rev-list", "--count", "--merges", "main") == "1"
