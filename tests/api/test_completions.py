"""Plain completions, fill-in-the-middle, embeddings and models through the official OpenAI client."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import openai
import pytest
from openai.types import Completion

from tests.api.peers import Peer

CODE = "def add(a, b):\n    return"


def ask(peer: Peer, **fields: Any) -> Completion:
    fields = {"prompt": CODE, "max_tokens": 8, "temperature": 0, **fields}
    answer: Completion = peer.openai.completions.create(model=peer.model, **fields)
    return answer


def test_a_text_goes_on(text: Peer) -> None:
    answer = ask(text)
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage
    assert answer.usage.completion_tokens <= 8


def test_sixteen_tokens_unless_told_otherwise(text: Peer) -> None:
    answer = text.openai.completions.create(model=text.model, prompt="x", temperature=0, logit_bias={})
    assert answer.usage
    assert answer.usage.completion_tokens <= 16


def test_a_stream_adds_up(text: Peer) -> None:
    pieces = list(
        text.lenient.completions.create(model=text.model, prompt=CODE, max_tokens=8, temperature=0, stream=True)
    )
    assert "".join(piece.choices[0].text for piece in pieces) == ask(text).choices[0].text
    assert pieces[-1].choices[0].finish_reason


def test_a_stream_ends_with_its_usage_if_asked_to(text: Peer) -> None:
    *_, last = text.lenient.completions.create(
        model=text.model, prompt=CODE, max_tokens=4, stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert last.usage
    assert last.usage.completion_tokens <= 4


def test_what_stands_between_is_filled_in(text: Peer) -> None:
    answer = ask(text, prompt="def add(a, b):\n    return ", suffix="\n\n\nprint(add(1, 2))\n")
    plain = ask(text, prompt="def add(a, b):\n    return ")
    assert answer.choices[0].text.strip()
    assert answer.usage
    assert plain.usage
    assert answer.usage.prompt_tokens > plain.usage.prompt_tokens


def test_an_empty_suffix_is_filled_in_too(text: Peer) -> None:
    assert ask(text, suffix="").choices


def test_one_prompt_in_a_list(text: Peer) -> None:
    assert ask(text, prompt=[CODE]).choices[0].text == ask(text).choices[0].text


def test_several_choices(text: Peer) -> None:
    answer = ask(text, n=2, temperature=1, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1]


@pytest.mark.parametrize("field", ["presence_penalty", "frequency_penalty"])
def test_penalties_change_what_is_repeated(text: Peer, field: str) -> None:
    plain, changed = (
        ask(text, prompt="x = [1, 1, 1, 1, 1, 1,", max_tokens=32, **fields).choices[0].text
        for fields in ({}, {field: 2})
    )
    assert plain != changed


def test_a_stop_string_ends_without_itself(text: Peer) -> None:
    whole = ask(text, max_tokens=16).choices[0].text
    end = whole[3:5]
    answer = ask(text, max_tokens=16, stop=[end]).choices[0]
    assert (answer.text, answer.finish_reason) == (whole[: whole.index(end)], "stop")


def test_log_probabilities_column_by_column(text: Peer) -> None:
    choice = ask(text, logprobs=2).choices[0]
    table = choice.logprobs
    assert table
    assert "".join(table.tokens or []) == choice.text
    assert len(table.tokens or []) == len(table.token_logprobs or []) == len(table.text_offset or [])
    assert all(len(likely) >= 2 for likely in table.top_logprobs or [])


def embed(peer: Peer, input_: Any, **fields: Any) -> list[list[float]]:
    made = peer.lenient.embeddings.create(model=peer.model, input=input_, **fields)
    assert [row.index for row in made.data] == list(range(len(made.data)))
    return [row.embedding for row in made.data]


def test_a_vector_has_unit_length(text: Peer) -> None:
    (vector,) = embed(text, "def add(a, b): return a + b")
    assert math.sqrt(sum(x * x for x in vector)) == pytest.approx(1, abs=1e-4)


def test_a_vector_for_each_text_in_their_order(text: Peer) -> None:
    rows = embed(text, ["one", "two", "one"])
    assert len(rows) == 3
    assert rows[0] == pytest.approx(rows[2], abs=1e-5)
    assert rows[0] != pytest.approx(rows[1], abs=1e-3)


def test_base64_is_the_same_vector(text: Peer) -> None:
    floats = embed(text, "one", encoding_format="float")[0]
    body = {"model": text.model, "input": "one", "encoding_format": "base64"}
    coded = text.http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    raw = base64.b64decode(coded)
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(floats, abs=1e-6)


def test_fewer_dimensions_have_unit_length_again(text: Peer) -> None:
    whole, short = embed(text, "one")[0], embed(text, "one", dimensions=16)[0]
    length = math.sqrt(sum(x * x for x in whole[:16]))
    assert short == pytest.approx([x / length for x in whole[:16]], abs=1e-4)


def test_tokens_of_embedded_texts_are_counted(text: Peer) -> None:
    few, many = (
        text.lenient.embeddings.create(model=text.model, input=input_).usage for input_ in ("one", ["one", "one two"])
    )
    assert 0 < few.prompt_tokens < many.prompt_tokens
    assert many.total_tokens == many.prompt_tokens


def test_models_are_listed(text: Peer) -> None:
    assert text.model in [model.id for model in text.openai.models.list()]


def test_a_model_is_found_by_its_name(text: Peer) -> None:
    model = text.openai.models.retrieve(text.model)
    assert (model.id, model.object) == (text.model, "model")


def test_a_model_that_does_not_exist(text: Peer) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        text.openai.models.retrieve("gpt-17")
    assert error.value.code == "model_not_found"


def test_tokens_of_a_text_and_of_a_conversation(text: Peer) -> None:
    plain = text.http.post("/v1/tokenize", json={"model": text.model, "prompt": CODE}).json()
    assert plain["count"] == len(plain["tokens"]) > 4
    talk = {"model": text.model, "messages": [{"role": "user", "content": CODE}]}
    counted = text.openai.chat.completions.create(**talk, max_completion_tokens=1).usage
    assert counted
    assert text.http.post("/v1/tokenize", json=talk).json()["count"] == counted.prompt_tokens
