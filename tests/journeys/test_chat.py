"""A chat through the official OpenAI client, against a running appliance."""

from __future__ import annotations

import json
import time
import urllib.request
from decimal import Decimal

import openai
import pytest
from openai._legacy_response import LegacyAPIResponse
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from tests.journeys.appliance import Appliance

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def client(appliance: Appliance) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{appliance.url}/v1", api_key=appliance.keys["ada"], max_retries=0)


def test_models_lists_routes_and_models(client: openai.OpenAI) -> None:
    with client:
        names = ["auto", "small", "strong", "slow"]
        assert [model.id for model in client.models.list()] == [*names, *(f"verified/{name}" for name in names)]


def test_a_streamed_chat_says_who_answered_why_and_at_what_price(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        assert raw.headers["x-bailey-route"].startswith('model=small; tier=draft; reason="cheapest tier')
        chunks = list(raw.parse())
    assert "".join(choice.delta.content or "" for c in chunks for choice in c.choices) == "Hello from the small model."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0
    (call,) = appliance.entries("calls", key=f"call/{raw.headers['x-request-id']}")
    assert call.type == "call.finished"
    assert call.data["model"] == "small"
    assert call.cost_usd > 0


def test_embeddings_are_served_under_the_same_rules(client: openai.OpenAI) -> None:
    with client:
        made = client.embeddings.create(model="small", input=["one", "two"])
    assert len(made.data) == 2
    assert abs(sum(x * x for x in made.data[0].embedding) - 1) < 1e-5


def test_a_client_that_goes_away_is_charged_and_recorded(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        raw = client.chat.completions.with_raw_response.create(model="slow", messages=QUESTION, stream=True)
        stream = raw.parse()
        next(iter(stream))
        stream.close()
    deadline = time.monotonic() + 20
    while not (recorded := appliance.entries("calls", key=f"call/{raw.headers['x-request-id']}")):
        assert time.monotonic() < deadline, "the call was never recorded"
    assert recorded[0].type == "call.cancelled"
    assert recorded[0].data["usage_estimated"] is True
    assert 0 < recorded[0].cost_usd < Decimal("0.00005")


def test_metrics_count_what_passed(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        client.chat.completions.create(model="strong", messages=[{"role": "user", "content": "x"}])
    with urllib.request.urlopen(f"{appliance.url}/metrics") as answer:
        text = answer.read().decode()
    assert 'gen_ai_client_token_usage_total{gen_ai_request_model="strong",gen_ai_token_type="output"}' in text
    assert 'bailey_cost_usd_total{gen_ai_request_model="strong",tenant="default"}' in text
    assert 'route="/v1/chat/completions",status="200"' in text


def test_the_log_has_no_prompts_and_no_keys(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        private: list[ChatCompletionMessageParam] = [{"role": "user", "content": "a very private question"}]
        raw = client.chat.completions.with_raw_response.create(model="auto", messages=private)
    deadline = time.monotonic() + 10
    while not (lines := [line for line in map(json.loads, appliance.log().splitlines()) if _is(line, raw)]):
        assert time.monotonic() < deadline, "the request was never logged"
    assert (lines[0]["path"], lines[0]["status"], lines[0]["actor"]) == ("/v1/chat/completions", 200, "ada")
    assert "private" not in appliance.log()
    assert appliance.keys["ada"] not in appliance.log()


def _is(line: dict[str, object], raw: LegacyAPIResponse[ChatCompletion]) -> bool:
    return line.get("request_id") == raw.headers["x-request-id"]


def test_bailey_chat_answers_on_a_terminal(appliance: Appliance) -> None:
    answer = appliance.bailey("chat", "Say hello", key=appliance.keys["ada"])
    assert (answer.returncode, answer.stdout.strip()) == (0, "Hello from the small model.")
