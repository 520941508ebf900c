"""Turn validation errors of models.yaml into sentences with a line, the key and the valid keys."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Loc = Sequence[int | str]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (1-based line, dotted key) and what."""

    line: int | None
    key: str
    message: str


class ConfigError(Exception):
    """The file cannot be used; the message has one line per problem."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(_line(path, problem) for problem in problems))


def _line(path: Path, problem: Problem) -> str:
    where = str(path) + (f":{problem.line}" if problem.line else "")
    return f"{where}: {problem.key}: {problem.message}" if problem.key else f"{where}: {problem.message}"


def explain(error: ValidationError, document: Node, schema: Mapping[str, Any]) -> list[Problem]:
    """One problem per validation error, in the order of the file."""
    problems = []
    for item in error.errors(include_url=False):
        loc = item["loc"]
        path, line = _place(document, loc, of_key=item["type"] == "extra_forbidden")
        if item["type"] == "extra_forbidden":
            message = _unknown_key(str(loc[-1]), valid_keys(schema, loc[:-1]))
        elif item["type"] == "missing":
            message = "this key is missing"
            path = ".".join(filter(None, [path, str(loc[-1])]))
        else:
            message = item["msg"].removeprefix("Value error, ")
        problems.append(Problem(line, path, message))
    # A list that lost an invalid item must not also be reported as too short.
    problems = [problem for problem in problems if "after validation" not in problem.message] or problems
    return sorted(problems, key=lambda problem: problem.line or 0)


def _unknown_key(key: str, valid: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, valid, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key; {hint}Valid keys: {', '.join(valid)}."


def _place(node: Node, loc: Loc, *, of_key: bool) -> tuple[str, int | None]:
    """The dotted path and the line of a location; segments that are no keys (union tags) are passed over."""
    path, line = "", None
    for segment in loc:
        child = _child(node, segment)
        if child is None:
            continue
        key_node, node = child
        path += f"[{segment}]" if isinstance(segment, int) else f"{'.' if path else ''}{segment}"
        line = (key_node if of_key or isinstance(node, ScalarNode) else node).start_mark.line + 1
    return path, line


def _child(node: Node, segment: int | str) -> tuple[Node, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(segment, int) and segment < len(node.value):
        return node.value[segment], node.value[segment]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(segment):
                return key, value
    return None


def valid_keys(schema: Mapping[str, Any], loc: Loc) -> list[str]:
    """The keys a mapping at this location may have, from the JSON schema."""
    node: Mapping[str, Any] = schema
    for segment in loc:
        node = _step(schema, _resolved(schema, node), segment)
    return sorted(_resolved(schema, node).get("properties", {}))


def _step(schema: Mapping[str, Any], node: Mapping[str, Any], segment: int | str) -> Mapping[str, Any]:
    if segment in node.get("properties", {}):
        return _mapping(node["properties"][segment])
    if segment in (tags := node.get("discriminator", {}).get("mapping", {})):
        return {"$ref": tags[segment]}
    if isinstance(segment, int):
        return _mapping(node.get("items") or next(iter(node.get("prefixItems", [])), {}))
    return _mapping(node.get("additionalProperties") or {})


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references and optional types to the schema that has the keys."""
    while "$ref" in node:
        node = _mapping(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    for option in node.get("anyOf", []):
        if option.get("type") != "null" and "properties" not in node:
            return _resolved(schema, option)
    return node


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def repeated_keys(node: Node) -> Iterator[Problem]:
    """Keys that stand twice in one mapping; YAML would silently take the last."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from repeated_keys(item)
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value in seen:
                yield Problem(key.start_mark.line + 1, str(key.value), "this key stands twice")
            seen.add(str(key.value))
            yield from repeated_keys(value)
