"""The slots of a context's memory: which sequence has each, and which tokens each still holds.

A request takes over the longest prefix that any slot holds, of an answer that is being written or of one
that has ended; what was used least recently makes room. Only requests of one scope share: how soon an
answer begins would otherwise tell one tenant what another has asked.

llama.cpp computes sequences in neighbouring slots together, and others one group after the other, for each of which it
reads all weights. So sequences are kept side by side, also where one has to be copied for that, which takes less than
a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.llamacpp.sequence import Sequence

Tokens = NDArray[np.int32]

WORTH_COPYING_TOKENS = 32
"""Copying moves the whole memory of a slot; a few tokens are computed sooner than that."""


@dataclass(slots=True, eq=False)
class Slot:
    """One sequence's part of the memory. Idle, it holds what the last sequence left in it."""

    number: int
    sequence: Sequence | None = None
    scope: str = ""
    left: Tokens = field(default_factory=lambda: np.empty(0, np.int32))
    last_used: int = 0

    @property
    def tokens(self) -> Tokens:
        """What it holds or, while a prompt is being computed, will hold."""
        return self.left if self.sequence is None else self.sequence.generation.prompt_tokens

    @property
    def computed(self) -> int:
        """How many of `tokens` it holds now."""
        return len(self.left) if self.sequence is None else min(self.sequence.computed, len(self.tokens))


@dataclass(frozen=True, slots=True)
class Placement:
    """A sequence's slot, and how many tokens at its beginning are taken over from the slot `source`.

    Before that, what the slot holds moves to the slot `saved`, if there is one.
    """

    sequence: Sequence
    slot: int
    source: int
    reused: int
    saved: int | None = None


class Slots:
    """All slots of a context. Like the scheduler, used by one thread only."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._clock = 0

    @property
    def idle(self) -> int:
        """How many no sequence has."""
        return sum(slot.sequence is None for slot in self._slots)

    def place(self, sequence: Sequence) -> Placement | None:
        """Give the sequence a slot; None if there is none, or if more of its prompt is being computed for another."""
        idle = [slot for slot in self._slots if slot.sequence is None]
        if not idle:
            return None
        source, held, coming = self._longest_prefix(sequence)
        if coming - held >= WORTH_COPYING_TOKENS:
            return None
        placement = self._choose(sequence, idle, source, held)
        slot = self._slots[placement.slot]
        slot.sequence, slot.scope = sequence, sequence.generation.scope
        sequence.slot = placement.slot
        return placement

    def worth_waiting(self, sequence: Sequence) -> bool:
        """Whether more of its prompt is being computed for another; then no slot is of use to it yet."""
        _, held, coming = self._longest_prefix(sequence)
        return coming - held >= WORTH_COPYING_TOKENS

    def release(self, sequence: Sequence) -> None:
        """Let the sequence go; its tokens stay until the slot is needed."""
        if sequence.slot is not None:
            slot = self._slots[sequence.slot]
            slot.left = np.array(sequence.tokens[: sequence.computed], np.int32)
            slot.sequence = sequence.slot = None
            self._clock += 1
            slot.last_used = self._clock

    def _longest_prefix(self, sequence: Sequence) -> tuple[Slot | None, int, int]:
        """The slot that holds most of the sequence's tokens, how many, and how many one holds or soon will.

        The last token is never taken over: what follows it must be computed. For what a batch prompt will hold,
        nobody who is urgent waits: that prompt itself waits for all that is.
        """
        tokens, scope = sequence.known_tokens, sequence.generation.scope
        source, held, coming = None, 0, 0
        for slot in self._slots:
            if slot.scope == scope:
                shared = min(common_prefix(slot.tokens, tokens), len(tokens) - 1)
                if slot.sequence is None or slot.sequence.urgent or not sequence.urgent:
                    coming = max(coming, shared)
                if min(shared, slot.computed) > held:
                    source, held = slot, min(shared, slot.computed)
        return source, held, coming

    def _choose(self, sequence: Sequence, idle: list[Slot], source: Slot | None, held: int) -> Placement:
        """In place where most of what a slot holds goes on; else copied, so that what others may need stays."""
        best = self._side_by_side(idle)
        goes_on = source is not None and source.sequence is None and 2 * held >= len(source.left)
        if source is not None and (source in best if goes_on else idle == [source]):
            return Placement(sequence, source.number, source.number, held)
        if source is None or held < WORTH_COPYING_TOKENS:
            return self._empty(sequence, best, source, 0)
        if goes_on:
            source.last_used = 0  # all of it will also be in the other slot
        others = [slot for slot in idle if slot is not source]
        return self._empty(sequence, self._side_by_side(others), source, held)

    def _empty(self, sequence: Sequence, best: list[Slot], source: Slot | None, held: int) -> Placement:
        """The oldest of these slots; what it holds moves to an older one, if there is one."""
        slot = min(best, key=lambda slot: slot.last_used)
        taken = slot if source is None or not held else source
        older = [
            other
            for other in self._slots
            if other.sequence is None and other is not taken and other.last_used < slot.last_used
        ]
        if len(slot.left) < WORTH_COPYING_TOKENS or not older:
            return Placement(sequence, slot.number, taken.number, held)
        saved = min(older, key=lambda other: other.last_used)
        saved.left, saved.scope, saved.last_used = slot.left, slot.scope, slot.last_used
        return Placement(sequence, slot.number, taken.number, held, saved.number)

    def _side_by_side(self, idle: list[Slot]) -> list[Slot]:
        """The slots with which those in use form the fewest groups of neighbours."""
        live = {slot.number for slot in self._slots if slot.sequence is not None}
        groups = {slot.number: _groups({*live, slot.number}) for slot in idle}
        return [slot for slot in idle if groups[slot.number] == min(groups.values())]


def _groups(numbers: set[int]) -> int:
    return sum(number - 1 not in numbers for number in numbers)


def common_prefix(one: Tokens, other: Tokens) -> int:
    """How many tokens two sequences begin with alike."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.argmax()) if differs.any() else length
