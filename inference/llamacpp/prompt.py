"""From a request to the tokens of its prompt: chat template, fill-in-the-middle, plain text.

Templates come with the model and run in jinja2's sandbox. Names of control tokens inside a message's content
are data, not control: a message cannot end its own turn or open another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inference.errors import InvalidRequest, WeightsError
from inference.llamacpp.model import Model
from inference.protocol import ChatRequest, Message

if TYPE_CHECKING:
    import jinja2

_OPEN, _CLOSE = "\ue000", "\ue001"  # private-use characters, which no template looks for
_MARKED = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class PromptBuilder:
    """Builds prompts for one model; raises `WeightsError` if the model's chat template cannot be used."""

    def __init__(self, model: Model) -> None:
        self._vocabulary = model.vocabulary
        self._infill = model.vocabulary.infill_tokens()
        special = sorted({_OPEN, _CLOSE, *model.vocabulary.control_names()} - {""}, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)))
        self._names = {
            "bos_token": model.vocabulary.name(model.vocabulary.begin),
            "eos_token": model.vocabulary.name(model.vocabulary.end),
        }
        source = model.metadata("tokenizer.chat_template")
        self._template = _compile(source, model.path) if source else None

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
            return self._chat(request.messages)
        if request.suffix is not None and self._infill is not None:
            prefix = self._vocabulary.tokenize(request.prompt, control=False)
            suffix = self._vocabulary.tokenize(request.suffix, control=False)
            return self._begun([self._infill.prefix, *prefix, self._infill.suffix, *suffix, self._infill.middle])
        return self._begun(self._vocabulary.tokenize(request.prompt, control=True))

    def _begun(self, tokens: list[int]) -> list[int]:
        vocabulary = self._vocabulary
        missing = vocabulary.adds_begin and tokens[:1] != [vocabulary.begin]
        return [vocabulary.begin, *tokens] if missing else tokens

    def _chat(self, messages: Sequence[Message]) -> list[int]:
        quoted: list[str] = []

        def quote(found: re.Match[str]) -> str:
            quoted.append(found.group())
            return f"{_OPEN}{len(quoted) - 1}{_CLOSE}"

        text = self._render(
            [{"role": message.role, "content": self._special.sub(quote, message.content)} for message in messages]
        )
        tokens: list[int] = []
        for position, part in enumerate(_MARKED.split(text)):
            data = position % 2 == 1  # the split alternates between template text and numbers of quoted names
            tokens += self._vocabulary.tokenize(quoted[int(part)] if data else part, control=not data)
        return self._begun(tokens)

    def _render(self, messages: list[dict[str, str]]) -> str:
        import jinja2

        assert self._template is not None
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **self._names)
        except (jinja2.TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}.", param="messages"
            ) from error


def _compile(source: str, path: Path) -> jinja2.Template:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(value: object, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

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
