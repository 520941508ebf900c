"""A model behind Anthropic's Messages API, from the front door to the other end and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.inference.anthropic_client.servers import KEY, STREAMS, Far, played
from tests.inference.serving import serve
from tests.journeys.appliance import Appliance

CONFIG = """
version: 1
tiers: [premium]
models:
  - name: claude
    engine: anthropic
    url: {url}/v1
    model: claude-sonnet-5
    api_key_env: CLOUD_KEY
    max_tokens: 100
    tier: premium
    context_tokens: 4000
    data_classes: [public]
    prompt_cache: true
    price:
      input_usd_per_million: 10
      cached_input_usd_per_million: 1
      cache_write_usd_per_million: 12.5
      output_usd_per_million: 20
tenants:
  - {{name: default, data_class: public, budget: {{limit_usd: 1}}}}
"""


@pytest.fixture
def cloud() -> Iterator[tuple[str, Far]]:
    """A server that has the cloud's key, in a thread of its own."""
    far, ready, done, url = Far(played(STREAMS["cache"])), threading.Event(), threading.Event(), []

    async def run() -> None:
        async with serve(Starlette(routes=[Route("/{path:path}", far.reply, methods=["GET", "POST"])])) as address:
            url.append(address)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30)
    yield url[0], far
    done.set()
    thread.join(30)


def test_a_chat_is_answered_by_the_cloud_and_paid_for(cloud: tuple[str, Far], tmp_path: Path) -> None:
    url, far = cloud
    appliance = Appliance(tmp_path, CONFIG.format(url=url), variables={"CLOUD_KEY": KEY})
    (tmp_path / "models.yaml").write_text(appliance.config)
    key = appliance.key("ada")
    appliance.start()
    try:
        with openai.OpenAI(base_url=f"{appliance.url}/v1", api_key=key, max_retries=0) as client:
            answer = client.chat.completions.create(model="claude", messages=[{"role": "user", "content": "Well?"}])
            body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Well?"}]}
            message: Any = client.post("/messages", body=body, cast_to=object)
            streamed = list(
                client.chat.completions.create(
                    model="claude",
                    messages=[{"role": "user", "content": "Well?"}],
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )
    finally:
        appliance.stop()
    assert answer.choices[0].message.content == "Yes."
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 12_183
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 12_000
    counted = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert [message["usage"][name] for name in counted] == [3, 180, 12_000, 4]
    assert streamed[-1].usage is not None
    assert streamed[-1].usage == answer.usage
    calls = appliance.entries("calls")
    cost = Decimal("0.000001") * (3 * 10 + Decimal("12.5") * 180 + 1 * 12_000 + 20 * 4)
    assert [(call.cost_usd, call.data["cached_tokens"], call.data["written_tokens"]) for call in calls] == [
        (cost, 12_000, 180)
    ] * 3
    asked = [(path, body) for path, _, body in far.asked if body]
    assert asked[0][0] == "/v1/messages"
    assert asked[0][1]["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert KEY not in appliance.log()
