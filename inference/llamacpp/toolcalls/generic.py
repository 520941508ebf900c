"""Every other model: tools are described in a system message, and calls are spelled as Hermes does.

For templates that know nothing of tools, and for those whose own spelling none of our families has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from inference.llamacpp.toolcalls.family import Json, arguments_of, definition
from inference.llamacpp.toolcalls.hermes import CLOSE, OPEN, Hermes
from inference.protocol import Message, Tool, ToolCall

INSTRUCTION = """# Tools

You may call one or more functions. Their signatures are between <tools></tools>:
<tools>
{definitions}
</tools>

For each call write a JSON object with the function's name and arguments between <tool_call></tool_call>:
<tool_call>
{{"name": <function-name>, "arguments": <arguments-object>}}
</tool_call>"""


class Generic(Hermes):
    """The template sees only system, user and assistant messages, with nothing but text in them."""

    knows_tools = False

    def fits(self, template: str) -> bool:
        """Whatever comes."""
        return True

    def turns(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[Json]:
        """Calls are spelled out; results in a row are one user message, since many templates insist on a change."""
        turns: list[Message] = []
        for message in messages:
            plain = self._plain(message)
            if message.role == "tool" and turns and turns[-1].tool_call_id is not None:
                turns[-1] = replace(plain, content=f"{turns[-1].content}\n{plain.content}")
            else:
                turns.append(plain)
        return [{"role": turn.role, "content": turn.content} for turn in _instructed(turns, tools)]

    def _plain(self, message: Message) -> Message:
        if message.role == "tool":
            return replace(message, role="user", content=f"<tool_response>\n{message.content}\n</tool_response>")
        spelled = [part for part in (message.content, *map(_spelled, message.tool_calls)) if part]
        return replace(message, content="\n".join(spelled))


def _spelled(call: ToolCall) -> str:
    body = json.dumps({"name": call.name, "arguments": arguments_of(call)}, ensure_ascii=False)
    return f"{OPEN}\n{body}\n{CLOSE}"


def _instructed(turns: list[Message], tools: Sequence[Tool]) -> list[Message]:
    if not tools:
        return turns
    definitions = "\n".join(json.dumps(definition(tool), ensure_ascii=False) for tool in tools)
    instruction = INSTRUCTION.format(definitions=definitions)
    if turns and turns[0].role == "system":
        return [replace(turns[0], content=f"{turns[0].content}\n\n{instruction}"), *turns[1:]]
    return [Message("system", instruction), *turns]
