"""How tokens are drawn, where answers end, and what shape they have, through the official OpenAI client."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from tests.api.peers import Peer
from tests.api.test_chat import QUESTION, ask, said, stream

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_several_choices(text: Peer) -> None:
    answer = ask(text, n=3, temperature=2, seed=7)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage
    assert answer.usage.completion_tokens <= 48
    assert len({choice.message.content for choice in answer.choices}) > 1


def test_several_choices_streamed(text: Peer) -> None:
    chunks = stream(text, n=2, temperature=1, seed=7)
    whole = ask(text, n=2, temperature=1, seed=7)
    ends = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ends) == [0, 1]
    assert [said(chunks, index) for index in (0, 1)] == [choice.message.content for choice in whole.choices]


def test_a_seed_repeats_an_answer(text: Peer) -> None:
    drawn = [ask(text, temperature=2, seed=seed).choices[0].message.content for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_no_temperature_means_the_likeliest(text: Peer) -> None:
    assert len({ask(text).choices[0].message.content for _ in range(3)}) == 1


def test_a_tiny_nucleus_means_the_likeliest(text: Peer) -> None:
    greedy = ask(text).choices[0].message.content
    assert ask(text, temperature=1, top_p=1e-6).choices[0].message.content == greedy


def test_a_stop_string_ends_without_itself(text: Peer) -> None:
    whole = ask(text).choices[0].message.content or ""
    end = whole[len(whole) // 2 : len(whole) // 2 + 3]
    answer = ask(text, stop=end).choices[0]
    assert answer.finish_reason == "stop"
    assert answer.message.content == whole[: whole.index(end)]


def test_the_first_of_several_stop_strings_ends(text: Peer) -> None:
    whole = ask(text).choices[0].message.content or ""
    ends = ["\x00never", whole[-2:], whole[4:7], "\x00nor this"]
    assert ask(text, stop=ends).choices[0].message.content == whole[: min(whole.index(end) for end in ends[1:3])]


def test_a_stop_string_in_a_stream(text: Peer) -> None:
    whole = ask(text).choices[0].message.content or ""
    end = whole[6:10]
    chunks = stream(text, stop=[end])
    assert said(chunks) == whole[: whole.index(end)]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_log_probabilities_of_every_token(text: Peer) -> None:
    choice = ask(text, logprobs=True).choices[0]
    assert choice.logprobs
    entries = choice.logprobs.content or []
    assert len(entries) == 16
    assert b"".join(bytes(entry.bytes or []) for entry in entries).decode() == choice.message.content
    assert all(entry.logprob <= 0 and not entry.top_logprobs for entry in entries)


def test_the_likeliest_alternatives(text: Peer) -> None:
    choice = ask(text, logprobs=True, top_logprobs=4).choices[0]
    assert choice.logprobs
    for entry in choice.logprobs.content or []:
        likely = [other.logprob for other in entry.top_logprobs]
        assert len(likely) == 4
        assert likely == sorted(likely, reverse=True)
        assert entry.logprob == pytest.approx(likely[0])  # the likeliest was drawn


def test_log_probabilities_in_a_stream_are_those_of_the_whole(text: Peer) -> None:
    chunks = stream(text, logprobs=True, top_logprobs=2)
    streamed = [
        entry.token
        for chunk in chunks
        for choice in chunk.choices
        if choice.logprobs
        for entry in choice.logprobs.content or []
    ]
    whole = ask(text, logprobs=True, top_logprobs=2).choices[0].logprobs
    assert whole
    assert streamed == [entry.token for entry in whole.content or []]


def test_a_bias_keeps_a_token_out(text: Peer) -> None:
    first = text.http.post(
        "/v1/tokenize", json={"model": text.model, "prompt": ask(text).choices[0].message.content}
    ).json()["tokens"][0]
    without = ask(text, logit_bias={str(first): -100}).choices[0].message.content
    assert without != ask(text).choices[0].message.content


def test_an_object_is_valid_json(text: Peer) -> None:
    answer = ask(text, response_format={"type": "json_object"}, max_completion_tokens=400, temperature=1, seed=3)
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_a_schema_is_followed(text: Peer) -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    choice = ask(text, response_format=format_, max_completion_tokens=60).choices[0]
    person = json.loads(choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert set(person) == {"name", "age"}
    assert len(person["name"]) <= 8
    assert isinstance(person["age"], int)


def test_a_schema_is_followed_in_a_stream(text: Peer) -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    chunks = stream(text, response_format=format_, max_completion_tokens=60)
    assert set(json.loads(said(chunks))) == {"name", "age"}


class Verdict(BaseModel):
    good: bool
    stars: int | None


def test_an_answer_is_parsed_into_the_clients_own_class(text: Peer) -> None:
    answer = text.openai.chat.completions.parse(
        model=text.model, messages=QUESTION, response_format=Verdict, max_completion_tokens=60, temperature=0
    )
    assert isinstance(answer.choices[0].message.parsed, Verdict)
