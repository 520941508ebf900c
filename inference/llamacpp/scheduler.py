"""Decides what the next step computes: which sequences are live, and which of their tokens fit the batch.

Sequences wait in order of arrival for a slot. In a step every sequence that is decoding gets its one token
first; then prompts follow, oldest first, in chunks that do not keep the others waiting for long (`pace.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence as Many
from dataclasses import dataclass

from inference.llamacpp.pace import Pace
from inference.llamacpp.sequence import Generation, Sequence
from inference.llamacpp.slots import Placement, Slots

GUESS_TOKENS = 16
"""Tokens that a step of answers may have with all guesses."""


@dataclass(frozen=True, slots=True)
class Step:
    """Tokens `start` to `start + count` of a sequence; with `output` the next token is drawn after them.

    Then come the tokens of `guess`, which hold as far as the same ones are drawn.
    """

    sequence: Sequence
    start: int
    count: int
    output: bool
    guess: Many[int] = ()


class Scheduler:
    """`slots` sequences are live at once; a step computes at most `batch_tokens` tokens."""

    def __init__(self, slots: int, batch_tokens: int, *, guesses: bool = False) -> None:
        if batch_tokens < slots:
            raise ValueError(f"a batch of {batch_tokens} tokens is too small for {slots} sequences")
        self._batch_tokens = batch_tokens
        self._slots = Slots(slots)
        self._guess_tokens = GUESS_TOKENS if guesses else 0
        self.pace = Pace()
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.running and not self.waiting

    def add(self, generation: Generation) -> None:
        """Queue all sequences of a request."""
        self.waiting.extend(generation.sequences)

    def admit(self) -> list[Placement]:
        """Give free slots to the sequences that wait longest; one whose prompt another is computing waits for it."""
        if len(self.running) == self._slots.count:
            return []
        placements = [placed for sequence in self.waiting if (placed := self._slots.place(sequence))]
        for placed in placements:
            self.waiting.remove(placed.sequence)
            self.running.append(placed.sequence)
        return placements

    def schedule(self) -> list[Step]:
        """The next step, one entry per sequence that takes part: every answer's next token, then prompts."""
        answers = [sequence for sequence in self.running if sequence.pending == 1]
        prompts = [sequence for sequence in self.running if sequence.pending > 1]
        room = self._batch_tokens
        if answers:
            room = self.pace.prompt_tokens(room - max(len(answers), self._guess_tokens))
        steps = [self._next_token(sequence, len(answers)) for sequence in answers]
        for sequence in prompts:
            count = min(sequence.pending, room)
            if count == 0:
                break
            room -= count
            steps.append(Step(sequence, sequence.computed, count, output=count == sequence.pending))
        return steps

    def _next_token(self, sequence: Sequence, answers: int) -> Step:
        """The step of an answer; the fewer there are, the more is guessed: the cores would wait for memory anyway."""
        left = sequence.generation.max_tokens - sequence.generated - 1
        most = min(self._guess_tokens // answers - 1, left)
        guess = sequence.lookup.guess(sequence.tokens, most) if most > 0 else ()
        return Step(sequence, sequence.computed, 1, output=True, guess=guess)

    def release(self, sequence: Sequence) -> None:
        """Forget a sequence, live or waiting; what its slot holds may serve others."""
        if sequence.slot is not None:
            self.running.remove(sequence)
            self._slots.release(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
