"""Conversations stay where their beginning is cached, and cached tokens cost what they cost there."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.inference.serving import serve
from tests.journeys.appliance import Appliance

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: cheap
    engine: http
    url: {cheap}/v1
    tier: draft
    context_tokens: 4000
    data_classes: [public]
    cache_seconds: 300
    resilience: {{retries: {{most: 0}}}}
    price: {{input_usd_per_million: 1000, cached_input_usd_per_million: 100, output_usd_per_million: 2000}}
  - name: dear
    engine: http
    url: {dear}/v1
    tier: draft
    context_tokens: 4000
    data_classes: [public]
    cache_seconds: 300
    price: {{input_usd_per_million: 1200, cached_input_usd_per_million: 120, output_usd_per_million: 2400}}
routes:
  - {{name: auto, models: [dear, cheap]}}
tenants:
  - {{name: default, data_class: public, budget: {{limit_usd: 1000}}}}
"""
PIECE = 400  # bytes, so that it counts as 100 tokens


class Cloud:
    """Speaks OpenAI's format; has in its cache every prompt that it was sent, and fails as often as it is told."""

    def __init__(self) -> None:
        self.failures = 0
        self._prompts: list[list[Any]] = []

    async def reply(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"data": []})
        if self.failures:
            self.failures -= 1
            return JSONResponse({"error": {"message": "busy"}}, 503)
        messages = (await request.json())["messages"]
        found = max((len(known) for known in self._prompts if known == messages[: len(known)]), default=0)
        self._prompts.append(messages)
        usage = {
            "prompt_tokens": _tokens(messages),
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": _tokens(messages[:found])},
        }
        pieces: list[Any] = [
            {"choices": [{"index": 0, "delta": {"content": "a" * PIECE}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ]
        events = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
        return StreamingResponse(iter([events + "data: [DONE]\n\n"]), media_type="text/event-stream")


def _tokens(messages: list[Any]) -> int:
    return sum(len(message["content"]) for message in messages) // 4


@pytest.fixture
def clouds() -> Iterator[dict[str, tuple[str, Cloud]]]:
    """Two servers, in a thread of their own."""
    made = {name: Cloud() for name in ("cheap", "dear")}
    urls: dict[str, str] = {}
    ready, done = threading.Event(), threading.Event()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            for name, cloud in made.items():
                app = Starlette(routes=[Route("/{path:path}", cloud.reply, methods=["GET", "POST"])])
                urls[name] = await stack.enter_async_context(serve(app))
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30)
    yield {name: (urls[name], cloud) for name, cloud in made.items()}
    done.set()
    thread.join(30)


class Talk:
    """A conversation with the route, one turn after the other."""

    def __init__(self, client: openai.OpenAI, letter: str) -> None:
        self._client = client
        self._letter = letter
        self.messages: list[Any] = []

    def turn(self) -> tuple[str, str, int]:
        """Who answered, the route's line, and how many tokens of the prompt were cached."""
        self.messages.append({"role": "user", "content": self._letter * PIECE})
        chats = self._client.chat.completions.with_raw_response
        raw = chats.create(model="auto", messages=self.messages, max_tokens=200)
        answer = raw.parse()
        self.messages.append({"role": "assistant", "content": answer.choices[0].message.content})
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        return answer.model, raw.headers["x-bailey-route"], answer.usage.prompt_tokens_details.cached_tokens or 0


def test_a_conversation_stays_where_its_prefix_is_warm(clouds: dict[str, tuple[str, Cloud]], tmp_path: Path) -> None:
    urls = {name: url for name, (url, _) in clouds.items()}
    appliance = Appliance(tmp_path, CONFIG.format(**urls))
    (tmp_path / "models.yaml").write_text(appliance.config)
    key = appliance.key("ada")
    appliance.start()
    try:
        with openai.OpenAI(base_url=f"{appliance.url}/v1", api_key=key, max_retries=0) as client:
            clouds["cheap"][1].failures = 1
            talk, other = Talk(client, "b"), Talk(client, "c")
            first, second, third, elsewhere = talk.turn(), talk.turn(), talk.turn(), other.turn()
            body = {"model": "auto", "messages": [*talk.messages, {"role": "user", "content": "And now?"}]}
            explained: Any = client.post("/routes/explain", body=body, cast_to=object)
    finally:
        appliance.stop()
    assert [(model, cached) for model, _, cached in (first, second, third)] == [
        ("dear", 0),
        ("dear", 100),
        ("dear", 300),
    ]
    assert "is warm" not in first[1]
    assert "a prefix of 100 tokens is warm at dear" in second[1]
    assert "a prefix of 300 tokens is warm at dear" in third[1]
    # Its 200 tokens that are new and 300 that are warm, and half of the answer that is allowed.
    assert (
        f"expected_usd={Decimal('0.2') * Decimal('1.2') + Decimal('0.3') * Decimal('0.12') + Decimal('0.24')}"
        in (third[1])
    )
    assert (elsewhere[0], elsewhere[2]) == ("cheap", 0)
    candidates = {each["model"]: each for each in explained["candidates"]}
    assert list(candidates) == ["dear", "cheap"]
    assert (candidates["dear"]["warm_tokens"], candidates["cheap"]["warm_tokens"]) == (500, 0)
    assert "a prefix of 500 tokens is warm at dear" in explained["reason"]
    calls = appliance.entries("calls")
    assert [(call.data["model"], call.data["cached_tokens"], call.cost_usd) for call in calls] == [
        ("dear", 0, Decimal("0.12") + Decimal("0.24")),
        ("dear", 100, Decimal("0.012") + Decimal("0.24") + Decimal("0.24")),
        ("dear", 300, Decimal("0.036") + Decimal("0.24") + Decimal("0.24")),
        ("cheap", 0, Decimal("0.1") + Decimal("0.2")),
    ]
    assert [call.data.get("warm_tokens") for call in calls] == [None, 100, 300, None]
