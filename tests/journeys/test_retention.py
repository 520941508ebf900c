"""Retention from the front door: bodies that a class keeps no longer go, and everything that knew them says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config import parse_config
from gateway.responses_store import LedgerResponses
from inference.collect import complete
from inference.responses.store import StoredResponse
from ledger.sql_ledger import open_ledger
from router.router import Router
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.test_budgets import post
from tests.ledger.clock import HandClock
from tests.router.conftest import rules, scripted
from tests.router.test_workloads import ask

WORKLOADS = """
workloads:
  - {name: interactive}
  - {name: regulated, retention_days: 7}
tenants:
  - {name: classed, data_class: internal, budget: {limit_usd: 1}, workloads: [interactive, regulated]}"""
CONFIG = SCRIPTED.replace("\ntenants:", WORKLOADS)


async def a_week_ago(data: Path) -> None:
    """A call and a response of each class, as the appliance records them."""
    clock = HandClock(datetime.now(UTC))
    clock.advance(days=-8)
    ledger = await open_ledger(f"sqlite:///{data}/ledger.db", clock=clock)
    tenant = rules().tenants["default"].model_copy(update={"name": "classed"})
    router = Router(replace(rules(), tenants={"classed": tenant}), {"small": scripted("small")}, ledger, ledger)
    responses = LedgerResponses(ledger, parse_config(CONFIG, data))
    for name in ("interactive", "regulated"):
        request = ask(name, "small", request_id=f"req_{name}", prompt=None)
        caller = replace(request.caller, tenant="classed")
        message = replace(request.messages[0], content=f"Say something {name}")
        await complete(router, replace(request, caller=caller, messages=(message,)))
        await responses.put(caller, StoredResponse(f"resp_{name}", json.dumps({"id": name}), "[]", (message,)))
    await router.close()
    await ledger.close()


@pytest.fixture(scope="module")
def house(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance whose ledger has calls of last week; not started."""
    empty = Appliance(tmp_path_factory.mktemp("retention"), CONFIG)
    (empty.folder / "data").mkdir()
    (empty.folder / "models.yaml").write_text(CONFIG)
    asyncio.run(a_week_ago(empty.folder / "data"))
    empty.keys["carla"] = empty.key("carla", "developer", "--tenant", "classed")
    yield empty
    empty.stop()


def test_an_operator_sees_what_would_go(house: Appliance) -> None:
    foreseen = house.bailey("ledger", "sweep", "--dry-run")
    assert foreseen.returncode == 0, foreseen.stderr
    assert foreseen.stdout.startswith("3 bodies (")
    assert house.verification().let_go == 0


def test_the_appliance_lets_go_by_itself_and_says_so_everywhere(house: Appliance) -> None:
    house.start()
    ends = time.monotonic() + 30
    while not house.verification().let_go:
        assert time.monotonic() < ends, "nothing was let go"
    (said,) = house.entries("retention")
    told = f"(ledger entry {said.seq})"
    gone = house.client("carla").get("/v1/routes/req_regulated")["calls"][0]
    assert gone["let_go"]["request"].endswith(told)
    assert house.client("carla").get("/v1/routes/req_interactive")["calls"][0]["let_go"] == {}
    assert told in house.bailey("route", "show", "req_regulated", key=house.keys["carla"]).stdout
    (_, old) = map(json.loads, house.bailey("ledger", "show", "--stream", "calls", "--json").stdout.splitlines())
    assert old["let_go"] == {"input": said.seq, "output": said.seq}
    verified = house.bailey("ledger", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "3 bodies were let go under retention" in verified.stdout
    (house.folder / "same.yaml").write_text(CONFIG)
    replayed = house.bailey("route", "replay", "--with", str(house.folder / "same.yaml"), "--since", "30d").stdout
    assert "1 left out: whose request was let go under retention" in replayed
    assert b"Say something regulated" not in b"".join(path.read_bytes() for path in stored(house))
    assert b"Say something interactive" in b"".join(path.read_bytes() for path in stored(house))


def stored(house: Appliance) -> list[Path]:
    return [path for path in (house.folder / "data").rglob("*") if path.is_file()]


def test_a_response_that_was_let_go_is_not_found_and_none_goes_on_in_another_class(house: Appliance) -> None:
    more = {"model": "small", "input": "Go on", "store": False}
    status, body, _ = post(house, "carla", "/v1/responses", {**more, "previous_response_id": "resp_interactive"})
    assert status == 200, body
    regulated = {"x-bailey-workload": "regulated"}
    for name, why in (("regulated", "let go under retention"), ("interactive", "goes on there alone")):
        asked = {**more, "previous_response_id": f"resp_{name}"}
        status, body, _ = post(house, "carla", "/v1/responses", asked, regulated)
        assert (status, why in body["error"]["message"]) == (404 if name == "regulated" else 400, True), body
