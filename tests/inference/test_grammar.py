"""JSON schemas: which become grammars, and which are refused and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.llamacpp.grammar import Place, json_grammar, literal, schema_grammar, without_details
from inference.llamacpp.model import Model
from inference.llamacpp.sampler import Constraint
from inference.protocol import ResponseFormat


def grammar_of(schema: dict[str, Any]) -> str | None:
    return json_grammar(ResponseFormat("json_schema", schema=schema))


def test_free_text_has_no_grammar() -> None:
    assert json_grammar(ResponseFormat()) is None


def test_any_object_and_a_schema_have_one() -> None:
    assert "root ::=" in (json_grammar(ResponseFormat("json_object")) or "")
    grammar = grammar_of(
        {
            "title": "Person",
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 5}, "friends": {"items": {"$ref": "#/$defs/f"}}},
            "$defs": {"f": {"anyOf": [{"type": "null"}, {"const": 3}]}},
            "required": ["name"],
            "additionalProperties": False,
        }
    )
    assert grammar is not None
    assert "friends" in grammar


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 3},
        {"type": "string", "pattern": "^a{1000000000}$"},
        {"type": "string", "format": "email"},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"not": {}}}}},
        {"anyOf": [{"type": "object", "patternProperties": {}}]},
        {"if": {}, "then": {}},
    ],
)
def test_keywords_that_a_grammar_cannot_keep_are_refused_by_name(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter, match="cannot be kept") as caught:
        grammar_of(schema)
    assert caught.value.param == "response_format"


def nested(depth: int) -> dict[str, Any]:
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "null"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": 10**9},
        {"type": "array", "items": {"type": "null"}, "minItems": -1},
        {"type": "wizard"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": 3}},
        {"items": [{"type": "null"}]},
        {"enum": [str(number) * 200 for number in range(10_000)]},
        nested(200),
    ],
)
def test_schemas_that_make_no_sense_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="cannot be used") as caught:
        grammar_of(schema)
    assert caught.value.param == "response_format"


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[Model]:
    model = Model(tiny_gguf, gpu_layers=0)
    yield model
    model.close()


def fits(model: Model, grammar: str | None, text: str) -> bool:
    """Whether a grammar allows a text and then the end of the answer."""
    assert grammar is not None
    constraint = Constraint(model, grammar)
    tokens = [*model.vocabulary.tokenize(text, control=False), model.vocabulary.end]
    try:
        return all(constraint.take(token) for token in tokens)
    finally:
        constraint.close()


@pytest.mark.parametrize("value", ['say "no"', "back\\slash", "two\nlines", "é 🌧", "\ud800", "</tool_call>"])
def test_constants_are_written_as_json_whatever_is_in_them(model: Model, value: str) -> None:
    grammar = grammar_of({"type": "object", "properties": {value: {"enum": [value]}}, "required": [value]})
    assert fits(model, grammar, json.dumps({value: value}))
    assert not fits(model, grammar, json.dumps({value: "other"}))


@pytest.mark.parametrize("name", ["a", "z"])  # the grammar's rules are in the order of the alphabet
def test_a_string_has_no_control_characters_wherever_its_rule_stands(model: Model, name: str) -> None:
    grammar = grammar_of({"type": "object", "properties": {name: {"type": "string", "maxLength": 3}}})
    assert fits(model, grammar, f'{{"{name}": "a\\nb"}}')
    assert not fits(model, grammar, f'{{"{name}": "a\nb"}}')


def test_a_definition_is_no_property_of_the_same_name(model: Model) -> None:
    grammar = grammar_of(
        {
            "type": "object",
            "properties": {"day": {"enum": [1, 2]}, "next": {"$ref": "#/$defs/day"}},
            "required": ["day", "next"],
            "$defs": {"day": {"type": "object", "properties": {"next": {"$ref": "#/$defs/day"}}}},
        }
    )
    assert fits(model, grammar, '{"day": 1, "next": {"next": {}}}')
    assert not fits(model, grammar, '{"day": 1, "next": 2}')


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": ["string", "null"], "enum": ["a", None]}, ['"a"', "null"], ['"b"']),
        ({"type": ["string", "null"], "maxLength": 1}, ['"b"', "null"], ['"bb"', "1"]),
        ({"type": ["array", "null"], "items": {"$ref": "#/$defs/i"}, "$defs": {"i": {"const": 1}}}, ["[1]"], ["[2]"]),
    ],
)
def test_of_several_types_each_is_kept_as_it_is_described(
    model: Model, schema: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    grammar = grammar_of(schema)
    assert [text for text in [*good, *bad] if fits(model, grammar, text)] == good


def test_details_are_left_out_and_nothing_else() -> None:
    schema = {
        "type": "object",
        "properties": {
            "minimum": {"type": "integer", "minimum": 1},
            "a": {"type": "string", "format": "email", "maxLength": 5000, "minLength": 1},
            "b": {"anyOf": [{"type": "string", "pattern": "^a$"}, {"format": "date"}]},
            "c": {"type": "array", "items": {"multipleOf": 3}, "uniqueItems": True, "minItems": 2},
        },
        "not": {},
    }
    assert without_details(schema) == {
        "type": "object",
        "properties": {
            "minimum": {"type": "integer"},
            "a": {"type": "string", "minLength": 1},
            "b": {"anyOf": [{"type": "string"}, {"format": "date"}]},
            "c": {"type": "array", "items": {}, "minItems": 2},
        },
        "not": {},
    }


def test_a_complaint_says_where_the_schema_stands() -> None:
    with pytest.raises(InvalidRequest, match="of the tool 'f' cannot be used") as caught:
        schema_grammar({"properties": 3}, Place("tools", "of the tool 'f'"))
    assert caught.value.param == "tools"


def test_a_literal_is_itself(model: Model) -> None:
    text = 'a "b" \\n \n\r é'
    assert fits(model, f"root ::= {literal(text)}", text)
