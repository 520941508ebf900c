"""`kill -9` of the appliance at ten different points of a code task: each ends with the same merged tree.

The appliance is killed as soon as a given number of entries stands in the task's stream, which falls
into the step that these entries began. No step has two outcomes, no effect happens twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.codegen.conftest import git
from tests.journeys.appliance import Appliance
from tests.journeys.test_code_task import INSTRUCTION, events_until, mirror_of

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
    while entries_of_task(appliance, task_id) < entries:
        assert time.monotonic() < deadline, f"the task never got to {entries} entries"
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
