"""Tools' parameters as rules of one grammar: strict ones or as much of them as there can be, and each for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.llamacpp.model import Model
from inference.llamacpp.toolcalls.schemas import argument_grammars, joined
from inference.protocol import Tool
from tests.inference.test_grammar import fits


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[Model]:
    model = Model(tiny_gguf, gpu_layers=0)
    yield model
    model.close()


def tool(schema: dict[str, Any], *, strict: bool = False) -> Tool:
    return Tool("f", parameters=schema, strict=strict)


def accepted(model: Model, tools: list[Tool], number: int, texts: list[str]) -> list[str]:
    grammar = f"{joined(argument_grammars(tools))}\nroot ::= arguments-{number}"
    return [text for text in texts if fits(model, grammar, text)]


ANY = ["{}", '{"x": [1, {"y": null}]}']
NO_OBJECT = ["1", "[]", '"{}"', ""]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "string"},
        {"anyOf": [{"type": "object"}]},
        {"type": "wizard"},
        {"type": "object", "not": {"required": ["x"]}},
        {"type": "object", "properties": {"x": {"$ref": "https://example.com"}}},
    ],
)
def test_where_nothing_better_can_be_had_any_object_will_do(model: Model, schema: dict[str, Any]) -> None:
    assert accepted(model, [tool(schema)], 0, [*ANY, *NO_OBJECT]) == ANY


def test_of_a_tool_that_is_not_strict_is_kept_what_can_be(model: Model) -> None:
    schema = {"properties": {"x": {"type": "integer", "minimum": 3}, "y": {"type": "string", "pattern": "^a"}}}
    texts = ['{"x": 1}', '{"x": 1, "y": "b"}', '{"x": "1"}', '{"z": 1}']
    assert accepted(model, [tool(schema)], 0, texts) == texts[:2]


@pytest.mark.parametrize(
    ("schema", "error", "sentence"),
    [
        ({"properties": {"x": {"minimum": 3}}}, UnsupportedParameter, "'minimum' of the tool 'f' cannot be kept"),
        ({"type": "string"}, InvalidRequest, "of the tool 'f' cannot be used: its type must be 'object'"),
        ({"type": "object", "properties": 3}, InvalidRequest, "of the tool 'f' cannot be used"),
    ],
)
def test_a_strict_tool_is_kept_to_the_letter_or_refused(
    schema: dict[str, Any], error: type[InvalidRequest], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        argument_grammars([tool(schema, strict=True)])
    assert (type(caught.value), caught.value.param) == (error, "tools")


def test_tools_do_not_get_in_each_others_way(model: Model) -> None:
    def day(value: int) -> Tool:
        schema = {"properties": {"x": {"$ref": "#/$defs/day"}, "20": {"$ref": "#/$defs/day"}}}
        return tool({**schema, "$defs": {"day": {"const": value}, "unused": {}}, "required": ["x"]}, strict=True)

    named_as_built_in = tool({"properties": {"string": {"const": 7}, "x": {"type": "string"}}}, strict=True)
    tools = [day(1), named_as_built_in, day(2), tool({"properties": {"x": {"type": "string"}}})]
    texts = ['{"x": 1, "20": 1}', '{"x": 2, "20": 2}', '{"string": 7, "x": "a"}', '{"x": "a"}', '{"x": 7}']
    assert accepted(model, tools, 0, texts) == [texts[0]]
    assert accepted(model, tools, 1, texts) == [texts[2], texts[3]]
    assert accepted(model, tools, 2, texts) == [texts[1]]
    assert accepted(model, tools, 3, texts) == [texts[3]]


def test_rules_that_tools_share_are_there_once() -> None:
    one = joined(argument_grammars([tool({})]))
    many = joined(argument_grammars([tool({})] * 20))
    assert len(many) < 2 * len(one)
    assert many.count("\nstring ::=") == 1
