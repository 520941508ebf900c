"""The evidence of a verified answer on the wire; used by `encode.py`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypeVar

from inference.openai.responses import AttemptShape, ChatCompletion, ChatCompletionChunk, VerificationShape
from inference.verification import Verified

A = TypeVar("A", ChatCompletion, ChatCompletionChunk)


def with_evidence(answer: A, verified: Verified | None) -> A:
    """The answer with the attempts that led to it, if it was to be verified."""
    if verified is None or not verified.attempts:
        return answer
    attempts = [
        AttemptShape.model_validate({**asdict(each), "cost_usd": f"{each.cost_usd:f}"}) for each in verified.attempts
    ]
    return answer.model_copy(update={"verification": VerificationShape(attempts=attempts)})
