"""From a request to the tokens of its prompt: chat template, fill-in-the-middle, plain text.

Templates come with the model and run in jinja2's sandbox. Names of control tokens inside a message's content, a tool's
definition or a call's arguments are data, not control: a message cannot end its own turn or open another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.catalog import InfillMarks
from inference.errors import InvalidRequest, WeightsError
from inference.llamacpp.model import Model
from inference.llamacpp.toolcalls.calling import Calling, calling_for, shown_tools
from inference.llamacpp.toolcalls.families import family_of
from inference.llamacpp.toolcalls.family import definition
from inference.protocol import ChatRequest

if TYPE_CHECKING:
    import jinja2

_OPEN, _CLOSE = "\ue000", "\ue001"  # private-use characters, which no template looks for
_MARKED = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class PromptBuilder:
    """Builds prompts for one model; raises `WeightsError` if the model's chat template cannot be used."""

    def __init__(self, model: Model, infill: InfillMarks | None = None) -> None:
        self._vocabulary = model.vocabulary
        self._infill = model.vocabulary.infill_tokens(infill)
        control = model.vocabulary.control_tokens
        special = sorted({_OPEN, _CLOSE, *control.values()} - {""}, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)))
        self._names = {
            "bos_token": model.vocabulary.name(model.vocabulary.begin),
            "eos_token": model.vocabulary.name(model.vocabulary.end),
        }
        source = model.metadata("tokenizer.chat_template")
        self._template = _compile(source, model.path) if source else None
        self._family = family_of(source or "")
        self._marks = {token: name.encode() for token, name in control.items() if name in self._family.marks}

    @property
    def can_chat(self) -> bool:
        """Whether the model has a chat template."""
        return self._template is not None

    @property
    def can_infill(self) -> bool:
        """Whether the model has fill-in-the-middle tokens."""
        return self._infill is not None

    def tokens(self, request: ChatRequest) -> list[int]:
        """The prompt's tokens; raises `InvalidRequest` if the template refuses the conversation."""
        if request.prompt is None:
            return self._chat(request)
        if request.suffix is not None and self._infill is not None:
            prefix = self._vocabulary.tokenize(request.prompt, control=False)
            suffix = self._vocabulary.tokenize(request.suffix, control=False)
            return self._begun([self._infill.prefix, *prefix, self._infill.suffix, *suffix, self._infill.middle])
        return self._begun(self._vocabulary.tokenize(request.prompt, control=True))

    def _begun(self, tokens: list[int]) -> list[int]:
        vocabulary = self._vocabulary
        missing = vocabulary.adds_begin and tokens[:1] != [vocabulary.begin]
        return [vocabulary.begin, *tokens] if missing else tokens

    def calling(self, request: ChatRequest) -> Calling | None:
        """The tool calls that the request allows or asks for; None without tools. Raises `InvalidRequest`."""
        return calling_for(request, self._family, self._marks)

    def _chat(self, request: ChatRequest) -> list[int]:
        quoted: list[str] = []

        def quote(found: re.Match[str]) -> str:
            quoted.append(found.group())
            return f"{_OPEN}{len(quoted) - 1}{_CLOSE}"

        def as_data(value: object) -> Any:
            return _each(value, lambda text: self._special.sub(quote, text))

        tokens: list[int] = []
        for position, part in enumerate(_MARKED.split(self._render(request, as_data))):
            data = position % 2 == 1  # the split alternates between template text and numbers of quoted names
            tokens += self._vocabulary.tokenize(quoted[int(part)] if data else part, control=not data)
        return self._begun(tokens)

    def _render(self, request: ChatRequest, as_data: Callable[[object], Any]) -> str:
        import jinja2

        assert self._template is not None
        tools = shown_tools(request)
        try:
            turns = self._family.turns(request.messages, tools)
            return self._template.render(
                messages=[{**as_data(turn), "role": turn["role"]} for turn in turns],
                tools=[as_data(definition(tool)) for tool in tools if self._family.knows_tools] or None,
                add_generation_prompt=True,
                **self._names,
            )
        except (jinja2.TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}.", param="messages"
            ) from error


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every text in it changed, names of members too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(name): _each(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_each(part, change) for part in value]
    return value


def _compile(source: str, path: Path) -> jinja2.Template:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(
        value: object,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise WeightsError(f"The chat template in {path} cannot be used: {error}.") from error
