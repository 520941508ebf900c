"""Secrets and personal data from the front door: kept inside, or hidden from a real upstream and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import post

UPSTREAM = """
version: 1
tiers: [draft]
models:
  - name: cloud
    engine: scripted
    tier: draft
    context_tokens: 4000
    capabilities: [chat, embeddings]
    replies:
      - {when: REDACTED_1_EMAIL, text: "Write to REDACTED_1_EMAIL, again: REDACTED_1_EMAIL."}
      - {text: "Nothing was hidden."}
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
    capabilities: [chat, embeddings]
routes:
  - {name: outward, models: [cloud, strong]}"""
PRIVACY = """
privacy: {secrets: refuse, personal: redact}
tenants:
  - {name: careful, data_class: internal, budget: {limit_usd: 1}, privacy: {personal: local}}"""
ADDRESS = "ada.lovelace@analytical-engines.org"
SECRET = "AKIA" + "QWERTYUIOPASDFGH"


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
    config = SCRIPTED.replace("\nroutes:", CLOUD.replace("URL", upstream.url)).replace("\ntenants:", PRIVACY)
    folder = tmp_path_factory.mktemp("privacy")
    running = with_people(folder, people, config, CLOUD_KEY=upstream.keys["ada"]).start()
    running.keys["carla"] = running.key("carla", "developer", "--tenant", "careful")
    yield running
    running.stop()


def ask(house: Appliance, text: str, who: str = "ada", model: str = "cloud", **more: Any) -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    status, answer, _ = post(house, who, "/v1/chat/completions", body)
    return status, answer


def sent(upstream: Appliance) -> str:
    """All that ever reached the cloud, as its own ledger has it."""
    exported = upstream.folder / "exported.jsonl"
    assert upstream.bailey("ledger", "export", str(exported), "--bodies").returncode == 0
    return exported.read_text()


def test_an_address_is_hidden_from_the_cloud_and_put_back_in_the_answer(house: Appliance, upstream: Appliance) -> None:
    status, answer = ask(house, f"Who is {ADDRESS}?")
    assert status == 200, answer
    assert answer["choices"][0]["message"]["content"] == f"Write to {ADDRESS}, again: {ADDRESS}."
    (call,) = [entry for entry in house.entries("calls") if entry.data.get("privacy")][-1:]
    assert call.data["privacy"] == {"found": {"personal": {"email": 1}}, "done": "personal data redacted: 1 email"}
    assert ADDRESS not in sent(upstream)
    assert "REDACTED_1_EMAIL" in sent(upstream)


def test_it_is_put_back_in_a_stream_of_single_tokens(house: Appliance) -> None:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.keys["ada"], max_retries=0) as client:
        question: Any = [{"role": "user", "content": f"Who is {ADDRESS}?"}]
        chunks = list(client.chat.completions.create(model="cloud", messages=question, stream=True))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices).count(ADDRESS) == 2


def test_a_stricter_tenant_stays_inside(house: Appliance) -> None:
    status, answer = ask(house, f"Who is {ADDRESS}?", who="carla")
    assert (status, answer["error"]["code"]) == (403, "policy_violation")
    assert "outside the walls and may not see personal data (1 email)" in answer["error"]["message"]
    assert ADDRESS not in json.dumps(answer)
    status, answer = ask(house, f"Who is {ADDRESS}?", who="carla", model="outward")
    assert (status, answer["model"]) == (200, "strong")


def test_a_secret_is_refused_even_inside(house: Appliance) -> None:
    for model in ("cloud", "small", "auto"):
        status, answer = ask(house, f"key = '{SECRET}'", model=model)
        assert (status, "no model may see secrets (1 aws-access-key)" in answer["error"]["message"]) == (403, True)
        assert SECRET not in json.dumps(answer)
    assert SECRET not in house.log()


def test_what_holds_nothing_is_sent_as_it_is(house: Appliance, upstream: Appliance) -> None:
    assert ask(house, "Say hello")[1]["choices"][0]["message"]["content"] == "Nothing was hidden."
    vectors = post(house, "ada", "/v1/embeddings", {"model": "cloud", "input": f"to {ADDRESS}"})
    assert vectors[0] == 200
    assert house.entries("calls")[-1].data["privacy"] == {
        "found": {"personal": {"email": 1}},
        "done": "personal data redacted: 1 email",
    }
    assert ADDRESS not in sent(upstream)
