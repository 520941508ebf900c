"""Decides what the next step computes: which sequences are live, and which of their tokens fit the batch.

Sequences wait in order of arrival for a slot. In a step every sequence that is decoding gets its one token
first; what is left of the batch goes to prompts, oldest first, in chunks.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

from inference.llamacpp.sequence import Generation, Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """Tokens `start` to `start + count` of a sequence; with `output` the next token is drawn after them."""

    sequence: Sequence
    start: int
    count: int
    output: bool


class Scheduler:
    """`slots` sequences are live at once; a step computes at most `batch_tokens` tokens."""

    def __init__(self, slots: int, batch_tokens: int) -> None:
        if batch_tokens < slots:
            raise ValueError(f"a batch of {batch_tokens} tokens is too small for {slots} sequences")
        self._batch_tokens = batch_tokens
        self._free = list(range(slots))
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.running and not self.waiting

    def add(self, generation: Generation) -> None:
        """Queue all sequences of a request."""
        self.waiting.extend(generation.sequences)

    def admit(self) -> list[Sequence]:
        """Give free slots to the sequences that wait longest, the lowest slot first; those that got one."""
        admitted = []
        while self.waiting and self._free:
            sequence = self.waiting.popleft()
            sequence.slot = heapq.heappop(self._free)
            self.running.append(sequence)
            admitted.append(sequence)
        return admitted

    def schedule(self) -> list[Step]:
        """The next step, one entry per sequence that takes part."""
        steps = []
        room = self._batch_tokens
        for sequence in sorted(self.running, key=lambda sequence: sequence.pending > 1):
            count = min(sequence.pending, room)
            if count == 0:
                break
            room -= count
            steps.append(Step(sequence, sequence.computed, count, output=count == sequence.pending))
        return steps

    def release(self, sequence: Sequence) -> int | None:
        """Forget a sequence, live or waiting; the slot that became free, if it had one."""
        if sequence.slot is None:
            if sequence in self.waiting:
                self.waiting.remove(sequence)
            return None
        slot, sequence.slot = sequence.slot, None
        self.running.remove(sequence)
        heapq.heappush(self._free, slot)
        return slot
