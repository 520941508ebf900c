"""What operators and tenants are promised beside the main job: readiness, residency, paths, cancelling, looking on."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ApplianceError
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.test_code_task import INSTRUCTION, events_until

OUTSIDE = """
  - name: outside
    engine: scripted
    location: cloud
    data_classes: [public]
    tier: draft
    context_tokens: 4000
    replies: [{text: "Hello from outside."}]
routes:"""
TENANTS = """
  - {name: open, data_class: public, budget: {limit_usd: 1}}
  - {name: narrow, data_class: internal, budget: {limit_usd: 1}, repositories: ["ALLOWED/**"]}
retrieval:"""


@pytest.fixture(scope="module")
def doors(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with a model outside the walls, and one key each of two more tenants."""
    folder = tmp_path_factory.mktemp("doors")
    (folder / "allowed").mkdir()
    shutil.copytree(people[0], folder / "data")
    config = SCRIPTED.replace("\nroutes:", OUTSIDE).replace("\nretrieval:", TENANTS)
    running = Appliance(folder, config.replace("ALLOWED", f"{folder}/allowed"), dict(people[1])).start()
    running.keys["olga"] = running.key("olga", "developer", "--tenant", "open")
    running.keys["nell"] = running.key("nell", "developer", "--tenant", "narrow")
    yield running
    running.stop()


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def ask(appliance: Appliance, who: str, data_class: str | None) -> str:
    """What the model outside the walls says to somebody, or the code of the refusal."""
    body = {"model": "outside", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {appliance.keys[who]}", "content-type": "application/json"}
    headers |= {"x-bailey-data-class": data_class} if data_class else {}
    request = urllib.request.Request(f"{appliance.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])
    except urllib.error.HTTPError as error:
        with error:
            return str(json.load(error)["error"]["code"])


@pytest.mark.parametrize(
    ("who", "data_class", "said"),
    [
        ("olga", None, "Hello from outside."),
        ("olga", "public", "Hello from outside."),
        ("olga", "confidential", "policy_violation"),
        ("ada", None, "policy_violation"),
        ("ada", "public", "policy_violation"),  # a request may be stricter than its tenant, never laxer
    ],
)
def test_a_data_class_decides_what_may_leave(doors: Appliance, who: str, data_class: str | None, said: str) -> None:
    assert ask(doors, who, data_class) == said


def test_a_tenant_works_on_its_own_paths_only(doors: Appliance, project: Path) -> None:
    inside = doors.folder / "allowed/project"
    shutil.copytree(project, inside)
    (doors.folder / "allowed/link").symlink_to(project)
    nell = doors.client("nell")
    for forbidden in (project, doors.folder / "allowed/link", inside / "../../allowed/link"):
        with pytest.raises(ApplianceError, match="Tenant 'narrow' may not work on"):
            nell.post("/v1/tasks", {"repository": str(forbidden), "instruction": INSTRUCTION})
    with pytest.raises(ApplianceError, match="allowed paths: none"):
        doors.client("olga").post("/v1/tasks", {"repository": str(inside), "instruction": INSTRUCTION})
    task = nell.post("/v1/tasks", {"repository": str(inside), "instruction": INSTRUCTION})
    events_until(nell, task["id"], "task.waiting")
    assert nell.post(f"/v1/tasks/{task['id']}/cancel")["status"] == "cancelled"
    with pytest.raises(ApplianceError, match="There is no task"):
        doors.client("ada").get(f"/v1/tasks/{task['id']}")


@pytest.mark.parametrize("by", ["http", "cli"])
def test_a_running_task_is_cancelled(doors: Appliance, project: Path, by: str) -> None:
    ada = doors.client("ada")
    body = {"repository": str(project), "instruction": INSTRUCTION, "model": "slow"}
    task = ada.post("/v1/tasks", body)["id"]
    if by == "http":
        assert ada.post(f"/v1/tasks/{task}/cancel")["reason"] == "cancelled by ada"
    else:
        said = doors.bailey("task", "cancel", task, key=doors.keys["ada"])
        assert (said.returncode, "cancelled by ada" in said.stdout) == (0, True), said.stderr
    assert events_until(ada, task, "task.cancelled")
    assert ada.get(f"/v1/tasks/{task}")["merge_commit"] is None
    again = doors.bailey("task", "cancel", task, key=doors.keys["ada"])
    assert again.returncode == 1
    assert "is cancelled" in again.stderr


def test_a_task_is_watched_and_read_from_a_terminal(doors: Appliance, project: Path) -> None:
    def bailey(*words: str, who: str = "ada") -> str:
        done = doors.bailey("task", *words, key=doors.keys[who])
        assert done.returncode == 0, done.stderr
        return done.stdout

    task = bailey("submit", INSTRUCTION, "-r", str(project), "--detach").strip()
    watched = bailey("watch", task)
    assert "small failed verification" in watched
    assert f"bailey task approve {task}" in watched
    assert "+def whisper(text):" in bailey("diff", task)
    (row,) = (line for line in bailey("list").splitlines() if line.startswith(task))
    assert row.split()[1:4] == ["waiting", "ada", "3"]
    assert "not now" in bailey("reject", task, "--reason", "not now", who="grace")
    assert "rejected" in bailey("show", task)


def test_a_dirty_checkout_is_worked_on_from_its_last_commit_when_asked(doors: Appliance, project: Path) -> None:
    words = project / "textkit/words.py"
    words.write_text(words.read_text() + "unsaved = True\n")
    ada = doors.client("ada")
    task = ada.post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION, "allow_dirty": True})
    events_until(ada, task["id"], "task.waiting")
    diff = ada.text(f"/v1/tasks/{task['id']}/diff")
    assert "+def whisper(text):" in diff
    assert "unsaved" not in diff
    assert words.read_text().endswith("unsaved = True\n")


def test_the_schema_names_every_section(doors: Appliance) -> None:
    printed = doors.bailey("config", "schema")
    assert printed.returncode == 0
    schema = json.loads(printed.stdout)
    assert {"models", "tiers", "routes", "tenants", "sandbox", "codegen"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_it_is_ready_when_a_model_would_answer(doors: Appliance, tmp_path: Path) -> None:
    assert get(f"{doors.url}/healthz") == (200, {"status": "ok"})
    assert get(f"{doors.url}/readyz") == (200, {"status": "ready", "missing": {}, "memory": {}})
    begin = SCRIPTED.index("models:")
    away = "models:\n  - {name: away, engine: http, url: 'http://127.0.0.1:9/v1', tier: draft, context_tokens: 4000}\n"
    tenants = SCRIPTED[SCRIPTED.index("tenants:") : SCRIPTED.index("retrieval:")]
    waiting = Appliance(tmp_path, SCRIPTED[:begin] + away + tenants).start()
    try:
        status, said = get(f"{waiting.url}/readyz")
        assert (status, said["status"]) == (503, "not ready")
        assert said["missing"]["engines"].startswith("away: ")
        assert get(f"{waiting.url}/healthz")[0] == 200
    finally:
        waiting.stop()
