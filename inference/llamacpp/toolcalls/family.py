"""What there is to know about a family of models: how its chat template shows tools, and how it spells a call.

A family is one file with a subclass and one line in `families.py`. Grammar rules are llama.cpp's GBNF; the rule
`arguments-N` is there for the arguments of the request's tool number N, and `gap` for a space, a line end or nothing.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from inference.llamacpp.grammar import literal
from inference.protocol import Message, Tool, ToolCall

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A text that begins calls, and the grammar rule for what follows it.

    Where it ends, there is no way back to plain text. With `at_start` it counts only at the beginning of an answer.
    """

    text: str
    rule: str
    at_start: bool = False


class Family(ABC):
    """Base of the families; what most of them share is here."""

    marks: ClassVar[tuple[str, ...]] = ()
    """Tokens of its spelling that a vocabulary may hold as control tokens, which otherwise have no text."""

    head: ClassVar[re.Pattern[str]]
    """What stands between the beginning of a call, or the end of the one before, and the arguments' first brace.

    The group `name` is the function's name. It ends in front of the brace, and is found only when that is there.
    """

    knows_tools: ClassVar[bool] = True
    """Whether the template takes the tools itself."""

    @abstractmethod
    def fits(self, template: str) -> bool:
        r"""Whether a chat template is of this family, by its source, in which `\"` was made `"`."""

    @abstractmethod
    def rules(self, names: Sequence[str], several: bool) -> str:
        """Grammar rules for calls of the functions named: `calls`, which is all of it, and those of the triggers."""

    @abstractmethod
    def triggers(self, names: Sequence[str]) -> tuple[Trigger, ...]:
        """What begins calls in an answer that may also be text."""

    def turns(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[Json]:
        """The conversation as the template wants it; by default as Hugging Face's templates do."""
        names = {call.id: call.name for message in messages for call in message.tool_calls}
        return [self._turn(message, names) for message in messages]

    def _turn(self, message: Message, names: Mapping[str, str]) -> Json:
        turn: Json = {"role": message.role, "content": message.content}
        if message.tool_calls:  # templates ask whether the key is there
            turn["tool_calls"] = [
                {
                    "id": self.call_id(call.id),
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments_of(call)},
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            turn["tool_call_id"] = self.call_id(message.tool_call_id)
            turn["name"] = names.get(message.tool_call_id, "")
        return turn

    def call_id(self, given: str) -> str:
        """A call's id as the template accepts it."""
        return given


def definition(tool: Tool) -> Json:
    """A tool as templates show it. A schema of nothing is spelled out, because many ask for its properties."""
    parameters: Mapping[str, object] = tool.parameters or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": dict(parameters)}
    return {"type": "function", "function": function}


def arguments_of(call: ToolCall) -> Json | str:
    """A call's arguments as an object; as the text they are, where that is none."""
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call.arguments
    return arguments if isinstance(arguments, dict) else call.arguments


def object_rules(names: Sequence[str], key: str, last: str = "") -> str:
    """The rule `call`: a JSON object with a function's name and, under `key`, its arguments.

    Once the name is written, `call-N` is what follows; `last` may stand at the object's end.
    """
    choices = " | ".join(f"{literal(json.dumps(name))} call-{number}" for number, name in enumerate(names))
    called = [
        f'call-{number} ::= gap "," gap {literal(json.dumps(key) + ":")} gap arguments-{number} gap {last} "}}"'
        for number in range(len(names))
    ]
    return "\n".join([f'call ::= "{{" gap {literal(json.dumps("name") + ":")} gap ({choices})', *called])


def object_head(key: str) -> re.Pattern[str]:
    """The pattern of what `object_rules` writes before the arguments."""
    return re.compile(r'\{\s*"name":\s*"(?P<name>[^"]*)"\s*,\s*"' + key + r'":\s*(?=\{)')
