"""What a request with tools allows the answer to be: calls only, text until a trigger begins calls, or JSON or calls.

From the first character of a call on a grammar is enforced, so that arguments fit their schema whatever the model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inference.errors import InvalidRequest, UnsupportedParameter
from inference.llamacpp.grammar import MAX_GRAMMAR_BYTES, json_grammar, literal
from inference.llamacpp.toolcalls.family import Family, Trigger
from inference.llamacpp.toolcalls.parser import CallParser
from inference.llamacpp.toolcalls.schemas import argument_grammars, joined
from inference.llamacpp.toolcalls.watch import Watch
from inference.protocol import ChatRequest, Tool

_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Calling:
    """The tool calls of one request. `marks` are the texts of control tokens that are part of a call's spelling.

    Without `triggers` the answer is nothing but calls, with `formed` it may also be JSON of a form.
    """

    family: Family
    rules: str
    marks: Mapping[int, bytes]
    triggers: tuple[Trigger, ...] = ()
    formed: bool = False

    @property
    def free(self) -> bool:
        """Whether the answer may begin as any text."""
        return bool(self.triggers) and not self.formed

    @property
    def grammar(self) -> str:
        """The grammar of an answer that is not free."""
        return f"{self.rules}\nroot ::= calls{' | form' if self.formed else ''}"

    def grammar_after(self, trigger: Trigger, before: str) -> str:
        """The grammar from a token on that completes the trigger with its first characters `before`."""
        return f"{self.rules}\nroot ::= {literal(before)} {trigger.rule}"

    @property
    def watch(self) -> Watch | None:
        """What looks out for calls; None if there is nothing else."""
        return Watch(self.triggers) if self.triggers else None

    def parser(self) -> CallParser:
        """A parser for one answer."""
        return CallParser(self.family, self.watch)


def shown_tools(request: ChatRequest) -> tuple[Tool, ...]:
    """The tools that the model is told of.

    With `tool_choice` "none" there are none: a model that does not know of tools answers in words, while one that is
    told of them and kept from calling would break off in the middle of trying.
    """
    return () if request.tool_choice.mode == "none" else request.tools


def calling_for(request: ChatRequest, family: Family, marks: Mapping[int, bytes]) -> Calling | None:
    """What the request allows; None without tools. Raises `InvalidRequest` or `UnsupportedParameter`."""
    tools = shown_tools(request)
    _check_choice(request)
    if not tools:
        return None
    _check(request)
    mode, name = request.tool_choice.mode, request.tool_choice.name
    callable_ = [tool for tool in tools if mode != "function" or tool.name == name]
    names = [tool.name for tool in callable_]
    several = request.parallel_tool_calls and mode != "function"
    triggers = family.triggers(names) if mode == "auto" else ()
    grammars = argument_grammars(callable_)
    form = json_grammar(request.response_format) if triggers else None
    if form is not None:
        grammars["form"], triggers = form, _at_start(triggers)
    rules = "\n".join([r"gap ::= [ \n]?", family.rules(names, several), joined(grammars)])
    if len(rules) > MAX_GRAMMAR_BYTES:
        raise InvalidRequest(
            f"The tools' parameters cannot be used: their grammar is longer than {MAX_GRAMMAR_BYTES} bytes.",
            param="tools",
        )
    return Calling(family, rules, marks, triggers, formed=form is not None)


def _check_choice(request: ChatRequest) -> None:
    choice, names = request.tool_choice, [tool.name for tool in request.tools]
    if choice.mode == "required" and not names:
        raise InvalidRequest(
            "A 'tool_choice' of 'required' needs at least one function in 'tools'.", param="tool_choice"
        )
    if choice.mode == "function" and choice.name not in names:
        raise InvalidRequest(
            f"The 'tool_choice' {choice.name!r} is none of the functions in 'tools': {', '.join(names) or 'none'}.",
            param="tool_choice",
        )


def _check(request: ChatRequest) -> None:
    """What goes together with tools that may be called, and what does not."""
    if not request.messages:
        raise InvalidRequest("Tools can only be called in a chat; give 'messages', not 'prompt'.", param="tools")
    _check_names([tool.name for tool in request.tools])
    if request.sampling.logprobs:
        raise UnsupportedParameter(
            "This engine gives no log probabilities where tools may be called; leave out 'logprobs' or 'tools'.",
            param="logprobs",
        )


def _at_start(triggers: Sequence[Trigger]) -> tuple[Trigger, ...]:
    """The triggers of an answer that is either calls or JSON, whose texts may contain anything."""
    if any(trigger.text.startswith("{") for trigger in triggers):
        raise InvalidRequest(
            "This model calls tools in JSON, which could not be told from an answer in the form of 'response_format'; "
            "leave that out, or set 'tool_choice' to 'none' or 'required'.",
            param="response_format",
        )
    return tuple(replace(trigger, at_start=True) for trigger in triggers)


def _check_names(names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1 or not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"The tool name {name!r} {'is there twice' if times > 1 else 'has other characters than letters, '}"
                f"{'' if times > 1 else 'digits, _ and -, or more than 64'}.",
                param="tools",
            )
