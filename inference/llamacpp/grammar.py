"""JSON schemas as llama.cpp grammars (GBNF), so that a model can write nothing else.

A keyword that the grammar cannot hold is refused by name: an answer that silently ignores half of
its schema would be worse than none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import ResponseFormat

MAX_DEPTH = 32
MAX_REPETITIONS = 1000
MAX_GRAMMAR_BYTES = 64_000  # a step takes longer the longer the grammar is, for everybody

# The converter's rule for a character in a string lets control characters pass, which JSON does not.
_ANY_CHARACTER = re.compile(r'^char ::= \[\^"\\\\] ', re.MULTILINE)
_JSON_CHARACTER = r'char ::= [^"\\\x00-\x1F\x7F] '

_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly"}
)
_SUBSCHEMAS = frozenset({"items", "additionalProperties"})
_LISTS_OF_SUBSCHEMAS = frozenset({"anyOf", "oneOf", "prefixItems"})
_MAPS_OF_SUBSCHEMAS = frozenset({"properties", "$defs", "definitions"})
_REPETITIONS = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
_VALUES = frozenset({"type", "enum", "const", "required", "$ref"})
_SUPPORTED = (
    _ANNOTATIONS | _SUBSCHEMAS | _LISTS_OF_SUBSCHEMAS | _MAPS_OF_SUBSCHEMAS | _REPETITIONS | _VALUES | {"format"}
)
_DETAILS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "uniqueItems"}
    | {"minProperties", "maxProperties", "contentEncoding", "contentMediaType"}
)
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a schema stands, for complaints: the request's field, and words for it."""

    param: str
    words: str

    def invalid(self, why: str) -> InvalidRequest:
        """The refusal of a schema that makes no sense."""
        return InvalidRequest(f"The schema {self.words} cannot be used: {why}.", param=self.param)


RESPONSE_FORMAT = Place("response_format", "in 'response_format'")


def json_grammar(wanted: ResponseFormat) -> str | None:
    """The grammar of the answers wanted; None for free text. Raises as `schema_grammar`."""
    if wanted.kind == "text":
        return None
    schema = dict(wanted.schema or {}) if wanted.kind == "json_schema" else {"type": "object"}
    return schema_grammar(schema, RESPONSE_FORMAT)


def schema_grammar(schema: Mapping[str, object], place: Place) -> str:
    """The grammar of the JSON that fits a schema.

    Raises `UnsupportedParameter` for a keyword that cannot be kept, `InvalidRequest` for a schema that makes no sense.
    """
    _check(schema, 0, place)
    try:
        grammar = _converted(_spelled_out(schema))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise place.invalid(f"it cannot be turned into a grammar ({error})") from error
    grammar = _ANY_CHARACTER.sub(lambda _: _JSON_CHARACTER, grammar)
    if len(grammar) > MAX_GRAMMAR_BYTES:
        raise place.invalid(f"its grammar is longer than {MAX_GRAMMAR_BYTES} bytes")
    return grammar


def literal(text: str) -> str:
    """A text as it stands in a grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _converted(schema: object) -> str:
    """The grammar by llama-cpp-python's converter, whose literals keep no backslash and whose definitions may be taken
    for properties of the same name."""
    from llama_cpp.llama_grammar import SchemaConverter

    converter: Any = SchemaConverter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    names: dict[str, str] = {}

    def definition(reference: str) -> str:
        if reference not in names:
            names[reference] = f"definition-{len(names)}"
            names[reference] = converter.visit(converter._refs[reference], names[reference])
        return names[reference]

    converter._format_literal, converter._resolve_ref = literal, definition
    converter.visit(converter.resolve_refs(json.loads(json.dumps(schema)), "stdin"), "")
    grammar: str = converter.format_grammar()
    return grammar


def _spelled_out(schema: object) -> object:
    """The schema with an alternative for each of several types, of which the converter would keep nothing else."""
    if not isinstance(schema, Mapping):
        return schema
    spelled = {keyword: _each(keyword, value, _spelled_out) for keyword, value in schema.items()}
    if not isinstance(kinds := spelled.get("type"), list):
        return spelled
    del spelled["type"]
    if {"enum", "const", "anyOf", "oneOf", "$ref"} & spelled.keys():
        return spelled  # which say it all
    definitions = {keyword: spelled.pop(keyword) for keyword in ("$defs", "definitions") if keyword in spelled}
    return {**definitions, "anyOf": [{**spelled, "type": kind} for kind in kinds]}


def _check(schema: object, depth: int, place: Place) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise place.invalid(f"{schema!r} stands where a schema should be")
    if depth > MAX_DEPTH:
        raise place.invalid(f"it is nested deeper than {MAX_DEPTH} levels")
    for keyword, value in schema.items():
        _check_keyword(keyword, value, place)
        for part in _subschemas(keyword, value):
            _check(part, depth + 1, place)


def _check_keyword(keyword: str, value: Any, place: Place) -> None:
    if keyword not in _SUPPORTED or (keyword == "format" and value not in _FORMATS):
        name = f"format: {value}" if keyword == "format" else keyword
        raise UnsupportedParameter(
            f"The schema keyword {name!r} {place.words} cannot be kept by a grammar; leave it out and "
            "check the answer. "
            f"Supported are {', '.join(sorted(_SUPPORTED - _ANNOTATIONS))}.",
            param=place.param,
        )
    if keyword in _REPETITIONS and not (isinstance(value, int) and 0 <= value <= MAX_REPETITIONS):
        raise place.invalid(f"{keyword} must be a whole number up to {MAX_REPETITIONS}")


def _subschemas(keyword: str, value: Any) -> list[object]:
    if keyword in _SUBSCHEMAS:
        return [value]
    if keyword in _LISTS_OF_SUBSCHEMAS and isinstance(value, list):
        return value
    if keyword in _MAPS_OF_SUBSCHEMAS and isinstance(value, Mapping):
        return list(value.values())
    return []


def without_details(schema: object) -> object:
    """The schema without those keywords that only narrow a single value down and that no grammar keeps.

    What fits the schema fits what is left of it, so a caller who checks the answer anyway loses nothing.
    """
    if not isinstance(schema, Mapping):
        return schema
    return {
        keyword: _each(keyword, value, without_details)
        for keyword, value in schema.items()
        if not _is_detail(keyword, value)
    }


def _is_detail(keyword: str, value: Any) -> bool:
    if keyword in _REPETITIONS:
        return not (isinstance(value, int) and 0 <= value <= MAX_REPETITIONS)
    return keyword in _DETAILS or (keyword == "format" and value not in _FORMATS)


def _each(keyword: str, value: Any, change: Callable[[object], object]) -> object:
    """A keyword's value with every schema directly in it changed."""
    if keyword in _SUBSCHEMAS:
        return change(value)
    if keyword in _LISTS_OF_SUBSCHEMAS and isinstance(value, list):
        return [change(part) for part in value]
    if keyword in _MAPS_OF_SUBSCHEMAS and isinstance(value, Mapping):
        return {name: change(part) for name, part in value.items()}
    return value
