"""Draws a token from the scores of a vocabulary, in numpy; used by `sampler.py`, which knows models and grammars.

llama.cpp's own samplers take up to 11 ms for a draw from 152,000 tokens, because they sort them all. Here nothing is
sorted that cannot be drawn: bounds that are cheap to have leave few candidates, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError
from inference.protocol import Sampling

Scores = NDArray[np.float32]
Tokens = NDArray[np.intp]

STRIP = 128
"""Scores that are looked at together, as one maximum or one sum."""

LEAST = 1e-12
"""Temperatures and repetition penalties below this do nothing more, except that scores would overflow."""

_ONE = int(np.float32(1).view(np.int32))
_STEP_BITS = 16  # of a float32's 23 bits of mantissa: 7 are left, so weights of one step differ by less than 1 %


class Draw:
    """One sequence's draws: bias and penalties, then the likeliest token, or one by chance.

    Equal seeds give equal draws from equal scores; without one it is taken from the operating system. The answer has at
    most `longest_answer` tokens.
    """

    def __init__(self, sampling: Sampling, index: int, longest_answer: int) -> None:
        self._sampling = sampling
        self._biased = np.array(list(sampling.logit_bias), np.intp)
        self._bias = np.array(list(sampling.logit_bias.values()), np.float32)
        penalised = sampling.frequency_penalty or sampling.presence_penalty or sampling.repetition_penalty != 1
        self._penalties = Penalties(sampling, longest_answer) if penalised else None
        seed = None if sampling.seed is None else (sampling.seed + index) % 2**64
        self._random = np.random.Generator(np.random.PCG64(seed))

    def token(self, scores: Scores) -> int:
        """A token by the scores of all tokens (vocabulary size), which are as before in the end; -inf is never drawn.

        Raises `EngineError` if no score is finite, or any is NaN.
        """
        if self._penalties is None and not len(self._biased):
            return self._chosen(scores)
        with self._adjusted(scores):
            return self._chosen(scores)

    def _chosen(self, scores: Scores) -> int:
        best = int(scores.argmax())  # a NaN, if there is one
        if not np.isfinite(scores[best]):
            raise EngineError("No token can be drawn: the model's scores are not finite numbers.")
        if self._sampling.temperature == 0:
            return best
        tokens, weights = candidates(scores, self._sampling)
        chosen = pick(weights, self._random.random())
        return chosen if tokens is None else int(tokens[chosen])

    def count(self, token: int) -> None:
        """The token is part of the answer: penalties hold for it from now on."""
        if self._penalties is not None:
            self._penalties.count(token)

    @contextmanager
    def _adjusted(self, scores: Scores) -> Iterator[None]:
        """The scores with bias and penalties, in place: copying a large vocabulary's takes longer than drawing."""
        penalised = self._biased[:0] if self._penalties is None else self._penalties.tokens
        before = scores[self._biased], scores[penalised]
        try:
            scores[self._biased] += self._bias
            if self._penalties is not None:
                self._penalties.apply(scores)
            yield
        finally:
            scores[self._biased], scores[penalised] = before


class Penalties:
    """How often each token is in the answer, and what that takes off its score."""

    def __init__(self, sampling: Sampling, longest_answer: int) -> None:
        self._repetition = max(sampling.repetition_penalty, LEAST)
        self._frequency, self._presence = sampling.frequency_penalty, sampling.presence_penalty
        self._places: dict[int, int] = {}
        self._tokens = np.empty(longest_answer, np.intp)  # the answer's different tokens, each at its place
        self._counts = np.zeros(longest_answer, np.float32)

    def count(self, token: int) -> None:
        """One more of this token."""
        place = self._places.setdefault(token, len(self._places))
        self._tokens[place] = token
        self._counts[place] += 1

    @property
    def tokens(self) -> Tokens:
        """The answer's different tokens."""
        return self._tokens[: len(self._places)]

    def apply(self, scores: Scores) -> None:
        """Change the scores (vocabulary size) of the answer's tokens: positive ones are divided, others multiplied."""
        tokens, counts = self.tokens, self._counts[: len(self._places)]
        found = scores[tokens]
        repeated = np.where(found > 0, found / self._repetition, found * self._repetition)
        scores[tokens] = repeated - (counts * self._frequency + self._presence)


def candidates(scores: Scores, sampling: Sampling) -> tuple[Tokens | None, Scores]:
    """The tokens that may be drawn (None: all) and their weights, of which the greatest is 1.

    Of the scores (vocabulary size) at least one must be finite, and none NaN. Weights may be 0.
    """
    tokens: Tokens | None = None
    if sampling.top_k:
        tokens = likeliest(scores, sampling.top_k)
        scores = scores[tokens]
    weights = scores - scores.max()
    weights /= max(sampling.temperature, LEAST)
    np.exp(weights, out=weights)
    if sampling.top_p < 1:
        kept = nucleus(weights, sampling.top_p)
        tokens, weights = kept if tokens is None else tokens[kept], weights[kept]
    if sampling.min_p:
        kept = np.flatnonzero(weights >= min(sampling.min_p, 1.0))
        tokens, weights = kept if tokens is None else tokens[kept], weights[kept]
    return tokens, weights


def likeliest(scores: Scores, count: int) -> Tokens:
    """The tokens with the `count` highest scores, best first, of equals the lowest; none whose score is -inf.

    The scores are laid out in rows; each column has a maximum, and the count-th of these is a bound: so many scores
    are not below it.
    """
    if not count:
        return np.zeros(0, np.intp)
    bound = -np.inf
    if count < len(scores):
        rows = min(STRIP, max(1, len(scores) // (4 * count)))
        columns = len(scores) // rows
        highest = scores[: rows * columns].reshape(rows, columns).max(axis=0)
        bound = float(np.partition(highest, columns - count)[columns - count])
    found = np.flatnonzero(scores >= bound if bound > -np.inf else scores > bound)
    return found[np.argsort(-scores[found], kind="stable")[:count]]


def nucleus(weights: Scores, share: float) -> Tokens:
    """The fewest of the heaviest that together weigh at least `share` of all; of equals the first; always at least one.

    The weights are from 0 to 1, the greatest is 1. Those below (1 - share) / size of the total weigh less than
    1 - share together, so the others are enough. These are put in steps by the first bits of their weight, and only
    the step in which the share is reached has to be sorted.
    """
    total = float(weights.sum(dtype=np.float64))
    found = np.flatnonzero(weights >= (1 - share) * total / len(weights))
    heavy = weights[found]
    steps = (_ONE - heavy.view(np.int32)) >> _STEP_BITS  # the bits of positive floats are in their order
    reached = np.cumsum(np.bincount(steps, heavy))
    last = int(np.searchsorted(reached, share * total))  # past the end, where only rounding is missing: all are kept
    rest = share * total - (reached[last - 1] if last else 0.0)
    doubtful = np.flatnonzero(steps == last)
    doubtful = doubtful[np.argsort(-heavy[doubtful], kind="stable")]
    needed = int(np.searchsorted(np.cumsum(heavy[doubtful], dtype=np.float64), rest)) + 1
    kept: Tokens = found[np.concatenate([np.flatnonzero(steps < last), doubtful[:needed]])]
    return kept


def pick(weights: Scores, chance: float) -> int:
    """Where `chance`, evenly spread from 0 to below 1, falls among the weights; never on a weight of 0.

    Many weights are first summed in strips, so that only the strips' sums and one strip have to be added up one by one.
    """
    if len(weights) <= 16 * STRIP:
        return _fall(weights, chance)[0]
    sums = np.add.reduceat(weights, np.arange(0, len(weights), STRIP))
    strip, chance = _fall(sums, chance)
    return strip * STRIP + _fall(weights[strip * STRIP : (strip + 1) * STRIP], chance)[0]


def _fall(weights: Scores, chance: float) -> tuple[int, float]:
    """The weight on which the chance falls, and how far into it, from 0 to 1."""
    reached = np.cumsum(weights, dtype=np.float64)
    goal = chance * reached[-1]
    # Rounding may take the goal to the very end; the last weight that counts is where the end is first reached.
    end = np.searchsorted(reached, reached[-1])
    place = int(min(np.searchsorted(reached, goal, side="right"), end))
    return place, max(0.0, float(1 - (reached[place] - goal) / weights[place]))
