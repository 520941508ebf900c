"""The branch names that a task may name are those that git has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.task_body import TaskBody


def taken(branch: str) -> bool:
    try:
        return TaskBody(repository="/r", instruction="x", branch=branch).branch == branch
    except ValidationError:
        return False


def git_takes(branch: str) -> bool:
    command = ["git", "check-ref-format", "--branch", branch]
    return subprocess.run(command, capture_output=True, cwd=Path("/")).returncode == 0


@pytest.mark.parametrize(
    "branch",
    [
        "main", "feature/one", "ünïcode", "a@b", "a.b", "a-b", "a{b", "refs/heads/x", "x.lockt", "a/b/c", "1", "@a",
        "a/@", "", "-x", "/a", "a/", "a//b", ".a", "a/.b", "a..b", "a.", "a.lock", "a.lock/b", "a@{b", "@", "a b",
        "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\x7fb", "a\tb", "a\nb", "a/-b", "a-", "x.lock\n",
    ],
)  # fmt: skip
def test_a_branch_of_this_name(branch: str) -> None:
    assert taken(branch) == git_takes(branch)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text("ab/.@{-~lock ", min_size=1, max_size=8))
def test_any_branch_name(branch: str) -> None:
    assert taken(branch) == git_takes(branch)
