"""The main job through the front door: from an instruction to a merged, verified, reversible change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from codegen.repository import Repository
from gateway.client import ApplianceError
from tests.codegen.conftest import git
from tests.codegen.test_repository import everything_in
from tests.journeys.appliance import Appliance

INSTRUCTION = "Write a function `whisper(text)` in textkit/words.py that returns text in lower case."


def events_until(client: Any, task_id: str, last: str) -> list[dict[str, Any]]:
    seen = []
    for event in client.events(f"/v1/tasks/{task_id}/events"):
        seen.append(event)
        if event["type"] == last:
            return seen
    raise AssertionError(f"{last} never came: {seen[-1]}")


def mirror_of(appliance: Appliance, project: Path) -> Path:
    return Repository(project, appliance.folder / "data/repositories").git.directory


def step(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(e["data"] for e in events if e["type"] == "step.finished" and e["data"]["step"] == name)


def assert_worked_as_told(events: list[dict[str, Any]]) -> None:
    """The plan, the context, the cheap tier's red drafts, the evidence back, the escalation with its reason."""
    assert step(events, "plan")["files"] == ["textkit/words.py"]
    assert step(events, "baseline")["failed"] == ["tests/test_words.py::test_whisper"]
    assert any(passage.startswith("textkit/words.py") for passage in step(events, "context")["passages"])
    assert [step(events, f"draft/{n}")["model"] for n in (1, 2, 3)] == ["small", "small", "strong"]
    red = step(events, "verify/1")
    assert not red["green"]
    assert "test_whisper" in red["rungs"][-1]["summary"]
    assert 'reason="small failed verification"' in step(events, "draft/3")["route"]
    green = step(events, "verify/3")
    assert [(rung["rung"], rung["outcome"]) for rung in green["rungs"]] == [
        ("parse", "pass"),
        ("lint", "pass"),
        ("security", "pass"),
        ("tests", "pass"),
    ]
    assert step(events, "verdict")["decision"] == "ask"


def test_from_instruction_to_merge_and_back(appliance: Appliance, project: Path) -> None:
    ada, grace = appliance.client("ada"), appliance.client("grace")
    untouched = everything_in(project)
    task = ada.post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION})
    events = events_until(ada, task["id"], "task.waiting")

    assert_worked_as_told(events)
    assert "+def whisper(text):" in ada.text(f"/v1/tasks/{task['id']}/diff")

    # The requester's approval does not count, a developer's key may not approve, a second person's does.
    with pytest.raises(ApplianceError, match="needs the role approver"):
        ada.post(f"/v1/tasks/{task['id']}/approve")
    appliance.keys["ada as approver"] = appliance.key("ada", "approver")
    own = appliance.client("ada as approver")
    with pytest.raises(ApplianceError, match="somebody else must approve"):
        own.post(f"/v1/tasks/{task['id']}/approve")
    grace.post(f"/v1/tasks/{task['id']}/approve")
    merge = events_until(ada, task["id"], "task.merged")[-1]["data"]

    # The merge is in the mirror, nothing of the customer's was touched, and it can be pulled.
    assert everything_in(project) == untouched
    git(project, *merge["pull_command"].removeprefix("git ").split())
    assert "return text.lower()" in (project / "textkit/words.py").read_text()
    message = git(project, "log", "-1", "--format=%B")
    assert f"Bailey-Task: {task['id']}" in message
    assert "Approved-by: grace" in message

    # The chain holds, and the task's cost is what its calls cost.
    assert appliance.bailey("ledger", "verify").returncode == 0
    assert sum(call.cost_usd for call in appliance.calls_of(task["id"])) == Decimal(merge["cost_usd"]) > 0

    # What verification said stands with the version that answered.
    verified = [e.data for e in appliance.entries("verifications") if str(e.data["request_id"]).startswith(task["id"])]
    said = [(each["model"], each["version"], each["passed"]) for each in verified]
    assert said == [("small", "v1", False), ("small", "v1", False), ("strong", "v1", True)]

    # Rolled back by a recorded revert.
    assert grace.post(f"/v1/tasks/{task['id']}/rollback")["status"] == "rolled_back"
    git(project, *merge["pull_command"].removeprefix("git ").split())
    assert "whisper" not in (project / "textkit/words.py").read_text()
    with pytest.raises(ApplianceError, match="only a merged task"):
        grace.post(f"/v1/tasks/{task['id']}/rollback")


def test_a_rejected_change_is_not_merged(appliance: Appliance, project: Path) -> None:
    ada, grace = appliance.client("ada"), appliance.client("grace")
    task = ada.post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION})
    events_until(ada, task["id"], "task.waiting")
    assert grace.post(f"/v1/tasks/{task['id']}/reject", {"reason": "not now"})["reason"] == "not now"
    with pytest.raises(ApplianceError, match="only a waiting task"):
        grace.post(f"/v1/tasks/{task['id']}/approve")
    assert git(mirror_of(appliance, project), "rev-list", "--count", "main") == "1"


def test_a_task_is_cancelled_by_its_requester_and_then_nothing_follows(appliance: Appliance, project: Path) -> None:
    ada, grace = appliance.client("ada"), appliance.client("grace")
    task = ada.post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION})
    events_until(ada, task["id"], "task.waiting")
    appliance.keys["bob"] = appliance.key("bob")
    with pytest.raises(ApplianceError, match="ada asked for this change"):
        appliance.client("bob").post(f"/v1/tasks/{task['id']}/cancel")
    cancelled = ada.post(f"/v1/tasks/{task['id']}/cancel")
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "cancelled by ada")
    with pytest.raises(ApplianceError, match="is cancelled; only a waiting task"):
        grace.post(f"/v1/tasks/{task['id']}/approve")
    assert list(ada.events(f"/v1/tasks/{task['id']}/events", after=cancelled["last_seq"])) == []
    assert git(mirror_of(appliance, project), "rev-list", "--count", "main") == "1"


def test_policy_refuses_before_anything_is_spent(appliance: Appliance, project: Path) -> None:
    ada = appliance.client("ada")
    body = {"repository": str(project), "instruction": "Change the checks", "files": ["tests/conftest.py"]}
    task = ada.post("/v1/tasks", body)
    refused = events_until(ada, task["id"], "task.refused")[-1]
    assert "it decides how code is checked" in refused["data"]["reason"]
    assert ada.get(f"/v1/tasks/{task['id']}")["attempts"] == 0


def test_a_task_that_no_tier_can_do_ends_with_its_last_finding(appliance: Appliance, project: Path) -> None:
    ada = appliance.client("ada")
    impossible = {
        "tests/test_more.py": "from textkit.words import whisper\n\ndef test_it():\n    assert whisper('A') == 'b'\n"
    }
    body = {"repository": str(project), "instruction": INSTRUCTION, "files": ["textkit/words.py"], "tests": impossible}
    failed = events_until(ada, ada.post("/v1/tasks", body)["id"], "task.failed")[-1]["data"]
    assert "strongest tier" in failed["reason"]
    assert "tests/test_more.py::test_it" in failed["reason"]
