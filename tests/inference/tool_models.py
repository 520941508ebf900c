"""Tiny models of every family of tool calls, tools for them, and a look at what they call.

The templates are the relevant parts of the published ones, as they are.
"""

from __future__ import annotations

import json
from typing import Any

from inference.protocol import ChatRequest, Choice, Message, Sampling, Tool
from tests.inference.tiny_model import CHATML, FIRST_WORD, Shape

HERMES = """{%- if tools %}{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content }}{%- endif %}
{{- "\\n\\n# Tools\\n<tools>" }}{%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
{{- "\\n</tools>\\n<tool_call>\\n" }}
{{- "{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call>" }}
{{- "<|im_end|>\\n" }}
{%- endif %}{%- for message in messages %}
{%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- elif message.role == "assistant" %}{{- '<|im_start|>' + message.role }}
{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
{%- for tool_call in message.tool_calls %}{%- set tool_call = tool_call.function %}
{{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}{{- tool_call.arguments | tojson }}
{{- '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}
{%- elif message.role == "tool" %}
{%- if loop.first or messages[loop.index0 - 1].role != "tool" %}{{- '<|im_start|>user' }}{%- endif %}
{{- '\\n<tool_response>\\n' }}{{- message.content }}{{- '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != "tool" %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

LLAMA3 = """{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if not tools is none %}{{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
{{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.\\n\\n' }}
{%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}{%- endif %}
{%- for message in messages %}{%- if not (message.role == 'tool' or 'tool_calls' in message) %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- elif 'tool_calls' in message %}{%- if not message.tool_calls|length == 1 %}
{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}
{%- set tool_call = message.tool_calls[0].function %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{{- '{"name": "' + tool_call.name + '", ' }}
{{- '"parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}" }}{{- "<|eot_id|>" }}
{%- else %}{{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}{{- message.content }}{{- "<|eot_id|>" }}
{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"""

MISTRAL = """{%- set user_messages = messages | selectattr("role", "equalto", "user") | list %}{{- bos_token }}
{%- for message in messages %}{%- if message["role"] == "user" %}
{%- if tools is not none and (message == user_messages[-1]) %}{{- "[AVAILABLE_TOOLS][" }}
{%- for tool in tools %}{{- tool.function | tojson }}{%- endfor %}{{- "][/AVAILABLE_TOOLS]" }}{%- endif %}
{{- "[INST]" + message["content"] + "[/INST]" }}
{%- elif (message.tool_calls is defined and message.tool_calls is not none) %}{{- "[TOOL_CALLS][" }}
{%- for tool_call in message.tool_calls %}{%- set out = tool_call.function|tojson %}{{- out[:-1] }}
{%- if not tool_call.id is defined or tool_call.id|length != 9 %}
{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
{{- ', "id": "' + tool_call.id + '"}' }}{%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
{%- endfor %}{%- elif message["role"] == "assistant" %}{{- message["content"] + eos_token}}
{%- else %}{{- '[TOOL_RESULTS]{"content": ' + message.content|string + ", " }}
{%- if not message.tool_call_id is defined or message.tool_call_id|length != 9 %}
{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
{{- '"call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}{%- endif %}{%- endfor %}"""

MISTRAL_NAMED = """{{- bos_token }}
{%- if tools %}{{- '[AVAILABLE_TOOLS]' + (tools|tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}
{%- for message in messages %}{%- if message["role"] == "user" %}{{- "[INST]" + message["content"] + "[/INST]" }}
{%- elif message.role == "assistant" %}{{- message.content }}{%- for tool_call in message.get('tool_calls') or [] %}
{{- '[TOOL_CALLS]' + tool_call.function.name }}
{%- if tool_call.id|length != 9 %}{{- raise_exception("Tool call IDs should have a length of 9!") }}{%- endif %}
{{- '[CALL_ID]' + tool_call.id }}{{- '[ARGS]' + tool_call['function']['arguments']|tojson }}{%- endfor %}
{{- eos_token }}{%- else %}
{{- '[TOOL_RESULTS]' + message.tool_call_id + '[TOOL_CONTENT]' + message.content|string + '[/TOOL_RESULTS]' }}
{%- endif %}{%- endfor %}"""

CONTEXT = 4096
SHAPES = {
    "hermes": Shape(context=CONTEXT, template=HERMES, words=("<tool_call>", "</tool_call>")),
    "llama3": Shape(context=CONTEXT, template=LLAMA3, control=("<|python_tag|>",)),
    "mistral": Shape(context=CONTEXT, template=MISTRAL, control=("[TOOL_CALLS]",)),
    "mistral named": Shape(context=CONTEXT, template=MISTRAL_NAMED, control=("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")),
    "generic": Shape(context=CONTEXT, template=CHATML, words=("<tool_call>",)),
}
"""A shape per family, whose first word or control token begins calls."""

FIRST = FIRST_WORD

WEATHER = Tool(
    "get_weather",
    "The weather of a place.",
    {
        "type": "object",
        "properties": {
            "place": {"type": "string", "maxLength": 12},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "array", "items": {"$ref": "#/$defs/day"}, "minItems": 1, "maxItems": 2},
        },
        "required": ["place", "unit"],
        "additionalProperties": False,
        "$defs": {"day": {"enum": [1, 2, 3]}},
    },
)
ADD = Tool(
    "add",
    "Adds two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "day": {"$ref": "#/$defs/day"}},
        "required": ["a", "day"],
        "$defs": {
            "day": {"type": "object", "properties": {"name": {"const": 'day } "</tool_call>'}}, "required": ["name"]}
        },
    },
)
PING = Tool("ping", parameters={"type": "object", "properties": {}})
TOOLS = (WEATHER, ADD, PING)


def ask(text: str = "Is it raining?", sampling: Sampling | None = None, **fields: Any) -> ChatRequest:
    return ChatRequest("tiny", (Message("user", text),), sampling=sampling or Sampling(0), **{"tools": TOOLS, **fields})


def check_calls(choice: Choice) -> list[str]:
    """The names of the functions called, after a look at their arguments."""
    for call in choice.tool_calls:
        arguments = json.loads(call.arguments)
        if call.name == "get_weather":
            assert {"place", "unit"} <= set(arguments) <= {"place", "unit", "days"}
            assert arguments["unit"] in ("celsius", "fahrenheit")
            assert set(arguments.get("days", [1])) <= {1, 2, 3}
        elif call.name == "add":
            assert arguments["a"] in (True, False)
            assert arguments["day"] == {"name": 'day } "</tool_call>'}
        else:
            assert (call.name, arguments) == ("ping", {})
    assert len({call.id for call in choice.tool_calls}) == len(choice.tool_calls)
    return [call.name for call in choice.tool_calls]
