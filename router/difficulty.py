"""How hard a request looks before anything ran: a number from 0 to 1 and the features behind it.

A transparent prior, monotone in each feature and without training: it only decides at which tier a
route starts. What escalates a request afterwards is verification, not this guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from inference.protocol import ChatRequest

# Work that small models rarely get right; word stems, matched at a word's beginning.
HARD_WORDS = (
    "refactor", "migrat", "architect", "concurren", "thread", "deadlock", "race condition", "distributed",
    "optimi", "security", "vulnerab", "cryptograph", "compiler", "protocol", "transaction", "prove", "backward compat",
)  # fmt: skip
_HARD = re.compile(r"\b(?:" + "|".join(HARD_WORDS) + ")", re.IGNORECASE)
# Paths that are asked about; the headings of excerpts ("# path:1-20") only say where context comes from.
_PATH = re.compile(r"(?<!# )\b[\w-]+(?:/[\w.-]+)+\.\w+\b")
_REQUIREMENT = re.compile(r"(?m)^\s*(?:[-*]|\d+[.)])\s+|[.;](?:\s|$)")

# One unit of weight moves an easy request from 0 to 1 - 1/e = 0.63.
WEIGHTS: Mapping[str, float] = {
    "hundreds of words": 0.25,
    "requirements": 0.04,
    "hard words": 0.30,
    "files": 0.12,
    "tools": 0.20,
    "traceback": 0.30,
}


@dataclass(frozen=True, slots=True)
class Difficulty:
    """`score` in [0, 1]; `features` name -> value, as counted."""

    score: float
    features: Mapping[str, float]


def estimate(request: ChatRequest) -> Difficulty:
    """Difficulty of a request from its own text: 1 - exp(-sum of weight x feature)."""
    asked = " ".join(message.content for message in request.messages if message.role == "user") or request.prompt or ""
    features = {
        "hundreds of words": round(len(asked.split()) / 100, 2),
        "requirements": float(len(_REQUIREMENT.findall(asked))),
        "hard words": float(len(set(_HARD.findall(asked.lower())))),
        "files": float(len(set(_PATH.findall(asked)))),
        "tools": float(bool(request.tools)),
        "traceback": float("Traceback (most recent call last)" in asked),
    }
    effort = sum(WEIGHTS[name] * value for name, value in features.items())
    return Difficulty(round(1 - math.exp(-effort), 4), features)
