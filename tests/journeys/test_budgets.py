"""What keys, tasks and models may spend, from the front door: held on every surface, seen by who pays."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ApplianceError
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_code_task import INSTRUCTION, events_until

TENANTS = """
  - {name: keyed, data_class: internal, budget: {limit_usd: 1}, key_budget: {limit_tokens: 4300, window: day}}
  - {name: tasked, data_class: internal, budget: {limit_usd: 1}, task_budget: {limit_tokens: 1, window: total},
     repositories: ["/**"]}
  - {name: hasty, data_class: internal, budget: {limit_usd: 1}, key_rate: {requests_per_minute: 2}}
  - {name: sparing, data_class: internal, budget: {limit_usd: 1}, model_budgets: {small: {limit_tokens: 0}}}
retrieval:"""
HELLO = [{"role": "user", "content": "hello"}]
SURFACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "small", "messages": HELLO},
    "/v1/completions": {"model": "small", "prompt": "hello"},
    "/v1/embeddings": {"model": "small", "input": "hello"},
    "/v1/responses": {"model": "small", "input": "hello"},
    "/v1/messages": {"model": "small", "messages": HELLO, "max_tokens": 100},
}


@pytest.fixture(scope="module")
def house(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with tenants whose keys, tasks and models have limits."""
    config = SCRIPTED.replace("\nretrieval:", TENANTS)
    running = with_people(tmp_path_factory.mktemp("budgets"), people, config).start()
    for tenant in ("keyed", "tasked", "hasty", "sparing"):
        running.keys[tenant] = running.key(f"of-{tenant}", "developer", "--tenant", tenant)
    yield running
    running.stop()


def post(
    house: Appliance, who: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> tuple[int, Any, Message]:
    sent = {"authorization": f"Bearer {house.keys[who]}", "content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(f"{house.url}{path}", json.dumps(body).encode(), sent)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def test_a_keys_budget_holds_and_its_owner_sees_it(house: Appliance) -> None:
    body = SURFACES["/v1/chat/completions"]
    assert post(house, "keyed", "/v1/chat/completions", body)[0] == 200
    statuses = []
    for _ in range(40):
        status, answer, headers = post(house, "keyed", "/v1/chat/completions", body)
        statuses.append(status)
        if status != 200:
            assert (status, answer["error"]["code"]) == (429, "insufficient_quota")
            assert "may use 4300 tokens per day" in answer["error"]["message"]
            assert int(headers["retry-after"]) > 0
    assert 429 in statuses
    views = {view["account"]: view for view in house.client("keyed").get("/v1/budgets")["data"]}
    (key,) = (view for account, view in views.items() if account.startswith("key/"))
    assert 0 < key["settled_tokens"] <= key["limit_tokens"] == 4300
    assert views["tenant/keyed"]["settled_tokens"] == key["settled_tokens"]
    shown = house.bailey("budgets")
    assert shown.returncode == 0, shown.stderr
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith(key["account"]))
    assert row.split()[5:8] == ["4300", str(key["settled_tokens"]), "0"]
    as_json = [json.loads(line) for line in house.bailey("budgets", "--json").stdout.splitlines()]
    assert key in as_json
    assert house.verification().ok


@pytest.mark.parametrize("path", SURFACES)
def test_a_task_without_room_is_refused_on_every_surface(house: Appliance, path: str) -> None:
    named = {"x-bailey-task": "release-1.2"}
    status, answer, _ = post(house, "tasked", path, SURFACES[path], named)
    assert status == 429, answer
    assert "Task 'tasked/release-1.2' may use 1 tokens per total" in answer["error"]["message"]
    assert post(house, "tasked", path, SURFACES[path])[0] == 200  # it belongs to no task


def test_a_code_task_without_room_ends_with_the_sentence(house: Appliance, project: Path) -> None:
    client = house.client("tasked")
    body = {"repository": str(project), "instruction": INSTRUCTION, "files": ["textkit/words.py"]}
    task = client.post("/v1/tasks", body)
    *_, end = events_until(client, task["id"], "task.failed")
    assert f"Task 'tasked/{task['id']}' may use 1 tokens per total" in json.dumps(end)


def test_a_name_of_a_task_that_cannot_be_one_is_refused(house: Appliance) -> None:
    path = "/v1/chat/completions"
    status, answer, _ = post(house, "tasked", path, SURFACES[path], {"x-bailey-task": "a task/../b"})
    assert (status, answer["error"]["code"]) == (400, "invalid_task_name")


def test_who_asks_too_often_is_told_when_to_come_back(house: Appliance) -> None:
    answers = [post(house, "hasty", "/v1/embeddings", SURFACES["/v1/embeddings"]) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    _, refused, headers = answers[-1]
    assert refused["error"]["code"] == "rate_limit_exceeded"
    assert 0 < int(headers["retry-after"]) <= 30


def test_a_model_that_has_spent_its_budget_is_passed_over(house: Appliance) -> None:
    status, answer, headers = post(house, "sparing", "/v1/chat/completions", {"model": "auto", "messages": HELLO})
    assert (status, answer["model"]) == (200, "strong")
    assert headers["x-bailey-route"].startswith("model=strong;")
    with pytest.raises(ApplianceError, match="Tenant-model 'sparing/small' may use 0 tokens per month"):
        house.client("sparing").post("/v1/chat/completions", {"model": "small", "messages": HELLO})
