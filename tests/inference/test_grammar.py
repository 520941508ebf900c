"""JSON schemas: which become grammars, and which are refused and why."""

from __future__ import annotations

from typing import Any

import pytest

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.llamacpp.grammar import json_grammar
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
