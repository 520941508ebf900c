"""Data classes of keys and of paths from the front door: what they make stricter stays inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.codegen.conftest import commit_files
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import post
from tests.journeys.test_code_task import INSTRUCTION, events_until, step

UPSTREAM = """
version: 1
tiers: [draft]
models:
  - name: cloud
    engine: scripted
    tier: draft
    context_tokens: 4000
    replies:
      - {when: whisper, text: "```python\\ndef whisper(text):\\n    return text\\n```"}
      - {text: "Hello from outside."}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}}
"""
CLOUD = """
  - name: cloud
    engine: http
    url: URL/v1
    model: cloud
    api_key_env: CLOUD_KEY
    location: cloud
    data_classes: [internal]
    tier: draft
    context_tokens: 4000
path_labels:
  - {paths: ["customers/**"], data_class: confidential}
routes:
  - {name: outward, models: [cloud, strong]}"""


@pytest.fixture(scope="module")
def upstream(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """Another appliance, which plays the cloud and counts what it was sent."""
    running = with_people(tmp_path_factory.mktemp("cloud"), people, UPSTREAM).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(
    upstream: Appliance, people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    config = SCRIPTED.replace("\nroutes:", CLOUD.replace("URL", upstream.url))
    config = config.replace("context_tokens: 300}", "context_tokens: 300, skip: [customers]}")
    running = with_people(tmp_path_factory.mktemp("labels"), people, config, CLOUD_KEY=upstream.keys["ada"]).start()
    running.keys["vault"] = running.key("vault", "developer", "--data-class", "confidential")
    yield running
    running.stop()


def ask(house: Appliance, who: str, model: str, **headers: str) -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello"}]}
    status, answer, _ = post(house, who, "/v1/chat/completions", body, headers)
    return status, answer


def test_a_keys_requests_have_at_least_its_class(house: Appliance, upstream: Appliance) -> None:
    before = len(upstream.entries("calls"))
    status, answer = ask(house, "vault", "cloud", **{"x-bailey-data-class": "public"})
    assert (status, answer["error"]["code"]) == (403, "policy_violation")
    assert "data of class 'confidential'" in answer["error"]["message"]
    assert ask(house, "vault", "outward")[1]["model"] == "strong"
    assert len(upstream.entries("calls")) == before
    assert ask(house, "ada", "cloud")[0] == 200
    assert len(upstream.entries("calls")) == before + 1
    refused = house.bailey("keys", "create", "eve", "--data-class", "secret")
    assert refused.returncode == 2
    assert "declared: public, internal, confidential" in " ".join(refused.stderr.replace("│", " ").split())
    assert "confidential" in house.bailey("keys", "list").stdout


def test_who_says_which_files_a_prompt_shows_gets_their_class(house: Appliance) -> None:
    for paths in ("src/a.py,customers/list%2Ccsv", "./customers/a b"):
        assert ask(house, "ada", "cloud", **{"x-bailey-paths": paths})[0] == 403
    assert ask(house, "ada", "cloud", **{"x-bailey-paths": "src/customers.py, README.md"})[0] == 200


def test_findings_of_a_repository_with_labelled_files_stay_inside(house: Appliance, project: Path) -> None:
    """The first draft shows no labelled file and goes out; what tests print may quote one."""
    commit_files(project, {"customers/list.csv": "name\nada\n"}, "Add customers")
    ada = house.client("ada")
    task = ada.post("/v1/tasks", {"repository": str(project), "instruction": INSTRUCTION, "model": "outward"})
    events = events_until(ada, task["id"], "task.waiting")
    assert [step(events, f"draft/{number}")["model"] for number in (1, 2)] == ["cloud", "strong"]
    (second,) = [entry.data for entry in house.entries("calls") if f"{task['id']}.draft-2" in str(entry.key)]
    assert "it may not see data of class 'confidential'" in str(second["passed_over"])


def test_a_task_that_shows_a_labelled_file_never_goes_out(house: Appliance, project: Path) -> None:
    commit_files(project, {"customers/words.py": '"""Words."""\n'}, "Add words of customers")
    ada = house.client("ada")
    asked = {"repository": str(project), "instruction": INSTRUCTION, "model": "outward"}
    task = ada.post("/v1/tasks", {**asked, "files": ["customers/words.py"]})
    events = []
    for event in ada.events(f"/v1/tasks/{task['id']}/events"):
        events.append(event)
        if event["type"] in ("task.failed", "task.waiting"):
            break
    assert step(events, "draft/1")["model"] == "strong"


def test_labels_of_unknown_classes_are_refused(house: Appliance, tmp_path: Path) -> None:
    config = SCRIPTED + 'path_labels: [{paths: ["**"], data_class: secret}]\n'
    (tmp_path / "models.yaml").write_text(config)
    checked = Appliance(tmp_path).bailey("config", "check")
    assert checked.returncode != 0
    assert "path_labels name data class 'secret'" in checked.stdout + checked.stderr
