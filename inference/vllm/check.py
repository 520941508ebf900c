"""Holds vLLM models against the vLLM that is installed for them, without loading any; `bailey config check` calls it.

The interpreter of that environment builds vLLM's own parser and parses the very command line that the engine would
use, and where the weights are on this machine, makes vLLM's whole configuration of it. This blocks for as long as
importing torch takes; models of one interpreter are checked in one run.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.catalog import VllmModel
from inference.vllm.arguments import Argument, environment, server_arguments
from inference.vllm.probe import MARK

LONGEST_SECONDS = 300.0
_FLAG = re.compile(r"(?<![\w-])-{1,2}[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True)
class Refused:
    """What vLLM says against a model: the key of its entry, and a sentence."""

    model: str
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Models that cannot be checked on this machine, and why."""

    models: tuple[str, ...]
    why: str


def check_installed(
    models: Sequence[VllmModel], weights: Mapping[str, Path], hidden: Sequence[str] = ()
) -> Iterator[Refused | Unchecked]:
    """What the installed vLLM has against the models; `weights` are the folders that are here, by model.

    `hidden` names environment variables that vLLM does not get.
    """
    for python in dict.fromkeys(model.python for model in models):
        here = [model for model in models if model.python == python]
        yield from _check_with(python, here, weights, hidden)


def _check_with(
    python: str, models: Sequence[VllmModel], weights: Mapping[str, Path], hidden: Sequence[str]
) -> Iterator[Refused | Unchecked]:
    names = tuple(model.name for model in models)
    lines = {
        model.name: server_arguments(model, str(weights.get(model.name, "somewhere-else")), "/vllm.sock")
        for model in models
    }
    question = {
        name: {"words": [word for each in line for word in each.words], "here": name in weights}
        for name, line in lines.items()
    }
    try:
        answer = _ask(python, question, models[0], hidden)
    except _NoAnswer as reason:
        yield Unchecked(names, str(reason))
        return
    for name, message in answer["problems"].items():
        if message is not None:
            key = key_of(message, lines[name])
            yield Refused(name, key, f"vLLM {answer['version']} at {python} refuses it: {message.rstrip('.')}.")


class _NoAnswer(Exception):
    """There is no vLLM to ask."""


def _ask(python: str, question: object, model: VllmModel, hidden: Sequence[str]) -> dict[str, dict[str, str | None]]:
    variables = [f"{name}={value}" for name, value in environment(model, "/tmp").items()]  # noqa: S108 - made, not used
    removed = [word for name in hidden for word in ("-u", name)]
    probe = (Path(__file__).parent / "probe.py").read_text()
    try:
        done = subprocess.run(
            ["env", *removed, *variables, python, "-c", probe],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _NoAnswer(f"{python} gave no answer within {LONGEST_SECONDS:g} seconds") from None
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            answer: dict[str, dict[str, str | None]] = json.loads(line.removeprefix(MARK))
            if "missing" in answer:
                raise _NoAnswer(f"vLLM is not installed for {python} on this machine")
            return answer
    if done.returncode == 127:  # as a shell would say
        raise _NoAnswer(f"there is no {python} on this machine")
    tail = " | ".join(done.stderr.strip().splitlines()[-2:])
    raise _NoAnswer(f"{python} ended with code {done.returncode} ({tail})")


def key_of(message: str, line: Iterable[Argument]) -> str:
    """The key of models.yaml that a message of vLLM's is about: by its flag, else by its value, else by its name."""
    arguments = [each for each in line if each.words]
    flags, field = _FLAG.findall(message), message.split(":")[0]
    ways: tuple[Callable[[Argument], bool], ...] = (
        lambda each: any(flag in each.words for flag in flags),
        lambda each: _names(each.key, message) or f'"{field}"' in each.words[-1],
        lambda each: any(_stands_in(value, message) for value in each.words[1:]),
    )
    for is_about in ways:
        for each in arguments:
            if is_about(each):
                return each.key
    return "arguments"


def _stands_in(value: str, message: str) -> bool:
    return not value.startswith("-") and re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", message) is not None


def _names(key: str, message: str) -> bool:
    words = key.rsplit(".", 1)[-1].replace("_", " ")
    return key.startswith("placement.") and words in message.lower().replace("_", " ").replace("-", " ")
