"""The parameters of tools as rules of one grammar, in which no tool's rules get in another's way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from inference.errors import InvalidRequest
from inference.llamacpp.grammar import Place, schema_grammar, without_details
from inference.protocol import Tool

# A grammar's literals and character classes, which are left alone, and its names.
_GRAMMAR_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|(?P<name>[a-zA-Z0-9-]+)')
_COMBINED = frozenset({"anyOf", "oneOf", "allOf", "not", "enum", "const", "$ref"})


def argument_grammars(tools: Sequence[Tool]) -> dict[str, str]:
    """The grammars of the tools' arguments, that of the tool number N under `arguments-N`.

    Raises `UnsupportedParameter` or `InvalidRequest` for a strict tool whose schema no grammar keeps.
    """
    return {f"arguments-{number}": _grammar(tool) for number, tool in enumerate(tools)}


def joined(grammars: Mapping[str, str]) -> str:
    """The rules of several grammars of JSON, in which each one's root has the name that it stands under."""
    shared: dict[str, str] = {}
    lines: list[str] = []
    for root, grammar in grammars.items():
        rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
        own = rules.keys() - _builtin_names()
        shared |= {name: rule for name, rule in rules.items() if name not in own}
        names = {name: f"{root}-{name}" for name in own} | {"root": root}
        lines += [f"{names[name]} ::= {_renamed(rule, names)}" for name, rule in rules.items() if name in own]
    return "\n".join([*lines, *(f"{name} ::= {rule}" for name, rule in shared.items())])


def _grammar(tool: Tool) -> str:
    """The grammar of a tool's arguments; of a tool that is not strict, as much of it as there can be."""
    place = Place("tools", f"of the tool {tool.name!r}")
    for schema in _wanted(tool):
        try:
            if not _is_object(schema):
                raise place.invalid("its type must be 'object'")
            return schema_grammar({"type": "object", **schema}, place)
        except InvalidRequest:
            if tool.strict:
                raise
    return schema_grammar({"type": "object"}, place)


def _wanted(tool: Tool) -> Iterator[Mapping[str, object]]:
    yield tool.parameters
    relaxed = without_details(tool.parameters)
    assert isinstance(relaxed, Mapping)
    yield relaxed


def _is_object(schema: Mapping[str, object]) -> bool:
    return schema.get("type", "object") == "object" and not _COMBINED & schema.keys()


def _renamed(rule: str, names: Mapping[str, str]) -> str:
    def rename(found: re.Match[str]) -> str:
        name = found.group("name")
        return names.get(name, name) if name else found.group()

    return _GRAMMAR_TOKEN.sub(rename, rule)


def _builtin_names() -> frozenset[str]:
    """The converter's own rules, the same in every grammar; it lets no schema have one of these names."""
    from llama_cpp.llama_grammar import PRIMITIVE_RULES, STRING_FORMAT_RULES

    return frozenset({"space", *PRIMITIVE_RULES, *STRING_FORMAT_RULES})
