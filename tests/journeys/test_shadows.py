"""Shadow traffic from the front door: another model is asked afterwards, and an operator compares the two."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from ledger.protocol import Entry
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import post
from tests.journeys.test_privacy import CLOUD, UPSTREAM

SHADOWS = """
routes:
  - {name: auto, models: [small], shadow: {model: strong, share: 1, at_once: 50}}
  - {name: same, models: [small], shadow: {model: small, share: 1}}
  - {name: slow-shadow, models: [small], shadow: {model: slow, share: 1, at_once: 1}}
  - {name: outward, models: [small], shadow: {model: cloud, share: 1, at_once: 50}}
  - {name: shared, models: [small], share: {keep_seconds: 60}, shadow: {model: strong, share: 1}}
tenants:
  - {name: confidential, data_class: confidential, budget: {limit_usd: 1}, models: [outward]}
  - {name: routed, data_class: internal, budget: {limit_usd: 1}, models: [auto], rate: {requests_per_minute: 2}}
  - {name: broke, data_class: internal, budget: {limit_usd: 1, soft_limit: 0.00001}}
"""
HELLO = [{"role": "user", "content": "Say hello"}]


@pytest.fixture(scope="module")
def upstream(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """Another appliance, which plays the cloud and writes down what it was sent."""
    running = with_people(tmp_path_factory.mktemp("cloud"), people, UPSTREAM).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(
    upstream: Appliance, people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    cloud = CLOUD.replace("URL", upstream.url).split("\nroutes:")[0]
    config = SCRIPTED.replace(
        "\nroutes:\n  - {name: auto, models: [small, strong]}\ntenants:", cloud + SHADOWS.rstrip()
    )
    running = with_people(tmp_path_factory.mktemp("shadows"), people, config, CLOUD_KEY=upstream.keys["ada"]).start()
    for tenant in ("confidential", "routed", "broke"):
        running.keys[tenant] = running.key(f"of-{tenant}", "developer", "--tenant", tenant)
    yield running
    running.stop()


def ask(house: Appliance, who: str = "ada", **body: Any) -> tuple[int, str]:
    """The status of a chat, and its request's id."""
    status, _, headers = post(house, who, "/v1/chat/completions", {"model": "auto", "messages": HELLO, **body})
    return status, headers["x-request-id"]


def shadow(house: Appliance, request_id: str) -> Entry:
    """The entry of a request's shadow, once it is there."""
    ends = time.monotonic() + 30
    while not (found := house.entries("calls", key=f"call/{request_id}.shadow")):
        assert time.monotonic() < ends, f"there is no shadow of {request_id}"
    return found[0]


def metrics(house: Appliance) -> str:
    with urllib.request.urlopen(f"{house.url}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def test_an_answer_is_shadowed_and_the_operator_compares(house: Appliance) -> None:
    asked = [ask(house)[1] for _ in range(11)]
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.keys["ada"], max_retries=0) as client:
        question: Any = HELLO
        pieces = list(client.chat.completions.create(model="auto", messages=question, stream=True))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices).startswith("Hello from")
    asked.append(pieces[0].id if pieces[0].id.startswith("req_") else "req_" + pieces[0].id.rpartition("_")[2])
    for request_id in asked:
        entry = shadow(house, request_id)
        assert (entry.type, entry.data["model"], entry.data["shadow_of"]) == ("call.finished", "strong", request_id)
        assert entry.cost_usd > 0
        assert entry.input_digest and entry.output_digest
    told = house.bailey("route", "shadows", "auto", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["calls"] == {"finished": 12}
    assert found["shadows"] == {"strong": {"finished": 12}}
    (comparison,) = found["comparisons"]
    assert (comparison["model"], comparison["pairs"]) == ("strong", 12)
    assert comparison["route"]["models"] == {"small": 12}
    assert comparison["shadow"]["finish_reasons"] == {"stop": 12}
    assert comparison["cost_usd"]["value"] > 0
    assert comparison["cost_usd"]["low"] > 0
    assert comparison["equal"]["value"] == 0
    assert comparison["equal"]["high"] < 0.3
    shown = house.bailey("route", "shadows", "auto")
    assert "12 pairs of answers of auto and strong" in shown.stdout
    one = house.bailey("route", "show", f"{asked[0]}.shadow", key=house.keys["ada"]).stdout
    assert f"a shadow of {asked[0]}" in one
    assert 'bailey_shadows_total{model="strong",outcome="finished",reason="",route="auto"} 12.0' in metrics(house)
    assert 'bailey_shadow_cost_usd_total{model="strong",route="auto"}' in metrics(house)
    (house.folder / "same.yaml").write_text(house.config)
    again = house.bailey("route", "replay", "--with", str(house.folder / "same.yaml"), "--json")
    replayed = json.loads(again.stdout)
    assert (replayed["calls"], replayed["changed"]) == (12, [])


def test_the_routes_right_to_a_model_carries_its_shadow_and_rates_are_the_clients(house: Appliance) -> None:
    assert post(house, "routed", "/v1/chat/completions", {"model": "strong", "messages": HELLO})[0] == 404
    for _ in range(2):
        status, request_id = ask(house, "routed")
        assert status == 200
        assert shadow(house, request_id).type == "call.finished"
    assert ask(house, "routed")[0] == 429


def test_a_shadow_never_goes_where_the_request_may_not(house: Appliance, upstream: Appliance) -> None:
    before = len(upstream.entries("calls"))
    status, request_id = ask(house, "confidential", model="outward")
    assert status == 200
    entry = shadow(house, request_id)
    assert (entry.type, entry.data["code"], entry.data["shadow_of"]) == ("call.refused", "policy_violation", request_id)
    assert len(upstream.entries("calls")) == before
    status, request_id = ask(house, model="outward")
    assert (status, shadow(house, request_id).type) == (200, "call.finished")
    assert len(upstream.entries("calls")) == before + 1


def test_a_shadow_ends_at_a_soft_limit(house: Appliance) -> None:
    status, request_id = ask(house, "broke", max_tokens=10)
    assert status == 200
    entry = shadow(house, request_id)
    assert (entry.type, entry.data["code"]) == ("call.refused", "insufficient_quota")


def test_what_is_not_shadowed(house: Appliance) -> None:
    """The same model again, copies of an answer, drafts that are checked, embeddings, and models asked for by name."""
    before = len(house.entries("calls"))
    ids = [ask(house, model="same")[1], ask(house, model="small")[1]]
    _, first = ask(house, model="shared")
    shadow(house, first)
    ids.append(ask(house, model="shared")[1])
    question = [{"role": "user", "content": "Write whisper(text)."}]
    ask(house, messages=question, verify={"tests": "assert whisper(' a ') == ' a '"})
    assert post(house, "ada", "/v1/embeddings", {"model": "auto", "input": "hello"})[0] == 200
    made = house.entries("calls")[before:]
    assert [entry.data["shadow_of"] for entry in made if "shadow_of" in entry.data] == [first]
    assert 'bailey_shadows_total{model="small",outcome="skipped",reason="same_model",route="same"} 1.0' in metrics(
        house
    )
    assert all(not house.entries("calls", key=f"call/{each}.shadow") for each in ids)


def test_no_client_passes_for_a_shadow(house: Appliance) -> None:
    _, _, headers = post(
        house, "ada", "/v1/chat/completions", {"model": "auto", "messages": HELLO}, {"x-request-id": "req_1.shadow"}
    )
    assert not headers["x-request-id"].endswith(".shadow")


def test_more_than_at_once_are_left_out_and_an_appliance_that_is_stopped_stops(house: Appliance) -> None:
    ids = [ask(house, model="slow-shadow")[1] for _ in range(2)]
    assert 'outcome="skipped",reason="at_once",route="slow-shadow"} 1.0' in metrics(house)
    began = time.monotonic()
    house.stop()
    assert time.monotonic() - began < 10
    assert shadow(house, ids[0]).type == "call.cancelled"
    assert not house.entries("calls", key=f"call/{ids[1]}.shadow")
    assert house.verification().ok


@pytest.mark.parametrize(
    ("shadow_model", "air_gapped", "said"),
    [
        ("nobody", False, "route 'auto' has shadow model 'nobody'; declared: small, strong, slow, cloud"),
        ("cloud", True, "route 'auto' has shadow model 'cloud', which is outside the walls of an air gap"),
        ("cloud", False, None),
        ("small", True, None),
    ],
)
def test_the_configuration_is_checked(tmp_path: Path, shadow_model: str, air_gapped: bool, said: str | None) -> None:
    cloud = CLOUD.replace("URL", "http://127.0.0.1:9").split("\nroutes:")[0]
    config = SCRIPTED.replace("\nroutes:", f"{cloud}\nroutes:").replace(
        "models: [small, strong]", f"models: [small, strong], shadow: {{model: {shadow_model}, share: 0.5}}"
    )
    (tmp_path / "models.yaml").write_text(f"air_gapped: {str(air_gapped).lower()}\n{config}")
    run = Appliance(tmp_path).bailey("config", "check")
    assert run.returncode == (2 if said else 0)
    assert (said or "is valid") in (run.stdout + run.stderr).replace("\n", " ")
