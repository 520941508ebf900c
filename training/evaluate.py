"""Greedy pass@1 of an exported model: llama.cpp answers, the product's sandbox runs each answer against its tests.

`make bench` measures the same through the whole product, with both models as a cascade.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codegen.prompts import draft
from sandbox.protocol import Command, Sandbox
from training.corpus.markup import conversation

MAX_ANSWER_TOKENS = 384
# An answer that ends the interpreter has not passed.
RUN = b"import sys\ntry:\n    import tests\nexcept BaseException:\n    sys.exit(1)\n"
FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Answerer(Protocol):
    """Anything that continues a prompt greedily."""

    def __call__(self, prompt: str, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Exam:
    """One problem of a JSON lines file."""

    id: str
    family: str
    theme: str
    instruction: str
    tests: tuple[str, ...]
    test_imports: str

    def module(self, first: int = 0, step: int = 1) -> str:
        """All tests, or every second one from the first or second on, as a module beside answer.py."""
        return "\n".join(["from answer import *", self.test_imports, *self.tests[first::step], ""])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one problem; an answer passes if it passes every test."""

    exam: Exam
    answer: str
    passed: bool


def read_exams(path: Path) -> list[Exam]:
    """The problems of a file."""
    exams = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        exams.append(
            Exam(row["id"], row["family"], row["theme"], row["instruction"], tuple(row["tests"]), row["test_imports"])
        )
    return exams


def llama_cpp_answerer(path: Path, context_tokens: int = 1024) -> Answerer:
    """A greedy answerer on a GGUF file."""
    from llama_cpp import Llama

    # One thread: these models are so small that a second one only waits, on a busy machine seventeen times as long.
    llama = Llama(str(path), n_ctx=context_tokens, n_threads=1, n_threads_batch=1, verbose=False)

    def answer(prompt: str) -> str:
        tokens = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        result = llama.create_completion(tokens, max_tokens=MAX_ANSWER_TOKENS, temperature=0.0)
        return str(result["choices"][0]["text"])

    return answer


def code_of(answer: str) -> str:
    """The code block of an answer; an answer without one is taken as code."""
    found = FENCE.search(answer)
    return found.group(1) if found else answer


async def evaluate_model(
    answer: Answerer, exams: Sequence[Exam], sandbox: Sandbox, show: Callable[[int, int], None]
) -> list[Outcome]:
    """Ask for each problem as a draft and run its tests on the answer."""
    outcomes: list[Outcome] = []
    for exam in exams:
        text = answer(conversation(draft(exam.instruction)))
        files = {"answer.py": code_of(text).encode(), "tests.py": exam.module().encode(), "run.py": RUN}
        result = await sandbox.run(Command(("python", "run.py"), files=files))
        outcomes.append(Outcome(exam, text, result.ok))
        show(len(outcomes), len(exams))
    return outcomes
