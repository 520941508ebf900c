"""Why a request goes where it goes, from the front door: before it is sent, and from the record afterwards."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ApplianceError
from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people

HARD = "Refactor the distributed transaction protocol to be free of deadlocks; migrate the compiler. " * 3


def ask(appliance: Appliance, **body: Any) -> str:
    """The id of a chat that was answered."""
    headers = {"authorization": f"Bearer {appliance.keys['ada']}", "content-type": "application/json"}
    sent = {"model": "auto", "messages": [{"role": "user", "content": "Say hello"}], **body}
    request = urllib.request.Request(f"{appliance.url}/v1/chat/completions", json.dumps(sent).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.headers["x-request-id"])


def test_a_decision_is_explained_and_nothing_is_sent(appliance: Appliance) -> None:
    before = len(appliance.entries("calls"))
    easy = json.loads(appliance.bailey("route", "explain", "Say hello", "--json", key=appliance.keys["ada"]).stdout)
    assert [each["model"] for each in easy["candidates"]] == ["small", "strong"]
    assert easy["reason"].startswith("cheapest tier for difficulty 0.0")
    assert float(easy["candidates"][0]["expected_usd"]) < float(easy["candidates"][0]["worst_usd"])
    told = appliance.bailey("route", "explain", HARD, key=appliance.keys["ada"])
    assert told.returncode == 0, told.stderr
    assert "not small: tier draft: difficulty" in told.stdout
    assert "hard words 7" in told.stdout
    assert len(appliance.entries("calls")) == before
    refused = appliance.bailey("route", "explain", "x", "--model", "nobody", key=appliance.keys["ada"])
    assert refused.returncode == 1
    assert "There is no model 'nobody'" in refused.stderr.replace("\n", " ")


def test_a_record_says_what_was_chosen_why_and_what_came_of_it(appliance: Appliance) -> None:
    request_id = ask(appliance)
    route = json.loads(appliance.bailey("route", "show", request_id, "--json", key=appliance.keys["ada"]).stdout)
    (call,) = route["calls"]
    assert (call["model"], call["ending"], call["propensity"], call["verified"]) == ("small", "finished", 1.0, None)
    assert call["reason"].startswith("cheapest tier for difficulty 0.0")
    assert call["hash"] == appliance.entries("calls", key=f"call/{request_id}")[0].hash
    told = appliance.bailey("route", "show", request_id, key=appliance.keys["ada"]).stdout
    assert "auto: finished" in told
    assert "small@" in told


def test_a_verified_answer_has_a_call_for_each_draft(appliance: Appliance) -> None:
    question = [{"role": "user", "content": "Write whisper(text)."}]
    request_id = ask(appliance, messages=question, verify={"tests": "assert whisper('A') == 'a'"})
    calls = appliance.client("ada").get(f"/v1/routes/{request_id}")["calls"]
    assert [(call["model"], call["verified"]) for call in calls] == [
        ("small", False),
        ("small", False),
        ("strong", True),
    ]
    told = appliance.bailey("route", "show", request_id, key=appliance.keys["ada"]).stdout
    assert "small failed verification" in told


def test_what_is_not_there_is_not_found(appliance: Appliance) -> None:
    with pytest.raises(ApplianceError, match="no record of a request 'req_none'"):
        appliance.client("ada").get("/v1/routes/req_none")


OTHER_PRICES = ("price: {input_usd_per_million: 1, output_usd_per_million: 2}", "price: {input_usd_per_million: 100}")


def replay(appliance: Appliance, config: str, *more: str) -> dict[str, Any]:
    """What another configuration would have meant."""
    (appliance.folder / "other.yaml").write_text(config)
    run = appliance.bailey("route", "replay", "--with", str(appliance.folder / "other.yaml"), "--json", *more)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_calls_are_decided_again_by_other_rules(appliance: Appliance) -> None:
    for _ in range(3):
        ask(appliance)
    same = replay(appliance, appliance.config)
    assert (same["changed"], same["refused"], same["effective"]) == ([], {}, same["calls"])
    cost, *_ = same["figures"]
    assert cost["would_be"] == pytest.approx(cost["was"])
    assert (cost["low"], cost["high"]) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    dearer = replay(appliance, appliance.config.replace(*OTHER_PRICES), "--since", "1h")["figures"][0]
    assert dearer["would_be"] > dearer["was"]
    assert dearer["low"] > 0
    elsewhere = replay(appliance, appliance.config.replace("models: [small, strong]", "models: [strong]"))
    assert {each["what"] for each in elsewhere["changed"]} == {"from small@v1 to strong@v1"}
    told = appliance.bailey("route", "replay", "--with", str(appliance.folder / "other.yaml"), "--since", "1h").stdout
    assert "would go elsewhere" in told
    assert "Effective sample size" in told
    refused = appliance.bailey("route", "replay", "--with", str(appliance.folder / "other.yaml"), "--since", "soon")
    assert (refused.returncode, "not 'soon'" in refused.stderr) == (2, True)


def test_equal_requests_of_a_sharing_route_are_answered_once(
    people: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    config = SCRIPTED.replace("models: [small, strong]", "models: [small, strong], share: {keep_seconds: 60}")
    sharing = with_people(tmp_path, people, config).start()
    try:
        first, second = ask(sharing), ask(sharing)
        (call,) = sharing.client("ada").get(f"/v1/routes/{second}")["calls"]
        assert (call["answer_of"], float(call["cost_usd"]), call["ending"]) == (first, 0, "finished")
        assert "the answer of" in sharing.bailey("route", "show", second, key=sharing.keys["ada"]).stdout
    finally:
        sharing.stop()


def test_the_appliance_learns_which_model_is_worth_a_try(people: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """small never passes; after enough tested answers, requests that are verified start with strong."""
    plan = "models: [small, strong], plan: {least_outcomes: 5, false_accept: 0}"
    config = SCRIPTED.replace("models: [small, strong]", plan) + "codegen: {attempts_per_tier: 1}\n"
    learning = with_people(tmp_path, people, config).start()
    ada = learning.keys["ada"]
    try:
        for number in range(8):
            question = [{"role": "user", "content": f"Write whisper(text). This is request {number}."}]
            request_id = ask(learning, messages=question, verify={"tests": "assert whisper('A') == 'a'"})
            (first, *_) = learning.client("ada").get(f"/v1/routes/{request_id}")["calls"]
            assert (first["model"], first.get("plan")) == ("small", None)
        trained = learning.bailey("route", "train")
        assert trained.returncode == 0, trained.stderr
        assert re.search(r"small +8 ", trained.stdout)
        ends = time.monotonic() + 30
        while first["model"] == "small":
            assert time.monotonic() < ends, "what was learnt was not taken up"
            request_id = ask(learning, messages=question, verify={"tests": "assert whisper('A') == 'a'"})
            (first, *_) = learning.client("ada").get(f"/v1/routes/{request_id}")["calls"]
        assert first["model"] == "strong"
        assert first["plan"]["start"] == "strong"
        assert re.match(r"small before strong: accepted 0\.\d+ <= \(", first["reason"])
        digest = first["plan"]["estimates"]
        assert f"artefact {digest}." in trained.stdout.replace("\n", " ")
        assert f"planned by estimates {digest}" in learning.bailey("route", "show", request_id, key=ada).stdout
        (learning.folder / "tests.py").write_text("assert whisper('A') == 'a'")
        asked = ("route", "explain", question[0]["content"], "--tests", str(learning.folder / "tests.py"))
        told = learning.bailey(*asked, key=ada).stdout
        assert "small before strong: accepted 0." in told
        assert f"planned by estimates {digest}" in told
    finally:
        learning.stop()
