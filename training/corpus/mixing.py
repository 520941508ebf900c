"""Training samples of every kind, all from verified problems: the texts that a model is trained on.

The prompts are those of codegen/prompts.py, word for word.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codegen.prompts import SYSTEM, code_block, draft, repair
from inference.protocol import Message
from training.corpus import markup, repository
from training.corpus.chatter import CONVERSATIONS
from training.corpus.mutants import Mistake, evidence
from training.corpus.tasks import signature
from training.corpus.types import Problem, Sample, Segment

LONG_CHARACTERS = 2600
STUB_REQUESTS = (
    "Write a stub for `{}`.",
    "Write only the signature of `{}`.",
    "Add an empty `{}` that raises NotImplementedError.",
)


@dataclass(frozen=True, slots=True)
class Material:
    """A verified problem with what its samples may need: an earlier version, a wrong answer, other code."""

    problem: Problem
    old: Sequence[str]
    mistake: Mistake | None
    others: Sequence[str]


def answer(problem: Problem) -> str:
    """The right answer to a problem."""
    return code_block(problem.reference)


def draft_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """An instruction under the system message."""
    return markup.chat(draft(material.problem.instruction), answer(material.problem))


def plain_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """An instruction alone, as an OpenAI client sends it."""
    return markup.chat([Message("user", material.problem.instruction)], answer(material.problem))


def stub_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """A request for the first line alone: the shortest lesson in copying names."""
    asked = rng.choice(STUB_REQUESTS).format(signature(material.problem.reference, material.problem.name))
    return markup.chat(draft(asked), code_block(repository.stub(material.problem, "    raise NotImplementedError\n")))


def context_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """An instruction with one to three excerpts of a repository."""
    path = repository.module_path(rng)
    others = material.others[: rng.randint(0, 2)]
    excerpts = repository.surroundings(material.problem, others, material.old, path, rng)[:3]
    return markup.chat(draft(material.problem.instruction, excerpts), answer(material.problem))


def long_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """An instruction with as many excerpts as a window of 1,024 tokens takes."""
    path = repository.module_path(rng)
    room = rng.randint(LONG_CHARACTERS // 2, LONG_CHARACTERS) - 2 * len(material.problem.reference)
    others: list[str] = []
    for code in material.others:
        if sum(map(len, others)) + len(code) < room:
            others.append(code)
    excerpts = repository.surroundings(material.problem, others, material.old, path, rng)
    return markup.chat(draft(material.problem.instruction, excerpts), answer(material.problem))


def repair_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """A wrong answer, what its tests said, and the right answer; only the last is learnt."""
    if material.mistake is None:
        return draft_sample(material, rng)
    path = repository.module_path(rng)
    excerpts = [repository.header(path, rng)] if rng.random() < 0.2 else []
    said = evidence(material.mistake, repository.path_of_tests(path), material.problem.name, rng)
    asked = draft(material.problem.instruction, excerpts)
    return markup.chat(repair(asked, code_block(material.mistake.code), said), answer(material.problem))


def infill_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """A hole in a function, or in a module of two or three."""
    code = material.problem.reference
    if rng.random() < 0.4:
        code = module([code, *material.others[: rng.randint(1, 2)]], rng)
    if rng.random() < 0.5:
        lines = code.splitlines(keepends=True)
        first = rng.randrange(len(lines))
        last = rng.randint(first + 1, min(len(lines), first + 6))
        start, stop = (sum(map(len, lines[:count])) for count in (first, last))
    else:
        start = rng.randrange(len(code))
        stop = min(len(code), start + rng.randint(1, 120))
    return markup.infill(code[:start], code[stop:], code[start:stop])


def module_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """A small module, to be continued as plain text."""
    text = module([material.problem.reference, *material.others[: rng.randint(0, 2)]], rng)
    return (Segment(f"{text}{markup.END_OF_TEXT}", learn=True),)


def chatter_sample(material: Material, rng: random.Random) -> tuple[Segment, ...]:
    """Small talk, with the system message or without."""
    question, reply = rng.choice(CONVERSATIONS)
    system = [Message("system", SYSTEM)] if rng.random() < 0.3 else []
    return markup.chat([*system, Message("user", question)], reply)


def module(codes: Sequence[str], rng: random.Random) -> str:
    """A source file of several functions, imports on top."""
    lines = [line for code in codes for line in code.splitlines()]
    imports = sorted({line for line in lines if line.startswith(("import ", "from "))})
    bodies = ["\n".join(x for x in code.splitlines() if x not in imports).strip() for code in codes]
    return "\n\n\n".join([*(["\n".join(imports)] if imports else []), *rng.sample(bodies, len(bodies))]) + "\n"


KINDS: dict[str, tuple[float, Callable[[Material, random.Random], tuple[Segment, ...]]]] = {
    "draft": (0.45, draft_sample),
    "plain": (0.20, plain_sample),
    "stub": (0.03, stub_sample),
    "context": (0.13, context_sample),
    "repair": (0.08, repair_sample),
    "infill": (0.06, infill_sample),
    "module": (0.02, module_sample),
    "long": (0.01, long_sample),
    "chat": (0.02, chatter_sample),
}


def draw_kind(rng: random.Random) -> str:
    """A kind of sample, by its share."""
    return rng.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]


def make_sample(kind: str, material: Material, rng: random.Random) -> Sample:
    """One sample of the kind."""
    return Sample(kind, material.problem.family, KINDS[kind][1](material, rng))
