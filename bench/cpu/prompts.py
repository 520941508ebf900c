"""Texts of an exact number of tokens, and the requests made of them.

Every text is different from its beginning on, so that no server can take over what it computed for another, except
where a workload shares a prefix on purpose. All servers get the same bytes.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from bench.cpu.load import Ask
from bench.report import ROOT


class Texts(Protocol):
    """Makes texts of an exact number of tokens."""

    def text(self, chance: random.Random, tokens: int) -> str:
        """A text; which one is up to `chance`."""
        ...


class Letters:
    """For the random model, whose tokens are single characters."""

    def text(self, chance: random.Random, tokens: int) -> str:
        """Random letters."""
        return "".join(chance.choices(string.ascii_letters, k=tokens))


class Code:
    """For the bundled model: pieces of this repository's Python files."""

    def __init__(self, tokenizer: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        files = [path for folder in ("inference", "gateway") for path in sorted((ROOT / folder).glob("*.py"))]
        self._source = "\n".join(path.read_text() for path in files)

    def text(self, chance: random.Random, tokens: int) -> str:
        """Some code from a random character on, cut where the number of tokens is right."""
        while True:
            start = chance.randrange(len(self._source) - 20 * tokens)
            found = self._tokenizer.encode(self._source[start : start + 20 * tokens])
            text = self._source[start : start + found.offsets[tokens - 1][1]]
            # Next to a template's own text a token may join with its neighbour; a word and a letter do not.
            if text[:1].isalpha() and text[-1:].isalpha() and self.tokens(text) == tokens:
                return text

    def tokens(self, text: str) -> int:
        """How many tokens the text has."""
        return len(self._tokenizer.encode(text).ids)


@dataclass(frozen=True, slots=True)
class Workload:
    """What clients ask for: tokens of the prompt and of the answer.

    `shared` tokens at the beginning are the same in all requests of a run. A workload that fills in sends
    `prompt_tokens` before the cursor and `after_tokens` after it.
    """

    name: str
    prompt_tokens: int
    answer_tokens: int
    shared: int = 0
    after_tokens: int = 0
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Author:
    """Writes the requests of a workload for one model; `template_tokens` is what its chat template adds."""

    model: str
    texts: Texts
    end_tokens: Sequence[int]
    template_tokens: int = 0

    def calibrated(self, template_tokens: int) -> Author:
        """The same, knowing the template."""
        return replace(self, template_tokens=template_tokens)

    def requests(self, workload: Workload, count: int, seed: str) -> list[Ask]:
        """So many requests; the same for the same seed."""
        chance = random.Random(f"{self.model} {workload.name} {seed}")
        make = self._infill if workload.after_tokens else self._chat
        shared = self.texts.text(chance, workload.shared - 1) + " " if workload.shared else ""
        return [make(workload, chance, shared) for _ in range(count)]

    def chat(self, content: str, workload: Workload, prompt_tokens: int | None) -> Ask:
        """A conversation of one message."""
        body = {"messages": [{"role": "user", "content": content}], **self._options(workload)}
        return Ask("/v1/chat/completions", json.dumps(body).encode(), prompt_tokens, workload.answer_tokens)

    def _chat(self, workload: Workload, chance: random.Random, shared: str) -> Ask:
        # The blank between the shared and the own part is a token of its own or joins the word after it.
        own = workload.prompt_tokens - workload.shared - self.template_tokens
        content = shared + self.texts.text(chance, own)
        return self.chat(content, workload, None if shared else workload.prompt_tokens)

    def _infill(self, workload: Workload, chance: random.Random, _shared: str) -> Ask:
        before = self.texts.text(chance, workload.prompt_tokens)
        after = self.texts.text(chance, workload.after_tokens)
        # Written out, because llama-server's /v1/completions has no `suffix`; ours makes the same tokens of one.
        prompt = f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"
        body = {"prompt": prompt, **self._options(workload)}
        tokens = workload.prompt_tokens + workload.after_tokens + 3
        return Ask("/v1/completions", json.dumps(body).encode(), tokens, workload.answer_tokens)

    def _options(self, workload: Workload) -> dict[str, object]:
        """Greedy, and never an end before the wanted length."""
        options: dict[str, object] = {
            "model": self.model,
            "max_tokens": workload.answer_tokens,
            "temperature": 0,
            "logit_bias": {str(token): -100 for token in self.end_tokens},
        }
        if workload.stream:
            options |= {"stream": True, "stream_options": {"include_usage": True}}
        return options
