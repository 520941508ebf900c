"""How much of a prompt a step computes: as much as fits into a bounded time.

Without a bound, one long prompt would hold up every answer, and the beginning of every other one, for as long as a
whole batch of it takes.
"""

from __future__ import annotations

LONGEST_STEP_SECONDS = 0.5
FEWEST_TOKENS = 64
"""Smaller pieces would read all weights for little; also the first guess, before anything was measured."""
NEWEST_SHARE = 0.3
"""Weight of the newest measurement in the running mean."""


class Pace:
    """Learns from each step's duration what a token of a prompt costs on this machine, just now."""

    def __init__(self) -> None:
        self._seconds_per_token = 0.0
        self._seconds_without_prompts = 0.0

    def observe(self, prompt_tokens: int, seconds: float) -> None:
        """A step that computed so many tokens of prompts, beside one of each answer, took so long."""
        if prompt_tokens:
            cost = max(seconds - self._seconds_without_prompts, 0.0) / prompt_tokens
            self._seconds_per_token = mean(self._seconds_per_token, cost)
        else:
            self._seconds_without_prompts = mean(self._seconds_without_prompts, seconds)

    def prompt_tokens(self, most: int) -> int:
        """How many tokens of prompts the next step may compute, at most `most`."""
        if self._seconds_per_token == 0.0:
            return min(FEWEST_TOKENS, most)
        left = LONGEST_STEP_SECONDS - self._seconds_without_prompts
        return min(max(int(left / self._seconds_per_token), FEWEST_TOKENS), most)


def mean(old: float, new: float) -> float:
    """The running mean; the first measurement counts whole."""
    return new if old == 0.0 else old + NEWEST_SHARE * (new - old)
