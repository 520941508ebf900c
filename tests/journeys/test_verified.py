"""Verified answers from the front door: the official clients, with evidence, progress and honest refusals."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.journeys.appliance import Appliance

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Write whisper(text)."}]
VERIFY = {"language": "python", "tests": "assert whisper('A ') == 'a '"}


@pytest.fixture
def client(appliance: Appliance) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{appliance.url}/v1", api_key=appliance.keys["ada"], max_retries=0)


def test_the_answer_passed_its_tests_and_comes_with_its_evidence(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=QUESTION, extra_body={"verify": VERIFY}
        )
    answer = json.loads(raw.text)
    assert "text.lower()" in answer["choices"][0]["message"]["content"]
    assert raw.headers["x-bailey-route"].startswith("model=strong")
    attempts = answer["verification"]["attempts"]
    assert [(each["model"], each["outcome"]) for each in attempts] == [
        ("small", "fail"),
        ("small", "fail"),
        ("strong", "pass"),
    ]
    assert "assert 'A ' == 'a '" in attempts[0]["summary"]
    recorded = [appliance.entries("calls", key=f"call/{raw.headers['x-request-id']}.draft-{n}")[0] for n in (1, 2, 3)]
    assert [entry.data["model"] for entry in recorded] == ["small", "small", "strong"]
    used = sum(entry.tokens for entry in recorded)
    assert answer["usage"]["total_tokens"] == used


def test_a_stream_tells_how_it_goes_and_then_gives_what_passed(client: openai.OpenAI, appliance: Appliance) -> None:
    asked = {"model": "verified/auto", "messages": QUESTION, "verify": VERIFY, "stream": True}
    headers = {"authorization": f"Bearer {appliance.keys['ada']}", "content-type": "application/json"}
    request = urllib.request.Request(f"{appliance.url}/v1/chat/completions", json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        lines = [line.decode().strip() for line in answer if line.strip()]
    told = [line for line in lines if line.startswith(":")]
    assert told[:3] == [
        ": attempt 1: asking for a draft",
        ": attempt 1: checking the draft of small",
        ": attempt 1: tests did not pass",
    ]
    assert lines[: len(told)] == told, "nothing is given before it passed"
    with client:
        chunks = list(
            client.chat.completions.create(
                model="verified/auto", messages=QUESTION, stream=True, extra_body={"verify": VERIFY}
            )
        )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "text.lower()" in text
    extras = [chunk.model_extra or {} for chunk in chunks]
    (evidence,) = [extra["verification"] for extra in extras if extra.get("verification")]
    assert evidence["attempts"][-1]["outcome"] == "pass"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_what_did_not_pass_is_not_given(client: openai.OpenAI) -> None:
    impossible = {"verify": {"tests": "assert whisper('A') == 'nothing'"}}
    with client:
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            client.chat.completions.create(model="auto", messages=QUESTION, extra_body=impossible)
        assert refused.value.code == "verification_failed"
        assert "strong: tests: " in refused.value.message
        stream = client.chat.completions.create(model="auto", messages=QUESTION, stream=True, extra_body=impossible)
        with pytest.raises(openai.APIError, match="No answer passed verification"):
            assert not list(stream)


@pytest.mark.parametrize(
    ("verify", "param", "why"),
    [
        ({"checks": ["magic"]}, "verify.checks", "There is no check 'magic'; valid: parse, lint, "),
        ({"tests": "assert ("}, "verify.tests", "The tests are not valid Python"),
        ({"language": "cobol"}, "verify.language", "'python'"),
        ({"test": "x"}, "verify.test", "valid here are checks, language, schema, tests"),
    ],
)
def test_what_cannot_be_verified_is_refused_by_name(
    client: openai.OpenAI, verify: dict[str, Any], param: str, why: str
) -> None:
    with client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="auto", messages=QUESTION, extra_body={"verify": verify})
    assert (refused.value.param, why in refused.value.message) == (param, True), refused.value.message


def test_other_ways_in_verify_by_the_models_name(client: openai.OpenAI, appliance: Appliance) -> None:
    with client:
        answer = client.responses.create(model="verified/auto", input="Write whisper(text).")
        assert "def whisper" in answer.output_text
        with client.responses.stream(model="verified/auto", input="Write whisper(text).") as events:
            assert "def whisper" in events.get_final_response().output_text
    asking = anthropic.Anthropic(base_url=appliance.url, api_key=appliance.keys["ada"], max_retries=0)
    with (
        asking,
        asking.messages.stream(
            model="verified/auto", max_tokens=100, messages=[{"role": "user", "content": "Write whisper(text)."}]
        ) as stream,
    ):
        assert "def whisper" in stream.get_final_text()
