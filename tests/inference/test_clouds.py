"""The entries of docs/clouds.md, asked over the loopback by servers that insist on what each cloud documents."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.config import load_config
from inference.catalog import AnthropicModel, HttpModel
from inference.clouds import with_extra
from inference.collect import complete
from inference.engines import Resources, build_engine
from inference.errors import AuthenticationFailed, EngineUnavailable, InvalidRequest, RateLimited
from inference.protocol import ChatRequest, EmbedRequest, Engine, Message, Sampling, Tool, ToolCall
from inference.weights import WeightsStore
from tests.inference.serving import serve

ROOT = Path(__file__).parents[2]
KEY = "the-key-of-this-cloud"
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/clouds.md").read_text(), re.DOTALL)
ENTRIES: dict[str, dict[str, Any]] = {entry["name"]: entry for block in BLOCKS for entry in yaml.safe_load(block)}
Json = dict[str, Any]
Insists = Callable[[Request, Json], str | None]
"""What is wrong with a request; None if nothing is."""


def event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"


def piece(delta: Json, reason: str | None = None, **more: Any) -> str:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more})


USAGE = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
ANSWER = piece({"role": "assistant", "content": "Good"}) + piece({"content": " day."}, "stop") + USAGE
DONE = "data: [DONE]\n\n"


class Cloud:
    """Answers at one path, to who has the key in one header and says all that is insisted on."""

    def __init__(self, path: str, key: tuple[str, str], insists: Insists = lambda *_: None, said: str = ANSWER) -> None:
        self._path, self._key, self._insists, self._said = path, key, insists, said
        self.bodies: list[Json] = []

    async def reply(self, request: Request) -> Response:
        name, value = self._key
        others = {"authorization", "api-key", "x-api-key"} - {name}
        if request.headers.get(name) != value or any(other in request.headers for other in others):
            return JSONResponse({"error": {"code": "401", "message": f"Access denied due to invalid key {KEY}."}}, 401)
        if request.method == "GET":
            return JSONResponse({"data": []})
        if request.url.path != self._path:
            return JSONResponse({"error": {"code": "404", "message": "Resource not found"}}, 404)
        self.bodies.append(await request.json())
        if wrong := self._insists(request, self.bodies[-1]):
            return JSONResponse({"error": {"message": wrong}}, 400)
        return Response(self._said + DONE, media_type="text/event-stream")


@asynccontextmanager
async def engine_at(cloud: Cloud, entry: str, folder: Path, key: str = KEY, **fields: Any) -> AsyncIterator[Engine]:
    """The engine of a documented entry, but for the host."""
    async with serve(Starlette(routes=[Route("/{path:path}", cloud.reply, methods=["GET", "POST"])])) as url:
        written = ENTRIES[entry]
        spec = HttpModel.model_validate({**written, "url": url + urlsplit(written["url"]).path, **fields})
        engine = await build_engine(spec, Resources(WeightsStore(folder), folder, {written["api_key_env"]: key}))
        try:
            yield engine
        finally:
            await engine.close()


def ask(entry: str, **fields: Any) -> ChatRequest:
    request = ChatRequest(entry, (Message("user", "Good morning."),), sampling=Sampling(0.5, max_tokens=20))
    return replace(request, **fields)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_entry_is_valid_and_shows_no_key(block: str, tmp_path: Path) -> None:
    ours = yaml.safe_load((ROOT / "models.yaml").read_text())
    ours["models"] += yaml.safe_load(block)
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(ours))
    *_, model = load_config(tmp_path / "models.yaml").models
    assert isinstance(model, HttpModel | AnthropicModel)
    assert model.api_key_env
    assert model.remote == (model.name != "gpu-coder")
    assert model.remote == (model.data_classes is not None)


def openai(_: Request, body: Json) -> str | None:
    if "max_tokens" in body:
        return "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    return "Unsupported value: 'temperature'" if "temperature" in body else None


def azure(request: Request, body: Json) -> str | None:
    return None if request.query_params.get("api-version") == "2024-10-21" else "api-version is missing"


def openrouter(request: Request, body: Json) -> str | None:
    if request.headers.get("x-title") != "Bailey" or "http-referer" not in request.headers:
        return "who are you?"
    if body.get("provider") != {"data_collection": "deny", "zdr": True, "require_parameters": True}:
        return "any host would do"
    return None


def thoughtless(_: Request, body: Json) -> str | None:
    return None if body.get("chat_template_kwargs") == {"enable_thinking": False} else "it would think"


def gemini(_: Request, body: Json) -> str | None:
    return None if body.get("reasoning_effort") == "low" else "it would think for long"


BEARER = ("authorization", f"Bearer {KEY}")
AZURE = ("api-key", KEY)
CLOUDS: Mapping[str, tuple[str, tuple[str, str], Insists]] = {
    "openai-strong": ("/v1/chat/completions", BEARER, openai),
    "azure-strong": ("/openai/v1/chat/completions", AZURE, openai),
    "azure-dated": ("/openai/deployments/your-deployment/chat/completions", AZURE, azure),
    "gemini-fast": ("/v1beta/openai/chat/completions", BEARER, gemini),
    "openrouter-coder": ("/api/v1/chat/completions", BEARER, openrouter),
    "gpu-coder": ("/v1/chat/completions", BEARER, thoughtless),
}


def test_every_entry_is_asked_here_or_by_the_tests_of_its_format() -> None:
    assert ENTRIES.keys() == CLOUDS.keys() | {"claude-strong"}


@pytest.mark.parametrize("entry", CLOUDS)
async def test_each_cloud_gets_what_it_insists_on(entry: str, tmp_path: Path) -> None:
    cloud = Cloud(*CLOUDS[entry])
    async with engine_at(cloud, entry, tmp_path) as engine:
        completion = await complete(engine, ask(entry))
        assert (await engine.health()).ready
    assert (completion.text, completion.usage.completion_tokens) == ("Good day.", 2)
    assert cloud.bodies[0]["model"] == ENTRIES[entry].get("model", entry)


@pytest.mark.parametrize("entry", CLOUDS)
async def test_a_wrong_key_is_refused_and_not_shown(entry: str, tmp_path: Path) -> None:
    async with engine_at(Cloud(*CLOUDS[entry]), entry, tmp_path, key="another") as engine:
        with pytest.raises(AuthenticationFailed, match=ENTRIES[entry]["api_key_env"]) as caught:
            await complete(engine, ask(entry))
        assert not (await engine.health()).ready
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "changed"),
    [
        ("openai-strong", {"max_tokens_field": "max_tokens"}),
        ("openai-strong", {"drop_parameters": []}),
        ("azure-dated", {"query": {}}),
        ("openrouter-coder", {"headers": {}}),
        ("openrouter-coder", {"extra_body": {}}),
    ],
)
async def test_each_setting_is_needed(entry: str, changed: Json, tmp_path: Path) -> None:
    async with engine_at(Cloud(*CLOUDS[entry]), entry, tmp_path, **changed) as engine:
        with pytest.raises(InvalidRequest):
            await complete(engine, ask(entry))


@pytest.mark.parametrize(("entry", "other"), [("azure-strong", "bearer"), ("openai-strong", "api-key")])
async def test_the_other_header_is_refused(entry: str, other: str, tmp_path: Path) -> None:
    async with engine_at(Cloud(*CLOUDS[entry]), entry, tmp_path, auth=other) as engine:
        with pytest.raises(AuthenticationFailed):
            await complete(engine, ask(entry))


async def test_plain_completions_and_vectors_have_the_settings_too(tmp_path: Path) -> None:
    said = event({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]})
    cloud = Cloud("/v1/completions", BEARER, thoughtless, said)
    async with engine_at(cloud, "gpu-coder", tmp_path, max_tokens_field="max_completion_tokens") as engine:
        await complete(engine, ask("gpu-coder", messages=(), prompt="a"))
    assert cloud.bodies[0]["max_tokens"] == 20  # this route never had another name for it
    cloud = Cloud("/v1/embeddings", BEARER, thoughtless, "")
    async with engine_at(cloud, "gpu-coder", tmp_path, capabilities=["embeddings"]) as engine:
        with pytest.raises(EngineUnavailable, match="not OpenAI's"):  # it answers with a stream
            await engine.embed(EmbedRequest("gpu-coder", ("a",)))
    assert cloud.bodies


async def test_openrouter_says_while_it_waits_that_it_does(tmp_path: Path) -> None:
    said = ": OPENROUTER PROCESSING\n\n" * 3 + piece({"content": "Good"}) + ": OPENROUTER PROCESSING\n\n"
    said += piece({"content": " day.", "reasoning": "hm"}, "stop", provider="Somebody") + USAGE
    async with engine_at(Cloud(*CLOUDS["openrouter-coder"], said), "openrouter-coder", tmp_path) as engine:
        assert (await complete(engine, ask("openrouter-coder"))).text == "Good day."


@pytest.mark.parametrize(
    ("code", "error"), [(429, RateLimited), ("server_error", EngineUnavailable), (502, EngineUnavailable)]
)
async def test_an_error_of_openrouter_in_the_middle_of_an_answer(
    code: object, error: type[Exception], tmp_path: Path
) -> None:
    broken = piece({"content": ""}, "error", error={"code": code, "message": "Provider disconnected"})
    cloud = Cloud(*CLOUDS["openrouter-coder"], piece({"content": "Good"}) + broken)
    async with engine_at(cloud, "openrouter-coder", tmp_path) as engine:
        with pytest.raises(error, match="Provider disconnected"):
            await complete(engine, ask("openrouter-coder"))


async def test_azure_says_first_what_it_filtered(tmp_path: Path) -> None:
    said = event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    said += piece({"content": "Good day."}, content_filter_results={}) + piece({}, "content_filter") + USAGE
    async with engine_at(Cloud(*CLOUDS["azure-dated"], said), "azure-dated", tmp_path) as engine:
        choice = (await complete(engine, ask("azure-dated"))).choices[0]
    assert (choice.text, choice.finish_reason) == ("Good day.", "content_filter")


def call(name: str, call_id: str, arguments: str, **more: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


async def test_parallel_calls_of_gemini_are_told_apart(tmp_path: Path) -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2lnbmVk"}}}
    said = piece({"tool_calls": [call("tide", "a", '{"at": 1}', **signed)]})
    said += piece({"tool_calls": [call("tide", "b", '{"at":'), call("clock", "c", "{}", index=0)]})
    said += piece({"tool_calls": [call("wind", "d", "{}")]}, "stop") + USAGE
    async with engine_at(Cloud(*CLOUDS["gemini-fast"], said), "gemini-fast", tmp_path) as engine:
        choice = (await complete(engine, ask("gemini-fast", tools=(Tool("tide"),)))).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.tool_calls == (
        ToolCall("a", "tide", '{"at": 1}'),
        ToolCall("b", "tide", '{"at":'),
        ToolCall("c", "clock", "{}"),
        ToolCall("d", "wind", "{}"),
    )


async def test_pieces_of_a_call_stay_together_however_they_name_it(tmp_path: Path) -> None:
    begun = piece({"tool_calls": [call("tide", "a", '{"at"', index=0), call("clock", "b", "", index=1)]})
    more = [
        {"index": 1, "function": {"arguments": "{}"}},
        {"index": 0, "id": "a", "function": {"name": "tide", "arguments": ": 1"}},
        {"index": 0, "id": "another", "function": {"name": "", "arguments": "}"}},
    ]
    said = begun + "".join(piece({"tool_calls": [each]}) for each in more) + piece({}, "tool_calls") + USAGE
    async with engine_at(Cloud(*CLOUDS["openai-strong"], said), "openai-strong", tmp_path) as engine:
        choice = (await complete(engine, ask("openai-strong", tools=(Tool("tide"),)))).choices[0]
    assert choice.tool_calls == (ToolCall("a", "tide", '{"at": 1}'), ToolCall("b", "clock", "{}"))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        *(
            ({"headers": {name: "x"}}, "looks like a secret, which does not belong here")
            for name in ("Authorization", "api-key", "X-Goog-Api-Key", "Cookie", "X-Secret")
        ),
        ({"headers": {"Content-Type": "x"}}, "set by the engine itself"),
        ({"headers": {"x": "line\nbreak"}}, "String should match"),
        ({"headers": {"no name": "x"}}, "String should match"),
        ({"query": {"key": "x"}}, "looks like a secret"),
        ({"query": {"sig": "x"}}, "looks like a secret"),
        ({"extra_body": {"model": "x"}}, "what requests say themselves"),
        ({"extra_body": {"when": object()}}, "not a valid JSON value"),
        ({"drop_parameters": ["tools"]}, "drop_parameters"),
        ({"auth": "basic"}, "'bearer' or 'api-key'"),
    ],
)
def test_what_an_entry_cannot_say(fields: Json, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TypeAdapter(HttpModel).validate_python({**ENTRIES["openai-strong"], **fields})


def test_what_a_request_says_goes_before_what_the_entry_adds() -> None:
    body = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": {"g": 4}}
    extra = {"a": 9, "b": {"c": 9, "d": {"h": 5}}, "f": 9, "i": [6]}
    assert with_extra(body, extra) == {"a": 1, "b": {"c": 2, "d": {"e": 3, "h": 5}}, "f": {"g": 4}, "i": [6]}
    assert extra["b"] == {"c": 9, "d": {"h": 5}}
