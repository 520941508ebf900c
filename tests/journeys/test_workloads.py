"""Workloads from the front door: named by a header, held by policy, told by metrics."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import HELLO, post

WORKLOADS = """
workloads:
  - {name: interactive, first_token_seconds: 30, total_seconds: 0.000001}
  - {name: careful, models: [strong], record: full}
tenants:
  - {name: classed, data_class: internal, budget: {limit_usd: 1}, workloads: [interactive, careful]}"""


@pytest.fixture(scope="module")
def house(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with a tenant of two workloads."""
    config = SCRIPTED.replace("\ntenants:", WORKLOADS)
    running = with_people(tmp_path_factory.mktemp("workloads"), people, config).start()
    running.keys["carla"] = running.key("carla", "developer", "--tenant", "classed")
    yield running
    running.stop()


def ask(house: Appliance, workload: str | None = None, who: str = "carla") -> tuple[int, Any]:
    headers = {} if workload is None else {"x-bailey-workload": workload}
    status, body, _ = post(house, who, "/v1/chat/completions", {"model": "auto", "messages": HELLO}, headers)
    return status, body


def test_a_request_belongs_to_the_workload_it_names_or_to_the_first(house: Appliance) -> None:
    assert ask(house)[1]["model"] == "small"
    assert ask(house, "careful")[1]["model"] == "strong"
    usual, careful = (entry.data for entry in house.entries("calls")[-2:])
    assert (usual["workload"], careful["workload"]) == ("interactive", "careful")
    assert isinstance(careful["weights"], str)


def test_one_that_the_tenant_does_not_have_is_refused(house: Appliance) -> None:
    status, body = ask(house, "nightly")
    assert (status, body["error"]["code"]) == (400, "unknown_workload")
    assert "valid: interactive, careful" in body["error"]["message"]
    status, body = ask(house, "careful", who="ada")
    assert (status, "valid: none" in body["error"]["message"]) == (400, True)


def test_metrics_say_whether_the_service_level_is_kept(house: Appliance) -> None:
    ask(house)
    with urllib.request.urlopen(f"{house.url}/metrics") as answer:
        text = answer.read().decode()
    assert 'bailey_service_level_total{kept="true",objective="first_token",workload="interactive"}' in text
    assert 'bailey_service_level_total{kept="false",objective="total",workload="interactive"}' in text


def test_a_report_says_how_each_workload_was_served(house: Appliance) -> None:
    question = [{"role": "user", "content": "Write whisper(text)."}]
    asked = {"model": "auto", "messages": question, "verify": {"tests": "assert whisper('A') == 'a'"}}
    headers = {"authorization": f"Bearer {house.keys['carla']}", "content-type": "application/json"}
    request = urllib.request.Request(f"{house.url}/v1/chat/completions", json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
    found = json.loads(house.bailey("route", "report", "--since", "1h", "--json").stdout)
    rows = {(row["workload"], row["model"]): row for row in found["rows"]}
    small, strong = rows["interactive", "small"], rows["interactive", "strong"]
    assert (small["tested"], small["tests_passed"], strong["tests_passed"]) == (2, 0.0, 1.0)
    assert small["escalated"] == pytest.approx(1 / small["asked"])
    assert small["within_level"] == 0.0
    assert 0 < strong["tests_passed_95"][0] < strong["tests_passed_95"][1] == 1
    told = house.bailey("route", "report", "--workload", "interactive")
    assert told.returncode == 0, told.stderr
    assert ("interactive" in told.stdout, "careful" in told.stdout) == (True, False)
    refused = house.bailey("route", "report", "--workload", "nightly")
    assert (refused.returncode, "'nightly'" in refused.stderr) == (2, True)


def test_what_a_class_was_asked_informs_no_other_unless_it_says_so(house: Appliance) -> None:
    """interactive has tested answers by now; careful, which it does not inform, has none to learn from."""
    trained = house.bailey("route", "train")
    assert trained.returncode == 0, trained.stderr
    _, learnt = trained.stdout.split("interactive, from no workload, interactive:")
    assert "small" in learnt.split("careful, from")[0]
    assert "nothing was learnt" in learnt.split("careful, from no workload, careful:")[1]
    learnt_from = [entry.data["learnt_from"] for entry in house.entries("estimates")]
    assert learnt_from == [[""], ["", "interactive"], ["", "careful"]]
