"""Versions of a model from the front door: added, tried, promoted, rolled back, by people and by itself."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ApplianceError, Client
from tests.journeys.appliance import Appliance
from tests.journeys.conftest import with_people

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: coder
    engine: scripted
    tier: draft
    context_tokens: 4000
    price: {{input_usd_per_million: 1, output_usd_per_million: 2}}
    replies: [{{text: "This is the first version."}}]
    versions:
      - {{version: v2, replies: [{{text: "This is the second version."}}], price: {{output_usd_per_million: 3}}}}
      - {{version: shaky, engine: http, url: "{shaky}", location: local}}
    canary: {{version: shaky, percent: {percent}}}
    rollback: {{forgiven_seconds: 0.2}}
routes:
  - {{name: auto, models: [coder]}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
sandbox: {{slots: 1}}
"""


class Shaky(BaseHTTPRequestHandler):
    """A server that says it is well, and fails whenever it is asked something."""

    def do_GET(self) -> None:
        self._answer(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(500, {"error": {"message": "It fell over.", "type": "server_error", "code": "broken"}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def shaky() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shaky)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def coder(people: tuple[Path, dict[str, str]], shaky: str, tmp_path: Path) -> Iterator[Appliance]:
    """A running appliance with a model of three versions; its declared canary answers only by name."""
    running = with_people(tmp_path, people)
    running.config = CONFIG.format(shaky=shaky, percent=0)
    yield running.start()
    running.stop()


def client(appliance: Appliance, who: str) -> Client:
    """One for all of somebody's requests: making one takes longer than most of them."""
    token = f"Bearer {appliance.keys[who]}"
    made = [each for each in appliance.clients if each._http.headers["authorization"] == token]
    return made[0] if made else appliance.client(who)


def ask(appliance: Appliance, text: str, model: str = "coder") -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    answer = client(appliance, "ada").post("/v1/chat/completions", body)
    assert answer["model"] == "coder"
    return str(answer["choices"][0]["message"]["content"])


def versions_of(appliance: Appliance) -> dict[str, dict[str, Any]]:
    (model,) = client(appliance, "ada").get("/v1/versions")
    return {version["version"]: version for version in model["versions"]}


def decisions(appliance: Appliance) -> list[str]:
    kept = [entry for entry in appliance.entries("models") if entry.type != "version.observed"]
    return [f"{entry.type.removeprefix('version.')} {entry.data['version']} by {entry.actor}" for entry in kept]


def grace(appliance: Appliance, *arguments: str) -> str:
    """An approver at the command line."""
    done = appliance.bailey("models", *arguments, key=appliance.keys["grace"])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_added_to_promoted_and_back(coder: Appliance) -> None:
    first, second, third = (f"This is the {which} version." for which in ("first", "second", "third"))
    grace(coder, "rollback", "coder", "--reason", "not now")  # the declared canary
    grace(coder, "add", "coder@v3", "--set", 'replies=[{"text": "This is the third version."}]')
    assert ask(coder, "Which are you?") == first
    with pytest.raises(ApplianceError, match="There is no model 'coder@v3'"):
        ask(coder, "Which are you?", "coder@v3")

    shown = grace(coder, "canary", "coder@v3", "30%")
    assert "coder@v3" in shown and "run time" in shown
    questions = [f"Question {number}." for number in range(24)]
    tried = {question: ask(coder, question) for question in questions}
    assert 2 <= Counter(tried.values())[third] <= 16
    assert {question: ask(coder, question) for question in questions} == tried
    assert ask(coder, "Which are you?", "coder@v3") == third
    assert ask(coder, "Which are you?", "coder@v1") == first

    coder.kill()
    coder.start()
    assert {question: ask(coder, question) for question in questions} == tried
    client(coder, "grace").post("/v1/models/coder/canary", {"version": "v3", "percent": 60})
    more = {question: ask(coder, question) for question in questions}
    assert all(more[question] == third for question in questions if tried[question] == third)
    assert Counter(more.values())[third] > Counter(tried.values())[third]

    grace(coder, "promote", "coder@v3")
    assert {ask(coder, question) for question in questions} == {third}
    coder.kill()
    coder.start()
    assert ask(coder, "Which are you?") == third
    assert versions_of(coder)["v1"]["role"] == "idle"
    listed = grace(coder, "list")
    assert "coder answers as v3, as was decided at run time; models.yaml says v1." in listed

    grace(coder, "promote", "coder@v2")
    assert ask(coder, "Which are you?") == second
    client(coder, "grace").post("/v1/models/coder/rollback", {"reason": "v2 talks too much"})
    assert ask(coder, "Which are you?") == third
    assert versions_of(coder)["v2"]["said"] == "rolled back by grace: v2 talks too much"
    assert decisions(coder) == [
        "declared v1 by models.yaml", "rolled_back shaky by grace", "added v3 by grace", "canary v3 by grace",
        "canary v3 by grace", "promoted v3 by grace", "promoted v2 by grace", "rolled_back v2 by grace",
    ]  # fmt: skip
    assert coder.verification().problem is None


def test_every_answer_names_version_and_weights(coder: Appliance) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    raw = client(coder, "ada")._http.post("/v1/chat/completions", json=body)
    assert raw.headers["x-bailey-route"].endswith("; version=v1")
    grace(coder, "rollback", "coder")
    grace(coder, "promote", "coder@v2")
    ask(coder, "hello")
    old, new = (call.data for call in coder.entries("calls"))
    assert (old["model"], old["version"], new["model"], new["version"]) == ("coder", "v1", "coder", "v2")
    assert len(str(old["weights"])) == len(str(new["weights"])) == 64
    assert old["weights"] != new["weights"]
    assert versions_of(coder)["v2"]["weights"] == new["weights"]
    assert 'bailey_version_calls_total{model="coder",outcome="finished",version="v2"} 1.0' in client(coder, "ada").text(
        "/metrics"
    )


def test_a_canary_that_fails_is_rolled_back_by_itself_and_nobody_notices(
    people: tuple[Path, dict[str, str]], shaky: str, tmp_path: Path
) -> None:
    """Its calls are taken over by the stable version; the ledger has the evidence; a restart begins nothing anew."""
    coder = with_people(tmp_path, people)
    coder.config = CONFIG.format(shaky=shaky, percent=50)
    coder.start()
    try:
        for number in range(20):
            assert ask(coder, f"Before the restart {number}.") == "This is the first version."
        coder.stop()
        kept = coder.entries("models")[-1]
        assert kept.type == "version.observed"
        before: Any = kept.data["counts"]
        assert before["canary"]["errors"]["bad"] > 3
        coder.start()
        number = 0
        while versions_of(coder)["shaky"]["role"] == "canary":
            number += 1
            assert number < 2000
            assert ask(coder, f"After the restart {number}.") == "This is the first version."

        (end,) = [entry for entry in coder.entries("models") if entry.type == "version.rolled_back"]
        evidence: Any = end.data["evidence"]
        finding = evidence["finding"]
        assert (end.actor, end.data["version"], end.data["to"]) == ("bailey", "shaky", "v1")
        assert (finding["criterion"], finding["confidence"]) == ("errors", 0.99)
        assert finding["canary_bad"] == finding["canary_seen"] > before["canary"]["errors"]["bad"]
        assert finding["canary_at_least"] > finding["stable_at_most"] + finding["margin"]
        assert evidence["counts"]["canary"]["errors"]["bad"] >= finding["canary_bad"]
        assert "rolled back by bailey: errors: " in versions_of(coder)["shaky"]["said"]
        coder.stop()
        coder.start()
        assert versions_of(coder)["shaky"]["role"] == "idle"
        assert "models.yaml declares shaky as a canary of coder; that trial has ended." in grace(coder, "list")
    finally:
        coder.stop()


def test_what_cannot_be_decided_is_refused_in_a_sentence(coder: Appliance) -> None:
    def refused(path: str, body: dict[str, Any], who: str = "grace") -> tuple[str, str]:
        with pytest.raises(ApplianceError) as error:
            client(coder, who).post(f"/v1/models/{path}", body)
        return error.value.code, str(error.value)

    code, said = refused("coder/promote", {"version": "v2"}, who="ada")
    assert (code, "approver" in said) == ("insufficient_role", True)
    code, said = refused("coder/promote", {"version": "v9"})
    assert (code, said) == ("version_not_found", "coder has no version 'v9'; it has v1, v2, shaky.")
    code, said = refused("nobody/promote", {"version": "v9"})
    assert (code, said) == ("version_not_found", "There is no model 'nobody'; declared: coder.")
    code, said = refused("coder/promote", {"version": "v1"})
    assert (code, said) == ("wrong_state", "coder@v1 is the stable version already.")
    code, said = refused("coder/canary", {"version": "v2", "percent": 10})
    assert (code, said) == ("wrong_state", "coder@shaky is the canary now; promote it or roll it back first.")
    code, said = refused("coder/canary", {"version": "v2", "percent": 101})
    assert "percent" in said
    code, said = refused("coder/versions", {"version": "v2", "changes": {}})
    assert (code, "is there already" in said) == ("wrong_state", True)
    code, said = refused("coder/versions", {"version": "v4", "changes": {"url": "http://example.com/v1"}})
    assert (code, "url may differ only for versions in models.yaml" in said) == ("invalid_version", True)
    code, said = refused("coder/versions", {"version": "v4", "changes": {"replies": "none"}})
    assert (code, "replies: Input should be a valid tuple" in said) == ("invalid_version", True)
    bad = coder.bailey("models", "canary", "coder", "10%", key=coder.keys["grace"])
    assert bad.returncode == 2
    assert "write it as MODEL@VERSION" in " ".join(bad.stderr.replace("│", " ").split())
    client(coder, "grace").post("/v1/models/coder/rollback", {})
    code, said = refused("coder/rollback", {})
    assert (code, said) == ("wrong_state", "There is nothing to roll back: coder has no canary and no earlier version.")
