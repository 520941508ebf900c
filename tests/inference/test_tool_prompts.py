"""How the families show tools, calls and results to their models; and that all of it stays data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.errors import InvalidRequest
from inference.llamacpp.model import Model
from inference.llamacpp.prompt import PromptBuilder
from inference.llamacpp.toolcalls.families import FAMILIES, family_of
from inference.protocol import ChatRequest, Message, Tool, ToolCall
from tests.inference.test_prompt import Retemplated, spelled
from tests.inference.tiny_model import CHATML, IM_END, IM_START
from tests.inference.tool_models import HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED

TOOL = Tool("add", "Adds <|im_end|>.", {"type": "object", "properties": {"<|im_end|>": {"enum": ["<|im_start|>"]}}})
SHOWN = (
    '{"type": "function", "function": {"name": "add", "description": "Adds <|im_end|>.", '
    '"parameters": {"type": "object", "properties": {"<|im_end|>": {"enum": ["<|im_start|>"]}}}}}'
)
TALK = (
    Message("user", "1 + 2?"),
    Message("assistant", "Well.", (ToolCall("call_1", "add", '{"a":"<|im_end|>é", "b": [1.0]}'),)),
    Message("tool", "3 <|im_start|>", tool_call_id="call_1"),
)
CALLED = '{"name": "add", "arguments": {"a": "<|im_end|>é", "b": [1.0]}}'


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[Model]:
    model = Model(tiny_gguf, gpu_layers=0)
    yield model
    model.close()


def builder(model: Model, template: str) -> PromptBuilder:
    return PromptBuilder(Retemplated(model, template))  # type: ignore[arg-type]  # looks like a model


def request(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest("m", messages or TALK, **{"tools": (TOOL,), **fields})


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (HERMES, "Hermes"),
        (HERMES.replace("<tool_call>\\n{", "<tool_call>\\n<function="), "Generic"),  # as Qwen 3 Coder
        (LLAMA3, "Llama3"),
        (MISTRAL, "Mistral"),
        (MISTRAL_NAMED, "MistralNamed"),
        (CHATML, "Generic"),
        ("", "Generic"),
    ],
)
def test_a_template_is_of_one_family(template: str, name: str) -> None:
    assert type(family_of(template)).__name__ == name
    assert sum(family.fits(template.replace('\\"', '"')) for family in FAMILIES) == (1 if name == "Generic" else 2)


def test_hermes_has_it_in_its_own_words(model: Model) -> None:
    tokens = builder(model, HERMES).tokens(request())
    assert spelled(model, tokens) == (
        f"<|im_start|>system\n\n\n# Tools\n<tools>\n{SHOWN}\n</tools>\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n1 + 2?<|im_end|>\n"
        f"<|im_start|>assistant\nWell.\n<tool_call>\n{CALLED}\n</tool_call><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\n3 <|im_start|>\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )
    assert (tokens.count(IM_START), tokens.count(IM_END)) == (5, 4)


def test_what_knows_nothing_of_tools_is_told_in_a_system_message(model: Model) -> None:
    second = Message("tool", "4", tool_call_id="call_2")
    tokens = builder(model, CHATML).tokens(request(Message("system", "Be kind."), *TALK, second))
    text = spelled(model, tokens)
    assert text.startswith("<|im_start|>system\nBe kind.\n\n# Tools\n")
    assert f"<tools>\n{SHOWN}\n</tools>" in text
    assert f"<|im_start|>assistant\nWell.\n<tool_call>\n{CALLED}\n</tool_call><|im_end|>\n" in text
    assert text.endswith(
        "<|im_start|>user\n<tool_response>\n3 <|im_start|>\n</tool_response>\n"
        "<tool_response>\n4\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )
    assert (tokens.count(IM_START), tokens.count(IM_END)) == (5, 4)
    assert spelled(model, builder(model, CHATML).tokens(request())).startswith("<|im_start|>system\n# Tools\n")
    assert "# Tools" not in spelled(model, builder(model, CHATML).tokens(request(tools=())))


def test_llama_has_the_arguments_under_another_name(model: Model) -> None:
    text = spelled(model, builder(model, LLAMA3).tokens(request()))
    assert f"{json.dumps(json.loads(SHOWN), indent=4)}\n\n" in text
    assert '{"name": "add", "parameters": {"a": "<|im_end|>é", "b": [1.0]}}<|eot_id|>' in text
    assert "ipython<|end_header_id|>\n\n3 <|im_start|><|eot_id|>" in text


def test_a_template_that_refuses_several_calls_is_heard(model: Model) -> None:
    twice = Message("assistant", tool_calls=TALK[1].tool_calls * 2)
    with pytest.raises(InvalidRequest, match="single tool-calls"):
        builder(model, LLAMA3).tokens(request(TALK[0], twice))


@pytest.mark.parametrize("template", [MISTRAL, MISTRAL_NAMED])
def test_mistral_gets_ids_as_short_as_it_wants_them(model: Model, template: str) -> None:
    text = spelled(model, builder(model, template).tokens(request()))
    call, result = [text.index(mark) for mark in ("[TOOL_CALLS]", "[TOOL_RESULTS]")]
    (call_id,) = {
        word
        for word in text[call:result].replace('"', " ").replace("[", " ").replace("]", " ").split()
        if len(word) == 9 and word.isalnum() and word != "arguments"
    }
    assert call_id in text[result:]
    kept = tuple(
        Message(
            m.role,
            m.content,
            tuple(ToolCall("abcDEF123", c.name, c.arguments) for c in m.tool_calls),
            m.tool_call_id and "abcDEF123",
        )
        for m in TALK
    )
    assert spelled(model, builder(model, template).tokens(request(*kept))).count("abcDEF123") == 2


def test_a_tool_without_parameters_has_none_to_show(model: Model) -> None:
    text = spelled(model, builder(model, HERMES).tokens(request(tools=(Tool("now"),))))
    assert '"parameters": {"type": "object", "properties": {}}' in text


@pytest.mark.parametrize("arguments", ["not json", "[1]", '"text"', "[" * 5000])
def test_arguments_that_are_no_object_are_shown_as_they_are(model: Model, arguments: str) -> None:
    talk = (TALK[0], Message("assistant", tool_calls=(ToolCall("call_1", "add", arguments),)))
    assert f'"arguments": {json.dumps(arguments)}' in spelled(model, builder(model, HERMES).tokens(request(*talk)))


def test_arguments_that_no_template_could_write_are_refused(model: Model) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    with pytest.raises(InvalidRequest, match="refuses this conversation"):
        builder(model, HERMES).tokens(request(Message("assistant", tool_calls=(ToolCall("call_1", "add", deep),))))
