"""JSON schemas as llama.cpp grammars (GBNF), so that a model can write nothing else.

A keyword that the grammar cannot hold is refused by name: an answer that silently ignores half of
its schema would be worse than none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import ResponseFormat

MAX_DEPTH = 32
MAX_REPETITIONS = 1000
MAX_GRAMMAR_BYTES = 64_000  # a step takes longer the longer the grammar is, for everybody

# The converter's rule for a character in a string lets control characters pass, which JSON does not.
_ANY_CHARACTER, _JSON_CHARACTER = '\nchar ::= [^"\\\\] ', '\nchar ::= [^"\\\\\\x00-\\x1F\\x7F] '

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
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})


def json_grammar(wanted: ResponseFormat) -> str | None:
    """The grammar of the answers wanted; None for free text.

    Raises `UnsupportedParameter` for a keyword that cannot be kept, `InvalidRequest` for a schema that makes no sense.
    """
    if wanted.kind == "text":
        return None
    schema = dict(wanted.schema or {}) if wanted.kind == "json_schema" else {"type": "object"}
    _check(schema, 0)
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        grammar: str = json_schema_to_gbnf(json.dumps(schema))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"it cannot be turned into a grammar ({error})") from error
    grammar = grammar.replace(_ANY_CHARACTER, _JSON_CHARACTER)
    if len(grammar) > MAX_GRAMMAR_BYTES:
        raise _invalid(f"its grammar is longer than {MAX_GRAMMAR_BYTES} bytes")
    return grammar


def _check(schema: object, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise _invalid(f"{schema!r} stands where a schema should be")
    if depth > MAX_DEPTH:
        raise _invalid(f"it is nested deeper than {MAX_DEPTH} levels")
    for keyword, value in schema.items():
        _check_keyword(keyword, value)
        for part in _subschemas(keyword, value):
            _check(part, depth + 1)


def _check_keyword(keyword: str, value: Any) -> None:
    if keyword not in _SUPPORTED or (keyword == "format" and value not in _FORMATS):
        name = f"format: {value}" if keyword == "format" else keyword
        raise UnsupportedParameter(
            f"The schema keyword {name!r} cannot be kept by a grammar; leave it out and check the answer. "
            f"Supported are {', '.join(sorted(_SUPPORTED - _ANNOTATIONS))}.",
            param="response_format",
        )
    if keyword in _REPETITIONS and not (isinstance(value, int) and 0 <= value <= MAX_REPETITIONS):
        raise _invalid(f"{keyword} must be a whole number up to {MAX_REPETITIONS}")


def _subschemas(keyword: str, value: Any) -> list[object]:
    if keyword in _SUBSCHEMAS:
        return [value]
    if keyword in _LISTS_OF_SUBSCHEMAS and isinstance(value, list):
        return value
    if keyword in _MAPS_OF_SUBSCHEMAS and isinstance(value, Mapping):
        return list(value.values())
    return []


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"The schema in 'response_format' cannot be used: {why}.", param="response_format")
