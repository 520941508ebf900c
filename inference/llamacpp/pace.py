"""How many tokens of prompts may hold up the answers that are under way: as many as fit into a bounded time.

Without a bound, one long prompt would stop every answer for as long as all of it takes.
"""

from __future__ import annotations

LONGEST_WAIT_SECONDS = 1.0
"""Slow machines only: where a whole batch of prompts takes less, that is the bound."""
FEWEST_TOKENS = 64
"""Smaller pieces would read all weights for little; also the first guess, before anything was measured."""
NEWEST_SHARE = 0.3
"""Weight of the newest measurement in the running mean."""


class Pace:
    """Learns from each step's duration what a token of a prompt costs on this machine, just now."""

    def __init__(self) -> None:
        self._seconds_per_token = 0.0

    def observe(self, prompt_tokens: int, seconds: float) -> None:
        """A step that computed so many tokens of prompts, and nothing else, took so long."""
        newest = seconds / prompt_tokens
        old = self._seconds_per_token or newest
        self._seconds_per_token = old + NEWEST_SHARE * (newest - old)

    def prompt_tokens(self, most: int) -> int:
        """How many tokens of prompts may be computed before answers go on, at most `most`."""
        if self._seconds_per_token == 0.0:
            return min(FEWEST_TOKENS, most)
        return min(max(int(LONGEST_WAIT_SECONDS / self._seconds_per_token), FEWEST_TOKENS), most)
