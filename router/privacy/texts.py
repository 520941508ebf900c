"""Every text of a request that a model, or who runs it, would read: one way through, to look as well as to replace.

Where JSON is sent, its texts are passed one by one, unescaped, each with the key that it stands under.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from inference.protocol import ChatRequest, EmbedRequest, Message, Tool, ToolCall

Asked = TypeVar("Asked", ChatRequest, EmbedRequest)
Change = Callable[[str, str], str]
"""From a text and its key ("" if it has none) to what shall stand in its place."""


def rewritten(request: Asked, change: Change) -> Asked:
    """The request with every text changed."""
    if isinstance(request, EmbedRequest):
        return replace(request, texts=tuple(change(text, "") for text in request.texts))
    sampling, form = request.sampling, request.response_format
    return replace(
        request,
        messages=tuple(_message(message, change) for message in request.messages),
        prompt=None if request.prompt is None else change(request.prompt, ""),
        suffix=None if request.suffix is None else change(request.suffix, ""),
        sampling=replace(sampling, stop=tuple(change(stop, "") for stop in sampling.stop))
        if sampling.stop
        else sampling,
        tools=tuple(_tool(tool, change) for tool in request.tools),
        tool_choice=replace(request.tool_choice, name=_optional(request.tool_choice.name, change)),
        response_format=replace(form, name=change(form.name, ""), schema=_schema(form.schema, change)),
    )


def texts_of(request: Asked) -> list[tuple[str, str]]:
    """Every text and its key, in the order in which they would be changed."""
    texts: list[tuple[str, str]] = []

    def look(text: str, name: str) -> str:
        texts.append((text, name))
        return text

    rewritten(request, look)
    return texts


def _message(message: Message, change: Change) -> Message:
    return replace(
        message,
        content=change(message.content, ""),
        tool_calls=tuple(_tool_call(call, change) for call in message.tool_calls),
        tool_call_id=_optional(message.tool_call_id, change),
    )


def _tool_call(call: ToolCall, change: Change) -> ToolCall:
    return ToolCall(change(call.id, ""), change(call.name, ""), _arguments(call.arguments, change))


def _tool(tool: Tool, change: Change) -> Tool:
    parameters = _schema(tool.parameters, change) or {}
    return replace(tool, name=change(tool.name, ""), description=change(tool.description, ""), parameters=parameters)


def _optional(text: str | None, change: Change) -> str | None:
    return None if text is None else change(text, "")


def _schema(schema: Mapping[str, object] | None, change: Change) -> dict[str, object] | None:
    return None if schema is None else {change(name, ""): _json(item, name, change) for name, item in schema.items()}


def _arguments(arguments: str, change: Change) -> str:
    """JSON text; it stays byte for byte what it is unless something in it changes. What is no JSON is plain text."""
    try:
        value = json.loads(arguments, object_pairs_hook=_unique)
        changed = _json(value, "", change)
    except (ValueError, RecursionError):
        return change(arguments, "")
    return arguments if changed == value else json.dumps(changed, ensure_ascii=False)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; one with a key twice would hide the first of its values. Raises `ValueError`."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key comes twice")
    return result


def _json(value: object, name: str, change: Change) -> object:
    if isinstance(value, str):
        return change(value, name)
    if isinstance(value, int) and not isinstance(value, bool):
        changed = change(str(value), name)
        return value if changed == str(value) else changed
    if isinstance(value, Mapping):
        return {change(key, ""): _json(item, key, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, name, change) for item in value]
    return value
