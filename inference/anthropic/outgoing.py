"""The protocol's requests as bodies for Anthropic's Messages API; used by its client.

What the API lacks is refused by name. Sampling is written only where it differs from the defaults, because newer
models refuse it. Blocks that say nothing are left out: the API takes none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import ChatRequest, Message, Sampling, Tool, ToolCall, ToolChoice

Json = dict[str, Any]
_LACKING = (
    *("seed", "n", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
    *("logit_bias", "logprobs"),
)
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "function": "tool"}


def messages_body(request: ChatRequest, model: str, max_tokens: int, prompt_cache: bool) -> Json:
    """The body for /messages, always as a stream; `max_tokens` is for a request that names none.

    Raises `UnsupportedParameter` or `InvalidRequest` for what cannot be carried; `param` is the field.
    """
    sampling = request.sampling
    for name in _LACKING:
        if getattr(sampling, name) != getattr(Sampling(), name):
            why = f"Anthropic's Messages API, which answers for {request.model!r}, has no {name!r}"
            raise UnsupportedParameter(f"{why}.", param=name)
    if sampling.temperature > 1:
        why = f"the temperatures of {request.model!r} end at 1, as Anthropic's Messages API has them"
        raise UnsupportedParameter(f"'temperature' is {sampling.temperature:g}, but {why}.", param="temperature")
    body = prompt_body(request, model)
    if prompt_cache:
        _mark_prefix(body)
    body |= {"stream": True, "max_tokens": max_tokens if sampling.max_tokens is None else sampling.max_tokens}
    for name in ("temperature", "top_p", "top_k"):
        if getattr(sampling, name) != getattr(Sampling(), name):
            body[name] = getattr(sampling, name)
    if sampling.stop:
        body["stop_sequences"] = list(sampling.stop)
    return body


def prompt_body(request: ChatRequest, model: str) -> Json:
    """The body for /messages/count_tokens: all that the model is shown. Raises as `messages_body` does."""
    turns = _turns(request.messages)
    if not turns or turns[-1]["role"] == "assistant":
        why = "the last message must be the user's or a tool's and not empty: beginnings of answers are not continued"
        raise UnsupportedParameter(f"'messages': {why}.", param="messages")
    body: Json = {"model": model, "messages": turns}
    # Instructions in the middle of a conversation go to the top, too: few models take them anywhere else.
    said = [message.content for message in request.messages if message.role == "system" and message.content.strip()]
    if said:
        body["system"] = [_text(text) for text in said]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body |= _tool_choice(request.tool_choice, request.parallel_tool_calls)
    if request.response_format.kind == "json_object":
        why = "Anthropic's Messages API writes JSON only by a schema; ask for 'json_schema'"
        raise UnsupportedParameter(f"'response_format' is 'json_object', but {why}.", param="response_format")
    if request.response_format.kind == "json_schema":
        # Not a forced call, the older way: the answer's text is the JSON, it comes in pieces, and tools stay free.
        schema = _closed(request.response_format.schema or {})
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return body


def _turns(messages: Sequence[Message]) -> list[Json]:
    """The conversation without its instructions. Results of calls stand together, before what else the user says."""
    turns: list[Json] = []
    for message in messages:
        blocks = [] if message.role == "system" else [*_blocks(message)]
        if not blocks:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "tool" and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
            turns[-1]["content"].sort(key=lambda block: block["type"] != "tool_result")
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> Iterator[Json]:
    if message.role == "tool":
        result: Json = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id or "")}
        yield result | ({"content": message.content} if message.content.strip() else {})
        return
    if message.content.strip():
        yield _text(message.content)
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": _arguments(call)}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _id(call_id: str) -> str:
    """The API takes these characters only; other engines' ids have others, too."""
    return _NOT_IN_IDS.sub("_", call_id)


def _arguments(call: ToolCall) -> Json:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        why = "are no JSON object, which Anthropic's Messages API insists on"
        raise InvalidRequest(f"The arguments of the call {call.id!r} of {call.name!r} {why}.", param="messages")
    return arguments


def _tool(tool: Tool) -> Json:
    written: Json = {"name": tool.name, "input_schema": {"type": "object", **tool.parameters}}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return written


def _tool_choice(choice: ToolChoice, parallel: bool) -> Json:
    written: Json = {"type": _CHOICES[choice.mode]}
    if choice.name is not None:
        written["name"] = choice.name
    if not parallel and choice.mode != "none":
        written["disable_parallel_tool_use"] = True
    return {} if written == {"type": "auto"} else {"tool_choice": written}


def _closed(schema: Mapping[str, Any]) -> Json:
    """The schema with its objects closed to further keys where they do not say: the API insists.

    What follows it follows the original as well.
    """
    closed = dict(schema)
    kinds = closed.get("type", ())
    if "object" in ((kinds,) if isinstance(kinds, str) else kinds):
        closed.setdefault("additionalProperties", False)
    for name in ("properties", "$defs", "definitions"):
        if isinstance(inner := closed.get(name), Mapping):
            closed[name] = {key: _closed(each) if isinstance(each, Mapping) else each for key, each in inner.items()}
    if isinstance(items := closed.get("items"), Mapping):
        closed["items"] = _closed(items)
    if isinstance(several := closed.get("anyOf"), list):
        closed["anyOf"] = [_closed(each) if isinstance(each, Mapping) else each for each in several]
    return closed


def _mark_prefix(body: Json) -> None:
    """Mark the ends of prefixes that later prompts begin with, too. The API reads tools, then instructions, then turns.

    The newest turn is where the next request's prompt goes on. What the last request's ended with is marked again: the
    API finds by itself what was cached only up to 20 blocks before a mark, and answers may have more calls than that.
    What all conversations begin with has a mark of its own. Four are allowed.
    """
    fixed = body.get("system") or body.get("tools") or []
    said = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
    for blocks in (fixed, *said[-2:]):
        if blocks:
            blocks[-1]["cache_control"] = {"type": "ephemeral"}
