"""What leaves holds no finding, and what comes back is what was there: for every text of a request, cut anywhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.collect import Collector, request_bytes
from inference.protocol import (
    ChatRequest,
    Chunk,
    EmbedRequest,
    Message,
    ResponseFormat,
    Sampling,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from router.privacy.findings import KINDS
from router.privacy.redaction import redacted
from router.privacy.restore import Placeholders, Restorer
from router.privacy.scan import find
from router.privacy.texts import rewritten, texts_of

EMAIL, IBAN, SECRET, URL_PASSWORD = "bob@widgets.io", "DE75512108001245126199", "Xk93-pQ7zLm20vBt", "s3cr3t"
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow9IBAAKCAQEAx7Qz\n" * 4 + "-----END RSA PRIVATE KEY-----"
FRAGMENTS = [
    EMAIL,
    "ann@widgets.io",
    IBAN,
    f'password = "{SECRET}"',
    SECRET,
    f"redis://:{URL_PASSWORD}@cache/0",
    PEM,
    "REDACTED_1_EMAIL",
    "REDACTED_",
    "_SECRET",
    "def f(x):\n",
    *' \n"\\1R',
]


def chat(content: str, **fields: object) -> ChatRequest:
    return replace(ChatRequest("cloud", (Message("user", content),)), **fields)  # type: ignore[arg-type]


def content_of(request: ChatRequest) -> str:
    return request.messages[0].content


FULL = ChatRequest(
    "cloud",
    messages=(
        Message("system", f"ask {EMAIL}"),
        Message(
            "assistant", tool_calls=(ToolCall("c1", "send", json.dumps({"to": EMAIL, "password": SECRET, "n": 7})),)
        ),
        Message("tool", f"sent to {EMAIL} of {IBAN}", tool_call_id="c1"),
    ),
    prompt=f"# {EMAIL}",
    suffix=f"# {IBAN}",
    sampling=Sampling(stop=(EMAIL, "END")),
    tools=(Tool("send", f"for {EMAIL}", {"properties": {EMAIL: {"enum": [IBAN], "default": 4539148803436467}}}),),
    tool_choice=ToolChoice("function", "send"),
    response_format=ResponseFormat("json_schema", "r", {"description": f"like {IBAN}", "required": [EMAIL]}),
)


def test_every_text_of_a_request_is_looked_at() -> None:
    """Each string of the request, wherever it is: whoever adds a field that is sent has to come by here."""
    kept = {"cloud", "user", "system", "assistant", "tool", "text", "json_schema", "function", "default"}
    kept |= {"local", "internal", "interactive", "enum", "description", "required", "to", "", FULL.request_id}

    def strings(value: object) -> set[str]:
        if isinstance(value, dict):
            return set().union(*map(strings, value.values()))
        if isinstance(value, list):
            return set().union(*map(strings, value))
        return {value} if isinstance(value, str) else set()

    marked = rewritten(FULL, lambda text, name: f"<{text}>")
    left = {each for each in strings(json.loads(request_bytes(marked))) if not each.startswith(("<", "{"))}
    assert left <= kept
    assert json.loads(marked.messages[1].tool_calls[0].arguments) == {
        "<to>": f"<{EMAIL}>",
        "<password>": f"<{SECRET}>",
        "<n>": "<7>",
    }


def test_nothing_that_was_found_is_sent_from_anywhere() -> None:
    sent, _ = redacted(FULL, KINDS)
    body = request_bytes(sent).decode()
    for value in (EMAIL, IBAN, SECRET, "4539148803436467"):
        assert value not in body
    assert sent.messages[0].content == "ask REDACTED_1_EMAIL"
    assert json.loads(sent.messages[1].tool_calls[0].arguments) == {
        "to": "REDACTED_1_EMAIL",
        "password": "REDACTED_2_SECRET",
        "n": 7,
    }
    assert sent.sampling.stop == ("REDACTED_1_EMAIL", "END")
    assert sent.tools[0].parameters == {
        "properties": {"REDACTED_1_EMAIL": {"enum": ["REDACTED_3_IBAN"], "default": "REDACTED_4_CARD"}}
    }
    assert not [each for text, name in texts_of(sent) for each in find(text, name)]


def test_embeddings_lose_their_findings_too() -> None:
    sent, _ = redacted(EmbedRequest("cloud", (f"a {EMAIL}", f"b {EMAIL} {IBAN}")), KINDS)
    assert sent.texts == ("a REDACTED_1_EMAIL", "b REDACTED_1_EMAIL REDACTED_2_IBAN")


def test_a_request_without_findings_is_sent_as_it_is() -> None:
    request = chat("x = 1", tools=(Tool("t", "d", {"a": [1, 2.5, None, True]}),))
    assert redacted(request, KINDS)[0] == request


def test_only_the_kinds_asked_for_are_replaced() -> None:
    text = f"password = '{SECRET}' # {EMAIL}"
    assert content_of(redacted(chat(text), KINDS[:1])[0]) == f"password = 'REDACTED_1_SECRET' # {EMAIL}"
    assert content_of(redacted(chat(text), KINDS[1:])[0]) == f"password = '{SECRET}' # REDACTED_1_EMAIL"


def test_a_value_found_once_is_replaced_wherever_it_stands() -> None:
    request = ChatRequest("m", (Message("user", f"login({SECRET!r})"), Message("user", f"password = '{SECRET}'")))
    sent, _ = redacted(request, KINDS)
    assert [each.content for each in sent.messages] == ["login('REDACTED_1_SECRET')", "password = 'REDACTED_1_SECRET'"]


def test_a_short_or_plain_word_is_replaced_only_where_it_is_a_secret() -> None:
    sent, _ = redacted(chat("import postgres; cache; u = 'redis://x:postgres@cache'"), KINDS)
    assert content_of(sent) == "import postgres; cache; u = 'redis://x:REDACTED_1_SECRET@cache'"


def test_a_placeholder_that_the_text_has_already_is_not_used() -> None:
    sent, restorer = redacted(chat(f"REDACTED_1_EMAIL is {EMAIL}"), KINDS)
    assert content_of(sent) == "REDACTED_1_EMAIL is REDACTED_2_EMAIL"
    assert restorer.restore(Chunk(content_of(sent), finish_reason="stop")).text == f"REDACTED_1_EMAIL is {EMAIL}"


@pytest.mark.parametrize("arguments", ['{"a": 1', '{"to": "bob@widgets.io", "to": "x"}', "[" * 5000, ""])
def test_arguments_that_are_no_json_are_plain_text(arguments: str) -> None:
    request = ChatRequest("m", (Message("assistant", tool_calls=(ToolCall("c", "f", arguments),)),))
    sent, _ = redacted(request, KINDS)
    assert sent.messages[0].tool_calls[0].arguments == arguments.replace(EMAIL, "REDACTED_1_EMAIL")


def test_arguments_without_findings_keep_their_bytes() -> None:
    arguments = '{ "a":1.50,\n"b": "\\u00e4" }'
    request = ChatRequest("m", (Message("assistant", tool_calls=(ToolCall("c", "f", arguments),)),))
    assert redacted(request, KINDS)[0] == request


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=14))
def test_an_echo_comes_back_as_it_was_and_nothing_of_it_left(fragments: list[str]) -> None:
    text = "".join(fragments)
    sent, restorer = redacted(chat(text), KINDS)
    assert restorer.restore(Chunk(content_of(sent), finish_reason="stop")).text == text
    left = [content_of(sent)[each.begin : each.end] for each in find(content_of(sent))]
    assert all(re.fullmatch(r"REDACTED_\d+_[A-Z]+", each) for each in left)


# -- restoring ------------------------------------------------------------------------------------------------

VALUES = {"REDACTED_1_EMAIL": EMAIL, "REDACTED_11_EMAIL": 'q"\\\n', "REDACTED_2_SECRET": PEM, "REDACTED_3_ID": "é"}
PIECES = st.sampled_from([*VALUES, "REDACTED_", "REDACTED_1", "REDACTED_1_EMAI", "_EMAIL", "R", "E", "D", " ", "x"])
ANSWERS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[begin:end] for begin, end in zip([0, *at], [*at, len(text)], strict=True)]


def restored(text: str, escaped: bool) -> str:
    for name, value in VALUES.items():
        text = text.replace(name, json.dumps(value, ensure_ascii=False)[1:-1] if escaped else value)
    return text


@settings(deadline=None, max_examples=300)
@given(st.data(), st.lists(ANSWERS, min_size=1, max_size=3), st.booleans())
def test_however_texts_are_cut_they_come_back_whole(data: st.DataObject, answers: list[str], is_json: bool) -> None:
    """The chunks of several choices, mixed; each choice ends with its last piece."""
    restorer = Restorer(VALUES, is_json=is_json)
    left = {index: data.draw(cut(answer)) for index, answer in enumerate(answers)}
    came = dict.fromkeys(left, "")
    given_ = dict.fromkeys(left, "")
    while left:
        index = data.draw(st.sampled_from(sorted(left)))
        piece = left[index].pop(0)
        given_[index] += piece
        last = not left[index]
        came[index] += restorer.restore(Chunk(piece, index, finish_reason="stop" if last else None)).text
        if last:
            del left[index]
        else:  # what is held back is shorter than the longest placeholder
            assert any(
                came[index] == restored(given_[index][: len(given_[index]) - held], is_json)
                for held in range(max(map(len, VALUES)))
            )
    assert came == {index: restored(answer, is_json) for index, answer in enumerate(answers)}


@settings(deadline=None, max_examples=200)
@given(st.data(), st.lists(ANSWERS, min_size=1, max_size=3))
def test_however_arguments_are_cut_they_stay_json(data: st.DataObject, answers: list[str]) -> None:
    restorer, collector = Restorer(VALUES), Collector()
    whole = [json.dumps({"a": answer}, ensure_ascii=False) for answer in answers]
    left = {position: data.draw(cut(arguments)) for position, arguments in enumerate(whole)}
    while left:
        position = data.draw(st.sampled_from(sorted(left)))
        delta = ToolCallDelta(position, f"c{position}", "f", left[position].pop(0))
        collector.add(restorer.restore(Chunk(tool_calls=(delta,))))
        left = {each: pieces for each, pieces in left.items() if pieces}
    collector.add(restorer.restore(Chunk(finish_reason="tool_calls", usage=Usage())))
    (choice,) = collector.completion().choices
    assert [json.loads(call.arguments) for call in choice.tool_calls] == [
        {"a": restored(each, False)} for each in answers
    ]


def test_what_is_held_back_comes_with_the_last_chunk() -> None:
    restorer = Restorer(VALUES)
    call = ToolCallDelta(0, "c", "f", '{"a": "REDACTED_')
    assert restorer.restore(Chunk("see REDACTED_1")).text == "see "
    assert restorer.restore(Chunk("see REDACTED_1", index=1)).text == "see "
    assert restorer.restore(Chunk(tool_calls=(call,), index=1)).text == "REDACTED_1"  # a text ends where a call begins
    assert restorer.restore(Chunk(finish_reason="length")).text == "REDACTED_1"
    ended = restorer.restore(Chunk(index=1, finish_reason="length"))
    assert (ended.text, ended.tool_calls) == ("", (ToolCallDelta(0, arguments="REDACTED_"),))


def test_names_and_stop_strings_come_back_and_logprobs_do_not() -> None:
    delta = ToolCallDelta(0, "c", "to_REDACTED_3_ID", "{}")
    logprobs = (TokenLogprob("REDACTED", -0.5),)
    chunk = Chunk("x", 0, (delta,), logprobs, "stop", Usage(1, 2), "m", stop_string="REDACTED_1_EMAIL")
    expected = replace(chunk, tool_calls=(replace(delta, name="to_é"),), logprobs=(), stop_string=EMAIL)
    assert Restorer(VALUES).restore(chunk) == expected


def test_an_answer_that_is_json_stays_json() -> None:
    request = chat(f"key: {PEM}", response_format=ResponseFormat("json_object"))
    sent, restorer = redacted(request, KINDS)
    answer = restorer.restore(Chunk('{"key": "REDACTED_1_SECRET"}', finish_reason="stop")).text
    assert content_of(sent) == "key: REDACTED_1_SECRET"
    assert json.loads(answer) == {"key": PEM}


def test_nothing_to_restore_holds_nothing_back() -> None:
    assert Placeholders({}).feed("REDACTED_1") == ("REDACTED_1", "")


def test_nothing_shows_a_value() -> None:
    _, restorer = redacted(FULL, KINDS)
    restorer.restore(Chunk("REDACTED_1_EMAIL and REDACTED_"))
    assert EMAIL not in repr(restorer) + str(restorer) + repr(Placeholders(VALUES))
