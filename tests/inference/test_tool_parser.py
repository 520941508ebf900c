"""Reading calls out of an answer: every family, however the answer is cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.llamacpp.output import Output
from inference.llamacpp.toolcalls.family import Family
from inference.llamacpp.toolcalls.generic import Generic
from inference.llamacpp.toolcalls.hermes import Hermes
from inference.llamacpp.toolcalls.llama3 import Llama3
from inference.llamacpp.toolcalls.mistral import Mistral
from inference.llamacpp.toolcalls.mistral_named import MistralNamed
from inference.llamacpp.toolcalls.parser import CallParser
from inference.llamacpp.toolcalls.watch import Watch

Calls = list[tuple[str, str]]
NAMES = ("get_weather", "add", "get")


def _hermes(calls: Calls) -> str:
    spelled = (
        f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>' for name, arguments in calls
    )
    return "\n".join(spelled)


def _llama3(calls: Calls) -> str:
    return f'{{"name": "{calls[0][0]}", "parameters": {calls[0][1]}}}'


def _mistral(calls: Calls) -> str:
    spelled = (f'{{"name": "{name}", "arguments": {arguments}, "id": "abcDEF123"}}' for name, arguments in calls)
    return f"[TOOL_CALLS][{', '.join(spelled)}]"


def _mistral_named(calls: Calls) -> str:
    return "".join(f"[TOOL_CALLS]{name}[CALL_ID]abcDEF123[ARGS]{arguments}" for name, arguments in calls)


SPELLED: list[tuple[Family, Callable[[Calls], str]]] = [
    (Hermes(), _hermes),
    (Generic(), _hermes),
    (Llama3(), _llama3),
    (Mistral(), _mistral),
    (MistralNamed(), _mistral_named),
]
ids = [type(family).__name__ for family, _ in SPELLED]
each_family = pytest.mark.parametrize(("family", "spell"), SPELLED, ids=ids)

ARGUMENTS = [
    "{}",
    '{ "place" : "</tool_call>\\n<tool_call> }] \\" \\\\" }',
    '{"a": {"b": [{}, [{"c": "{\\"name\\": \\"add\\", \\"arguments\\": {"}]]}, "[ARGS]": "[TOOL_CALLS]"}',
    '{"ort": "Köln 🌧 \\u00e9", "tage": [1.5e3, true, null]}',
]
SEVERAL = [("add", ARGUMENTS[1]), ("get_weather", ARGUMENTS[3]), ("add", ARGUMENTS[2])]


def output(family: Family, stop: tuple[str, ...] = (), *, at_once: bool = False) -> Output:
    return Output(stop, CallParser(family, None if at_once else Watch(family.triggers(NAMES))))


def read(out: Output, pieces: Iterable[bytes]) -> tuple[str, Calls, list[str]]:
    """The text, the calls and the ids that come of an answer; every piece of a call is looked at on its way."""
    text, call_ids = "", []
    calls: Calls = []
    for piece, last in [*((piece, False) for piece in pieces), (b"", True)]:
        passed, deltas = out.feed(piece, last=last)
        assert not (passed and calls), "text after calls"
        text += passed
        for delta in deltas:
            if delta.name is not None:
                assert delta.position == len(calls)
                assert delta.id is not None
                calls.append((delta.name, ""))
                call_ids.append(delta.id)
            name, arguments = calls[delta.position]
            calls[delta.position] = (name, arguments + delta.arguments)
    return text, calls, call_ids


@each_family
@pytest.mark.parametrize("text", ["", "Let me see.", "ä <tool <too [TOOL_"])
def test_an_answer_cut_anywhere_is_read_the_same(family: Family, spell: Callable[[Calls], str], text: str) -> None:
    single = isinstance(family, Llama3)
    calls = SEVERAL[:1] if single else SEVERAL
    text = "" if single else text
    answer = f"{text}\n\n{spell(calls)}".encode()
    for cut in range(len(answer) + 1):
        out = output(family)
        assert read(out, [answer[:cut], answer[cut:]])[:2] == (text, calls)
        assert out.called
    assert read(output(family), [bytes([byte]) for byte in answer])[:2] == (text, calls)


@each_family
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_an_answer_of_calls_only_has_no_text(family: Family, spell: Callable[[Calls], str], arguments: str) -> None:
    calls = [("add", arguments)]
    answer = spell(calls).encode()
    for cut in range(len(answer) + 1):
        assert read(output(family, at_once=True), [answer[:cut], answer[cut:]])[:2] == ("", calls)


texts = st.text(max_size=12) | st.sampled_from(
    ["<tool_call", "{", '{"name": "ad', "<", "[TOOL", " \n", '{"name": "Ann"}']
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(texts, values, max_size=3).map(lambda value: json.dumps(value, ensure_ascii=False))
calls_of_any = st.lists(st.tuples(st.sampled_from(NAMES), arguments), min_size=1, max_size=3)


@each_family
@settings(max_examples=60, deadline=None)
@given(data=st.data(), text=texts, calls=calls_of_any)
def test_whatever_is_called_comes_out_as_it_was_written(
    family: Family, spell: Callable[[Calls], str], data: st.DataObject, text: str, calls: Calls
) -> None:
    if isinstance(family, Llama3):
        text, calls = "", calls[:1]
    answer = f"{text}{spell(calls)}".encode("utf-8", "replace")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    pieces = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    passed, read_calls, call_ids = read(output(family), pieces)
    assert passed == text.encode("utf-8", "replace").decode().rstrip(" \t\r\n")
    assert read_calls == [(name, body.encode("utf-8", "replace").decode()) for name, body in calls]
    assert len(set(call_ids)) == len(calls)
    assert all(call_id.startswith("call_") and len(call_id) == 29 for call_id in call_ids)


@each_family
@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(texts, max_size=8))
def test_text_without_calls_passes_as_it_is(family: Family, spell: object, pieces: list[str]) -> None:
    whole = "".join(pieces).encode("utf-8", "replace")
    if not any(trigger.text in whole.decode() for trigger in family.triggers(NAMES)):
        out = output(family)
        assert read(out, [piece.encode("utf-8", "replace") for piece in pieces]) == (whole.decode(), [], [])
        assert not out.called


def test_text_comes_at_once_unless_it_may_begin_a_call() -> None:
    out = output(Hermes())
    assert out.feed(b"Look", last=False) == ("Look", ())
    assert out.feed(b": <tool_", last=False) == (":", ())
    assert out.feed(b"box", last=False) == (" <tool_box", ())


@each_family
def test_space_is_not_held_for_ever(family: Family, spell: object) -> None:
    assert output(family).feed(b" " * 100, last=False) == (" " * 92, ())


def test_arguments_come_as_they_are_written() -> None:
    out = output(Hermes(), at_once=True)
    assert out.feed(b'<tool_call>\n{"name": "add", "arg', last=False)[1] == ()
    (begun, first) = out.feed(b'uments": {"a', last=False)[1]
    assert (begun.position, begun.name, begun.arguments, first.arguments) == (0, "add", "", '{"a')
    assert [delta.arguments for delta in out.feed(b'": "}', last=False)[1]] == ['": "}']
    assert [delta.arguments for delta in out.feed(b'"}}\n</too', last=False)[1]] == ['"}']


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "Ann", "parameters": {}}',
        '{"name": "gettysburg", "parameters": {}}',
        'It is {"name": "add", "parameters": {}}',
        '         {"name": "add", "parameters": {}}',  # more space than there would be
    ],
)
def test_json_that_is_no_call_of_a_known_function_is_text(answer: str) -> None:
    assert read(output(Llama3()), [answer.encode()])[:2] == (answer, [])
    assert read(output(Llama3()), [character.encode() for character in answer])[:2] == (answer, [])


def test_a_stop_string_ends_text_but_no_call() -> None:
    answer = b'One moment. <tool_call>{"name": "add", "arguments": {"a": "moment"}}</tool_call>'
    stopped = output(Hermes(), ("moment",))
    assert stopped.feed(answer, last=True) == ("One ", ())
    assert (stopped.stopped, stopped.called) == (True, False)
    assert read(output(Hermes(), ("moment",)), [answer[11:]])[:2] == ("", [("add", '{"a": "moment"}')])


def test_text_held_for_a_stop_string_comes_before_the_calls() -> None:
    answer = b'One mo<tool_call>{"name": "add", "arguments": {}}</tool_call>'
    assert read(output(Hermes(), ("moment",)), [bytes([byte]) for byte in answer])[:2] == ("One mo", [("add", "{}")])
