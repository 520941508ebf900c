"""What is wrong gets one clear sentence and the right code; nothing is half-done and nothing shows a traceback."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import SCRIPTED, Appliance

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


def ask(
    appliance: Appliance, path: str, body: Any = None, key: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and error of a request."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    given = {"authorization": f"Bearer {key or appliance.keys['ada']}", "content-type": "application/json", **headers}
    request = urllib.request.Request(f"{appliance.url}{path}", data, given)
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
        ({**CHAT, "\ud800": 1}, 400, "unsupported_parameter", "\\ud800"),
        (
            {**CHAT, "messages": [{"role": "user", "content": [{"type": "\ud800"}]}]},
            400,
            "unsupported_parameter",
            "ud80",
        ),
        ({"messages": CHAT["messages"]}, 400, "invalid_value", "'model' is missing"),
        ({**CHAT, "messages": [{"role": "user", "content": "word " * 40_000}]}, 400, "context_length_exceeded", "4000"),
        ({**CHAT, "messages": [{"role": "user", "content": "x" * 5_000_000}]}, 413, "body_too_large", "at most"),
    ],
)
def test_bad_requests(appliance: Appliance, body: Any, status: int, code: str, sentence: str) -> None:
    found, error = ask(appliance, "/v1/chat/completions", body)
    assert (found, error["code"]) == (status, code)
    assert sentence in error["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/tasks", "/v1/tasks/tsk_1/reject", "/v1/nothing"])
@pytest.mark.parametrize("body", [b"{not json", b"[" * 100_000, b"\xff", b"x" * 3_000_000], ids=len)
def test_a_key_is_asked_for_before_anything_is_read(appliance: Appliance, path: str, body: bytes) -> None:
    status, error = ask(appliance, path, body, "bly_wrong")
    assert (status, error["code"]) == (401, "invalid_api_key")


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(HEAD, b"x-a: " + b"a" * 1000 + b"\r\n"), (HEAD + b"x-a: ", b"a" * 1000), (CHUNKED + b"x-a: ", b"a" * 1000)],
    ids=["many headers", "a long one", "a long trailer"],
)
def test_what_comes_beside_the_body_is_bounded(appliance: Appliance, begin: bytes, piece: bytes) -> None:
    address = urllib.parse.urlsplit(appliance.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(begin)
        try:
            for _ in range(5000):
                connection.sendall(piece)
            said = connection.recv(100)
        except ConnectionError:  # closed before everything was sent
            said = b"HTTP/1.1 400 "
    assert said.startswith(b"HTTP/1.1 400 ")
    with urllib.request.urlopen(f"{appliance.url}/healthz") as answer:
        assert answer.status == 200


def test_methods_that_nobody_knows_are_one_line_of_the_metrics(appliance: Appliance) -> None:
    address = urllib.parse.urlsplit(appliance.url)
    assert address.hostname
    for method, status in (("PROPFIND", 405), ("MKCOL", 405), ("SUBSCRIBE", 405), ("INVENTED", 400)):
        connection = http.client.HTTPConnection(address.hostname, address.port)
        connection.request(method, "/healthz")
        assert connection.getresponse().status == status
        connection.close()
    with urllib.request.urlopen(f"{appliance.url}/metrics") as answer:
        text = answer.read().decode()
    assert not any(method in text for method in ("PROPFIND", "MKCOL", "SUBSCRIBE", "INVENTED"))
    assert 'http_server_requests_total{method="other",route="/healthz",status="405"} 3.0' in text


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
        ({"colour": "blue"}, 400, "unsupported_parameter", "valid here are allow_dirty, branch, "),
        ({"\ud800": "blue"}, 400, "unsupported_parameter", "\\ud800"),
        ({"repository": "/a\0b"}, 400, "invalid_value", "'repository' is not valid: it has control char"),
        ({"repository": "/\ud800"}, 400, "invalid_value", "repository"),
        ({"repository": "/" + "x" * 5_000}, 400, "invalid_value", "at most 4096 characters"),
        ({"repository": "/" + "x" * 300}, 404, "repository_not_found", "There is no repository at /xxx"),
        ({"repository": "LOOP"}, 404, "repository_not_found", "There is no repository at /"),
        ({"branch": "a\0b"}, 400, "invalid_value", "'branch' is not valid"),
        ({"branch": "\ud800"}, 400, "invalid_value", "'branch' is not valid"),
        ({"branch": "x" * 300_000}, 400, "invalid_value", "at most 250 characters"),
        ({"branch": "a..b"}, 400, "invalid_value", "git has no branches of such a name"),
        ({"files": ["\ud800"]}, 400, "invalid_value", "'files.0' is not valid"),
        ({"files": ["a\0b"]}, 400, "invalid_value", "'files.0' is not valid"),
        ({"model": "\ud800"}, 400, "invalid_value", "'model' is not valid"),
        ({"tests": {"a.py": "\ud800"}}, 400, "invalid_value", "'tests"),
        ({"tests": {"a\0.py": "x"}}, 400, "invalid_value", "'tests"),
        ({"instruction": "a\0b"}, 400, "invalid_value", "other than line ends, form feeds and tabs"),
        ({"budget_usd": "NaN"}, 400, "invalid_value", "'budget_usd' is not valid"),
        ({"budget_usd": 1e300}, 400, "invalid_value", "'budget_usd' is not valid"),
    ],
)
def test_bad_tasks(
    appliance: Appliance, project: Path, change: dict[str, Any], status: int, code: str, sentence: str
) -> None:
    before = len(appliance.client("ada").get("/v1/tasks"))
    (project / "loop").symlink_to("loop")
    body = {"repository": str(project), "instruction": "Do something", **change}
    if body["repository"] == "LOOP":
        body["repository"] = str(project / "loop")
    found, error = ask(appliance, "/v1/tasks", body)
    assert (found, error["code"]) == (status, code)
    assert sentence in error["message"]
    assert len(appliance.client("ada").get("/v1/tasks")) == before


@pytest.mark.parametrize(
    ("path", "headers", "status", "sentence"),
    [
        ("/v1/tasks/tsk_0/events", {"last-event-id": "99999999999999999999999"}, 400, "'last-event-id' is not valid"),
        ("/v1/tasks/tsk_0/events", {"last-event-id": "-1"}, 400, "'last-event-id' is not valid"),
        ("/v1/tasks/tsk_0/events", {"last-event-id": "x"}, 400, "'last-event-id' is not valid"),
        ("/v1/tasks/tsk_0/events", {"last-event-id": "9223372036854775807"}, 404, "There is no task 'tsk_0'"),
        ("/v1/tasks/%00", {}, 400, "'task_id' is not valid"),
        ("/v1/models/%ff%00", {}, 404, "There is no model"),
        (
            "/v1/models",
            {"x-bailey-data-class": "cosmic"},
            400,
            "There is no data class 'cosmic'",
        ),
    ],
)
def test_bad_paths_and_headers(
    appliance: Appliance, path: str, headers: dict[str, str], status: int, sentence: str
) -> None:
    found, error = ask(appliance, path, **headers)
    assert found == status
    assert sentence in error["message"]


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
