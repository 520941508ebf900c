"""What is wrong gets one clear sentence and the right code; nothing is half-done and nothing shows a traceback."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import SCRIPTED, Appliance

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


def ask(appliance: Appliance, path: str, body: Any, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """Status and error of a request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key or appliance.keys['ada']}", "content-type": "application/json"}
    request = urllib.request.Request(f"{appliance.url}{path}", data, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value:
        error: dict[str, Any] = json.load(refused.value)["error"]
        return refused.value.code, error


@pytest.mark.parametrize(
    ("body", "status", "code", "sentence"),
    [
        (b"{not json", 400, "invalid_value", "not valid JSON"),
        ({**CHAT, "model": "nobody"}, 404, "model_not_found", "valid names: auto, small, strong, slow"),
        ({**CHAT, "temprature": 1}, 400, "unsupported_parameter", "temprature"),
        ({"messages": CHAT["messages"]}, 400, "invalid_value", "'model' is missing"),
        ({**CHAT, "messages": [{"role": "user", "content": "word " * 40_000}]}, 400, "context_length_exceeded", "4000"),
        ({**CHAT, "messages": [{"role": "user", "content": "x" * 5_000_000}]}, 413, "body_too_large", "at most"),
    ],
)
def test_bad_requests(appliance: Appliance, body: Any, status: int, code: str, sentence: str) -> None:
    found, error = ask(appliance, "/v1/chat/completions", body)
    assert (found, error["code"]) == (status, code)
    assert sentence in error["message"]


def test_keys_that_are_unknown_or_expired_or_revoked(appliance: Appliance) -> None:
    assert ask(appliance, "/v1/chat/completions", CHAT, "bly_wrong")[1]["code"] == "invalid_api_key"
    expired = appliance.key("late", "developer", "--days", "-1")
    status, error = ask(appliance, "/v1/chat/completions", CHAT, expired)
    assert (status, error["code"]) == (401, "expired_api_key")
    assert "expired on" in error["message"]


@pytest.mark.parametrize(
    ("change", "status", "code", "sentence"),
    [
        ({"repository": "/nowhere/at/all"}, 404, "repository_not_found", "There is no repository at /nowhere/at/all"),
        ({"repository": "relative/path"}, 400, "invalid_task", "must be an absolute path"),
        ({"branch": "release"}, 404, "repository_not_found", "no branch 'release'"),
        ({"instruction": ""}, 400, "invalid_value", "instruction"),
        ({"colour": "blue"}, 400, "invalid_value", "colour"),
    ],
)
def test_bad_tasks(
    appliance: Appliance, project: Path, change: dict[str, Any], status: int, code: str, sentence: str
) -> None:
    before = len(appliance.client("ada").get("/v1/tasks"))
    body = {"repository": str(project), "instruction": "Do something", **change}
    found, error = ask(appliance, "/v1/tasks", body)
    assert (found, error["code"]) == (status, code)
    assert sentence in error["message"]
    assert len(appliance.client("ada").get("/v1/tasks")) == before


def test_a_dirty_checkout(appliance: Appliance, project: Path) -> None:
    (project / "textkit/words.py").write_text("unsaved = True\n")
    status, error = ask(appliance, "/v1/tasks", {"repository": str(project), "instruction": "Do something"})
    assert (status, error["code"]) == (409, "repository_problem")
    assert "uncommitted changes (textkit/words.py)" in error["message"]


def test_a_budget_that_is_spent_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    config = SCRIPTED.replace("limit_usd: 1}", "limit_usd: 0.000001}")
    poor = Appliance(tmp_path, config=config).start()
    try:
        poor.keys["ada"] = poor.key("ada")
        status, error = ask(poor, "/v1/chat/completions", CHAT)
        assert (status, error["code"]) == (429, "insufficient_quota")
        assert "default" in error["message"]
        (refused,) = poor.entries("calls")
        assert refused.type == "call.refused"
        assert refused.cost_usd == 0
    finally:
        poor.stop()


def started_badly(appliance: Appliance) -> subprocess.CompletedProcess[str]:
    (appliance.folder / "models.yaml").write_text(appliance.config)
    run = appliance.bailey("serve", "--port", "0")
    assert "Traceback" not in run.stderr
    return run


def test_a_malformed_models_yaml(tmp_path: Path) -> None:
    run = started_badly(Appliance(tmp_path, config=SCRIPTED.replace("context_tokens: 4000", "contxt_tokens: 4000")))
    assert run.returncode == 2
    assert (
        "models.yaml:8: models[0].contxt_tokens: unknown key; did you mean 'context_tokens'? Valid keys:" in run.stderr
    )


def test_weights_whose_digest_does_not_match(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF and nothing more")
    model = f"""
  - name: broken
    engine: llama.cpp
    source: path:{tmp_path}/model.gguf
    sha256: {"f" * 64}
    tier: draft
    context_tokens: 512
routes:"""
    run = started_badly(Appliance(tmp_path, config=SCRIPTED.replace("\nroutes:", model)))
    assert run.returncode == 1
    assert "model.gguf" in run.stderr
    assert "f" * 64 in run.stderr


def test_a_second_appliance_on_the_same_data_folder(appliance: Appliance) -> None:
    run = appliance.bailey("serve", "--port", "0")
    assert run.returncode == 1
    assert "Another appliance runs on the data folder" in run.stderr


def test_a_port_that_is_taken(appliance: Appliance) -> None:
    run = appliance.bailey("serve", "--port", appliance.url.rsplit(":", 1)[1])
    assert run.returncode == 1
    assert "cannot listen on" in run.stderr
