"""Outcomes of two made-up models, one of which fails whatever has certain words in it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from router.estimates.features import featurize
from router.estimates.outcome import Context, Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
EASY = ("format", "rename", "greeting", "sorting", "sums", "strings", "colours", "printing")
HARD = ("deadlock", "scheduler", "compiler", "transaction", "consensus", "allocator", "borrowing", "linearizable")
FILLERS = ("please", "write", "function", "module", "quickly", "carefully", "example", "project", "returns", "value")


def text(source: random.Random, hard: bool) -> str:
    """A request of a dozen words."""
    chosen = source.choices(FILLERS, k=9) + source.choices(HARD if hard else EASY, k=4)
    source.shuffle(chosen)
    return f"{source.randrange(10**6)} {' '.join(chosen)}."


def outcomes(count: int, seed: int = 0) -> list[Outcome]:
    """Both models on `count` requests: `small` passes 9 of 10 easy and 1 of 10 hard ones, `large` 9 of 10 of all."""
    source, found = random.Random(seed), []
    for number in range(count):
        hard = source.random() < 0.5
        features = featurize(text(source, hard))
        when = START + timedelta(hours=number)
        context = Context("fix" if number % 2 else "add", "ada" if number % 3 else "bob")
        for model, rate in (("small", 0.1 if hard else 0.9), ("large", 0.9)):
            cost, seconds = (0.001, 1.0 + number % 10) if model == "small" else (0.02, 5.0)
            found.append(Outcome(features, model, source.random() < rate, cost, seconds, when, context))
    return found
