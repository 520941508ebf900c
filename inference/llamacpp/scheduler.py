"""Decides what the next step computes: which sequences are live, and whose tokens are next.

Sequences wait in order of arrival for a slot, batch ones behind all interactive ones. If there is no free slot for
an interactive one, a batch sequence is set aside and goes on later where it was. A step computes prompts or the next
token of every answer, never both: llama.cpp would compute them one after the other. Both take turns while there are
both, so answers begin soon and those under way wait only so long (`pace.py`). If all prompts went first, their answers
would end together, too, and the next prompts come at once and wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass

from inference.llamacpp.pace import Pace
from inference.llamacpp.sequence import Generation, Sequence
from inference.llamacpp.slots import Placement, Slots
from inference.protocol import Priority

GUESS_TOKENS = 16
"""Tokens that a step of answers may have with all guesses."""


SMALL_STEP_TOKENS = 128
"""A step of fewer tokens would read all weights for little."""

TILE_TOKENS = 64
"""ggml's flash attention takes so many tokens at a time, fewer at the same cost. With 2,048 tokens of random-0.5b in
pieces of 192, a step computed an eighth more tokens per second than in pieces of 200."""


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
        self._guess_tokens = min(GUESS_TOKENS, batch_tokens // 2) if guesses else 0
        self._since_answers = 0  # tokens of prompts for which answers under way have waited
        self.pace = Pace()
        self._waiting: dict[Priority, deque[Sequence]] = {"interactive": deque(), "batch": deque()}
        self.running: list[Sequence] = []

    @property
    def waiting(self) -> int:
        """How many sequences have no slot; any thread may ask."""
        return sum(map(len, self._waiting.values()))

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.running and not self.waiting

    def add(self, generation: Generation) -> None:
        """Queue all sequences of a request."""
        self._waiting[generation.priority].extend(generation.sequences)

    def admit(self) -> list[Placement]:
        """Give slots to the sequences that wait longest; one whose prompt another is computing waits for it."""
        return [*self._admit_interactive(), *self._admit_batch()] if self.waiting else []

    def _admit_interactive(self) -> Iterator[Placement]:
        for sequence in tuple(self._waiting["interactive"]):
            if not self._slots.idle:
                if not (batch := [running for running in self.running if not running.urgent]):
                    return
                if self._slots.worth_waiting(sequence):
                    continue
                self._set_aside(min(batch, key=lambda candidate: candidate.computed))
            yield from self._place(sequence)

    def _admit_batch(self) -> Iterator[Placement]:
        """An interactive sequence that waits for a prompt has one slot kept free: it would be taken back soon."""
        kept = len(self._waiting["interactive"])
        for sequence in tuple(self._waiting["batch"]) if self._slots.idle > kept else ():
            if self._slots.idle > kept:
                yield from self._place(sequence)

    def _place(self, sequence: Sequence) -> Iterator[Placement]:
        if placed := self._slots.place(sequence):
            self._waiting[sequence.generation.priority].remove(sequence)
            self.running.append(sequence)
            yield placed

    def _set_aside(self, sequence: Sequence) -> None:
        """Take its slot, in which what was computed stays until it is overwritten; it keeps all else.

        It is the next of its kind to go on.
        """
        self.running.remove(sequence)
        self._slots.release(sequence)
        sequence.computed = 0
        self._waiting["batch"].appendleft(sequence)

    def schedule(self) -> list[Step]:
        """The next step: prompts, interactive ones first, or after enough of them every answer's next token."""
        answers = [sequence for sequence in self.running if sequence.answering]
        prompts = [sequence for sequence in self.running if not sequence.answering]
        longest = self.pace.prompt_tokens(self._batch_tokens) if answers else self._batch_tokens
        if prompts and (not answers or not self._since_answers):
            prompts.sort(key=lambda sequence: not sequence.urgent)  # stable: otherwise in the order of their arrival
            steps = list(pieces(prompts, longest))
            self._since_answers += sum(step.count for step in steps) if answers else 0
            return steps
        self._since_answers = 0
        return [self._next_token(sequence, len(answers)) for sequence in answers]

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
        elif sequence in (queue := self._waiting[sequence.generation.priority]):
            queue.remove(sequence)


def pieces(prompts: Many[Sequence], room: int) -> Iterator[Step]:
    """The first prompt, or an even piece of it if it has more than `room` tokens; others only to fill a small step.

    Answers begin soonest if prompts are computed one after the other.
    """
    filled = 0
    for sequence in prompts:
        count = _piece(sequence.pending, room)
        if filled and (count < sequence.pending or filled + count > min(SMALL_STEP_TOKENS, room)):
            return
        filled += count
        yield Step(sequence, sequence.computed, count, output=count == sequence.pending)


def _piece(pending: int, room: int) -> int:
    """How many of a prompt's tokens come next: all, or whole tiles, about as many as in the pieces after it."""
    if pending <= room:
        return pending
    even = -(-pending // -(-pending // room))
    return min(-(-even // TILE_TOKENS) * TILE_TOKENS, room - room % TILE_TOKENS or room)
