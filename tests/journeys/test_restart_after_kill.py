"""`kill -9` of the appliance at ten different points of a code task: each ends with the same merged tree.

The appliance is killed as soon as a given number of entries stands in the task's stream, which falls
into the step that these entries began; and in the middle of a push and of a rollback. No step has two
outcomes, no effect happens twice, and what is recorded is what is in the repository.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gateway.client import ApplianceError
from tests.codegen.conftest import Gate, git
from tests.journeys.appliance import Appliance
from tests.journeys.test_code_task import INSTRUCTION, events_until, mirror_of, step

# Entries in the task's stream: 1 submitted, then started and finished of plan, baseline, context, draft 1,
# verify 1, draft 2, verify 2, draft 3, verify 3, verdict, propose, then waiting, approved, merge, merged.
KILL_AFTER = (1, 2, 4, 6, 8, 10, 15, 18, 21, 24)


def entries_of_task(appliance: Appliance, task_id: str) -> int:
    """Read straight from the file, so that watching needs no appliance."""
    with sqlite3.connect(f"file:{appliance.folder}/data/ledger.db?mode=ro", uri=True) as database:
        (found,) = database.execute("SELECT count(*) FROM entries WHERE stream = ?", (f"task/{task_id}",)).fetchone()
    return int(found)


def kill_when(appliance: Appliance, task_id: str, entries: int) -> None:
    deadline = time.monotonic() + 60
    pause = threading.Event()  # never set; a busy loop would take the core that the task needs
    while entries_of_task(appliance, task_id) < entries:
        assert time.monotonic() < deadline, f"the task never got to {entries} entries"
        pause.wait(0.002)
    appliance.kill()


@pytest.mark.parametrize("entries", KILL_AFTER)
def test_killed_and_restarted_a_task_ends_the_same(appliance: Appliance, project: Path, entries: int) -> None:
    task = appliance.client("ada").post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION})
    if entries >= 24:
        events_until(appliance.client("ada"), task["id"], "task.waiting")
        appliance.client("grace").post(f"/v1/tasks/{task['id']}/approve")
    kill_when(appliance, task["id"], entries)

    appliance.start()
    ada, grace = appliance.client("ada"), appliance.client("grace")
    if entries < 24:
        events_until(ada, task["id"], "task.waiting")
        grace.post(f"/v1/tasks/{task['id']}/approve")
    events = events_until(ada, task["id"], "task.merged")

    outcomes = Counter(event["data"]["step"] for event in events if event["type"] == "step.finished")
    assert set(outcomes.values()) == {1}
    assert list(outcomes) == [
        "plan", "baseline", "context", "draft/1", "verify/1", "draft/2", "verify/2", "draft/3", "verify/3",
        "verdict", "propose", "merge",
    ]  # fmt: skip
    mirror = mirror_of(appliance, project)
    assert git(mirror, "rev-list", "--count", "main") == "3"
    assert git(mirror, "rev-parse", "main^{tree}") == expected_tree(project)
    finished = Counter(call.key for call in appliance.calls_of(task["id"]) if call.type == "call.finished")
    assert len(finished) == 3
    assert set(finished.values()) == {1}
    assert appliance.verification().problem is None


def expected_tree(project: Path) -> str:
    """The tree of the project with the change, made by hand in the checkout."""
    words = project / "textkit/words.py"
    words.write_text(words.read_text() + "\n\ndef whisper(text):\n    return text.lower()\n")
    git(project, "add", "--all")
    return git(project, "write-tree")


def waiting_task(appliance: Appliance, source: Path) -> str:
    task = appliance.client("ada").post("/v1/tasks", {"repository": str(source), "instruction": INSTRUCTION})
    events_until(appliance.client("ada"), task["id"], "task.waiting")
    return str(task["id"])


def approve_and_merge(appliance: Appliance, task_id: str) -> None:
    appliance.client("grace").post(f"/v1/tasks/{task_id}/approve")
    events_until(appliance.client("ada"), task_id, "task.merged")


@contextmanager
def deciding(appliance: Appliance, task_id: str, decision: str) -> Iterator[None]:
    """While an approver's request is under way, whose connection may break."""
    grace = appliance.client("grace")

    def ask() -> None:
        with suppress(ApplianceError):
            grace.post(f"/v1/tasks/{task_id}/{decision}")

    asking = threading.Thread(target=ask)
    asking.start()
    yield
    asking.join(30)


@pytest.mark.parametrize("entries", [1, 3])
def test_killed_in_a_rollback_and_restarted_the_change_is_undone_once(
    appliance: Appliance, project: Path, entries: int
) -> None:
    """Entries after the merge: requested, then started and finished of the revert, then rolled back."""
    before = git(project, "rev-parse", "main^{tree}")
    task_id = waiting_task(appliance, project)
    approve_and_merge(appliance, task_id)
    merged = entries_of_task(appliance, task_id)
    with deciding(appliance, task_id, "rollback"):
        kill_when(appliance, task_id, merged + entries)

    appliance.start()
    events = events_until(appliance.client("ada"), task_id, "task.rolled_back")
    mirror = mirror_of(appliance, project)
    assert git(mirror, "rev-list", "--count", "main") == "4"
    assert git(mirror, "rev-parse", "main^{tree}") == before
    assert git(mirror, "rev-parse", "main") == step(events, "rollback")["commit"]
    assert [event["type"] for event in events].count("step.finished") == 13
    assert appliance.verification().problem is None


@pytest.fixture
def server(tmp_path: Path, project: Path) -> Path:
    """The project as a bare repository, which changes are pushed to."""
    folder = tmp_path / "server.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(project), str(folder))
    return folder


def land(gate: Gate, server: Path) -> None:
    """The push of the killed appliance gets through all the same."""
    head = git(server, "rev-parse", "main")
    gate.answer(0)
    deadline = time.monotonic() + 30
    while git(server, "rev-parse", "main") == head:
        assert time.monotonic() < deadline, "the push never landed"


@pytest.mark.parametrize(("act", "push"), [("merge", "lands"), ("rollback", "lands"), ("rollback", "is turned away")])
def test_killed_in_a_push_and_restarted_the_record_agrees_with_the_source(
    appliance: Appliance, project: Path, server: Path, tmp_path: Path, act: str, push: str
) -> None:
    """The push goes on without the appliance, and ends one way or the other before it is back."""
    before, after = git(server, "rev-parse", "main^{tree}"), expected_tree(project)
    task_id = waiting_task(appliance, server)
    if act == "rollback":
        approve_and_merge(appliance, task_id)
    gate = Gate(server, tmp_path)
    with deciding(appliance, task_id, "approve" if act == "merge" else "rollback"):
        gate.reached()
        appliance.kill()
    if push == "lands":
        land(gate, server)
    else:
        gate.answer(1)
    gate.hook.unlink()

    appliance.start()
    last, commits, tree = {"merge": ("task.merged", "3", after), "rollback": ("task.rolled_back", "4", before)}[act]
    events = events_until(appliance.client("ada"), task_id, last)
    mirror = mirror_of(appliance, server)
    assert git(server, "rev-parse", "main") == git(mirror, "rev-parse", "main")
    assert git(server, "rev-parse", "main") == step(events, act)["merge_commit" if act == "merge" else "commit"]
    assert git(server, "rev-parse", "main^{tree}") == tree
    assert git(server, "rev-list", "--count", "main") == commits
    assert appliance.verification().problem is None
