"""LoRA adapters from the front door: asked for, loaded and unloaded while it runs, and there again after a restart."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ApplianceError, Client
from inference.adapters import digest_with
from tests.contracts.engines import write_interpreter
from tests.journeys.appliance import Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_documentation import COMMANDS
from tests.vllm.adapters import write_adapter

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: coder
    engine: vllm
    tier: draft
    source: bundled:pico-coder
    context_tokens: 256
    python: {folder}/python
    price: {{input_usd_per_million: 1, output_usd_per_million: 2}}
    placement: {{gpus: 0, lora: {{max_rank: 8, adapters: {{red: "path:{folder}/{red}"}}}}}}
  - name: coder:whole
    engine: scripted
    tier: draft
    context_tokens: 256
    replies: [{{text: "This is a model of its own."}}]
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
  - {{name: narrow, data_class: internal, budget: {{limit_usd: 1}}, models: ["coder:sql"]}}
sandbox: {{slots: 1}}
"""


@pytest.fixture(scope="module")
def unchanged(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """One for those who change nothing; bob may use coder:sql only."""
    running = prepared(tmp_path_factory.mktemp("unchanged"), people)
    running.keys = {**running.keys, "bob": running.key("bob", "developer", "--tenant", "narrow")}
    yield started(running)
    running.stop()


@pytest.fixture
def house(people: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Appliance]:
    running = prepared(tmp_path, people)
    yield started(running)
    running.stop()


def prepared(folder: Path, people: tuple[Path, dict[str, str]]) -> Appliance:
    """An appliance with the stand-in for vLLM, whose model declares the adapter red."""
    for name, rank in (("red", 4), ("crimson", 4), ("sql", 8), ("large", 16)):
        write_adapter(folder / name, 1, rank)
    (folder / "empty").mkdir()
    write_interpreter(folder)
    made = with_people(folder, people)
    made.config = CONFIG.format(folder=folder, red="red")
    (folder / "models.yaml").write_text(made.config)
    return made


def started(appliance: Appliance) -> Appliance:
    """When its vLLM answers."""
    appliance.start()
    until = time.monotonic() + 60
    http = client(appliance)._http
    while http.post("/v1/tokenize", json={"model": "coder", "prompt": "Which?"}).status_code == 503:
        assert time.monotonic() < until, appliance.log()
        time.sleep(0.05)
    return appliance


def client(appliance: Appliance, who: str = "ada") -> Client:
    token = f"Bearer {appliance.keys[who]}"
    made = [each for each in appliance.clients if each._http.headers["authorization"] == token]
    return made[0] if made else appliance.client(who)


def names(house: Appliance) -> list[str]:
    """Of models, once each: all may also be asked for verified answers."""
    listed = [model["id"] for model in client(house).get("/v1/models")["data"]]
    plain = [name for name in listed if not name.startswith("verified/")]
    assert listed == [*plain, *(f"verified/{name}" for name in plain)]
    return plain


def ask(appliance: Appliance, model: str, who: str = "ada") -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "Which are you?"}]}
    answer = client(appliance, who).post("/v1/chat/completions", body)
    assert answer["model"] == model
    return str(answer["choices"][0]["message"]["content"])


def refused(appliance: Appliance, model: str, who: str = "ada") -> str:
    with pytest.raises(ApplianceError) as error:
        ask(appliance, model, who)
    assert error.value.code == "model_not_found"
    return str(error.value)


def grace(appliance: Appliance, *arguments: str) -> str:
    """An approver at the command line."""
    done = appliance.bailey("models", *arguments, key=appliance.keys["grace"])
    assert done.returncode == 0, done.stderr
    return done.stdout


def decisions(appliance: Appliance) -> list[str]:
    return [f"{entry.type} {entry.data.get('adapter')} by {entry.actor}" for entry in appliance.entries("models")]


def test_from_loaded_to_unloaded_through_restarts(house: Appliance) -> None:
    folder = house.folder
    assert ask(house, "coder:red") == "This is coder:red of red."
    assert "coder has no adapter 'sql'; its adapters: coder:red." in refused(house, "coder:sql")
    load, unload = (shlex.split(command)[2:] for command in COMMANDS if "-adapter " in command)
    assert "loaded" in grace(house, *(word.replace("/models/adapters", str(folder)) for word in load))
    assert ask(house, "coder:sql") == "This is coder:sql of sql."
    assert ask(house, "coder:whole") == "This is a model of its own."
    listed = names(house)
    assert listed == ["coder", "coder:whole", "coder:red", "coder:sql"]

    client(house, "grace").post("/v1/models/coder/unload-adapter", {"adapter": "red"})
    refused(house, "coder:red")
    house.kill()
    config = folder / "sql" / "adapter_config.json"
    config.write_text(config.read_text() + "\n")
    started(house)
    assert ask(house, "coder:sql") == "This is coder:sql of sql."
    refused(house, "coder:red")
    shown = grace(house, "list")
    assert "coder@v1:sql" in shown and "run time" in shown
    assert "models.yaml declares coder@v1:red, which was unloaded at run time." in shown
    assert "coder@v1:sql has other files than those that grace loaded." in shown

    house.stop()
    house.config = CONFIG.format(folder=folder, red="crimson")  # the file's word is the last one now
    started(house)
    assert ask(house, "coder:red") == "This is coder:red of crimson."
    assert ask(house, "coder:sql") == "This is coder:sql of sql."
    grace(house, *unload)
    assert "its adapters: coder:red." in refused(house, "coder:sql")
    assert decisions(house) == [
        "version.declared None by models.yaml", "adapter.loaded sql by grace", "adapter.unloaded red by grace",
        "version.declared None by models.yaml", "adapter.unloaded sql by grace",
    ]  # fmt: skip
    assert house.verification().problem is None


def test_every_route_asks_for_the_adapter_and_records_it(unchanged: Appliance) -> None:
    house, http = unchanged, client(unchanged)._http
    messages = [{"role": "user", "content": "Which are you?"}]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": messages, "stream": True},
        "/v1/completions": {"prompt": "Which are you?"},
        "/v1/responses": {"input": "Which are you?"},
        "/v1/messages": {"messages": messages, "max_tokens": 20},
    }
    for path, body in bodies.items():
        answer = http.post(path, json={"model": "coder:red", **body})
        assert answer.status_code == 200, answer.text
        assert "coder:red" in answer.text and "of" in answer.text
        assert answer.headers["x-bailey-route"].startswith("model=coder:red; tier=draft;")
    assert http.post("/v1/tokenize", json={"model": "coder:red", "prompt": "Which?"}).json()["count"] == 2
    (version,) = client(house).get("/v1/versions")[0]["versions"]
    (adapter,) = version["adapters"]
    calls = [entry.data for entry in house.entries("calls")]
    assert {(call["model"], call["adapter"], call["version"]) for call in calls} == {("coder:red", "red", "v1")}
    assert {call["weights"] for call in calls} == {digest_with(version["weights"], adapter["weights"])}
    assert len(calls) == len(bodies)
    assert all(entry.cost_usd > 0 for entry in house.entries("calls"))


def test_who_may_not_and_what_cannot_be_changes_nothing(unchanged: Appliance) -> None:
    house = unchanged

    def answer(body: dict[str, Any], who: str = "grace", path: str = "coder/load-adapter") -> tuple[str, str]:
        with pytest.raises(ApplianceError) as error:
            client(house, who).post(f"/v1/models/{path}", body)
        return error.value.code, str(error.value)

    def load(folder: str, adapter: str = "sql", **more: str) -> dict[str, str]:
        return {"adapter": adapter, "source": f"path:{house.folder}/{folder}", **more}

    assert answer(load("sql"), "ada")[0] == "insufficient_role"
    code, said = answer(load("nowhere"))
    assert (code, said.startswith("The adapter 'coder:sql' cannot be used: there is no ")) == ("invalid_adapter", True)
    assert "adapter_config.json that can be read" in answer(load("empty"))[1]
    assert answer(load("large")) == (
        "invalid_adapter",
        "The adapter 'coder:sql' cannot be used: its rank is 16, and placement.lora.max_rank is 8.",
    )
    assert answer(load("sql", "red")) == ("wrong_state", "coder@v1 has an adapter 'red' already; unload it first.")
    assert answer(load("sql", "whole")) == ("invalid_adapter", "coder:whole is the name of another model or route.")
    assert answer(load("sql", version="v2")) == ("version_not_found", "coder has no version 'v2'; it has v1.")
    code, said = answer({"adapter": "sql", "source": "hf:owner/sql@main"})
    assert (code, "write it as path:FOLDER" in said) == ("invalid_adapter", True)
    code, said = answer(load("sql"), path="coder:whole/load-adapter")
    assert (code, "takes no adapters" in said) == ("invalid_adapter", True)
    assert answer({"adapter": "sql"}, path="coder/unload-adapter") == (
        "adapter_not_found",
        "coder@v1 has no adapter 'sql'; its adapters: red.",
    )
    assert "may not use model 'coder'" in refused(house, "coder", "bob")
    assert "may not use model 'coder:red'" in refused(house, "coder:red", "bob")
    assert "may not use model 'coder:whole'" in refused(house, "coder:whole", "bob")
    assert "coder has no adapter 'sql'" in refused(house, "coder:sql", "bob")  # who could ask for it
    assert decisions(house) == []
    assert names(house) == ["coder", "coder:whole", "coder:red"]
    bad = house.bailey("models", "load-adapter", "coder", f"path:{house.folder}/sql", key=house.keys["grace"])
    assert bad.returncode == 2
    assert "write it as MODEL:ADAPTER" in " ".join(bad.stderr.replace("│", " ").split())
