"""Guesses an answer's next tokens by looking up how the text went on before (prompt-lookup decoding, Saxena 2023).

Answers that edit code repeat most of their prompt. A guess is computed together with the next token and kept as far
as the sampler draws the same, so the answer stays exactly what it would be; a wrong guess costs a little time, so where
too few are right, only a few are made.
"""

from __future__ import annotations

from collections.abc import Sequence

GRAM = 3
"""So many tokens must have stood there before."""
LONGEST_GUESS = 12
FIRST_GUESS = 4
LEAST_RIGHT = 0.5
"""With a smaller share of right tokens a guess costs more than it saves."""
PAUSE_TOKENS = 16
"""Between guesses where they do not pay."""
NEWEST_SHARE = 0.3
"""Weight of the newest guess in the running mean."""


class PromptLookup:
    """Knows where every few tokens of one sequence stood last, and how well guesses went."""

    def __init__(self) -> None:
        self._followed: dict[tuple[int, ...], int] = {}
        self._read = 0
        self._guess_tokens = FIRST_GUESS
        self._right = 1.0
        self._silent_until = 0

    def guess(self, tokens: Sequence[int], most: int) -> list[int]:
        """What may follow `tokens`, which only ever grow between calls; at most `most` tokens, often none."""
        for end in range(max(self._read, GRAM), len(tokens)):
            self._followed[tuple(tokens[end - GRAM : end])] = end
        self._read = len(tokens)
        start = self._followed.get(tuple(tokens[-GRAM:]))
        if start is None or len(tokens) < self._silent_until:
            return []
        return list(tokens[start : start + min(self._guess_tokens, most)])

    def learn(self, guessed: int, right: int) -> None:
        """So many of the guessed tokens were right: guess more next time, or less."""
        if guessed:
            self._guess_tokens = min(LONGEST_GUESS, 2 * guessed) if right == guessed else max(1, right + 1)
            self._right += NEWEST_SHARE * (right / guessed - self._right)
            self._silent_until = self._read + PAUSE_TOKENS if self._right < LEAST_RIGHT else 0
