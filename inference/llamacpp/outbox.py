"""Chunks on their way from the worker's thread to those who wait for them on an event loop.

The first piece of an answer and its end go out at once. In between, what was drawn is joined and goes out every
`PAUSE_SECONDS`: a screen shows no more, and on its way to the client each piece costs as much as a small model's
next token.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from inference.errors import EngineError
from inference.llamacpp.sequence import Generation
from inference.protocol import Chunk

PAUSE_SECONDS = 0.02


class Outbox:
    """Used by one thread only; any number of event loops may be at the other end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[Generation, list[Chunk]] = defaultdict(list)
        self._sent: dict[Generation, float] = {}

    def put(self, generation: Generation, chunk: Chunk) -> None:
        """Hold a chunk until it is time for it."""
        self._held[generation].append(chunk)

    def send(self) -> list[Generation]:
        """Hand over all that is due; gives the requests for which nobody waits any more: their loop is closed."""
        now = self._clock()
        due = [generation for generation in self._held if self._is_due(generation, now)]
        deliveries: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = defaultdict(list)
        for generation in due:
            deliveries[generation.loop].append(generation.delivery(joined(self._held.pop(generation))))
            if generation.finished:
                self.forget(generation)
            else:
                self._sent[generation] = now
        lost = {loop for loop, calls in deliveries.items() if not _call(loop, calls)}
        return [generation for generation in due if generation.loop in lost]

    def fail(self, generation: Generation, error: EngineError) -> None:
        """Hand over what there is, and then the reason why there is no more."""
        pieces = joined(self._held.pop(generation, []))
        self.forget(generation)
        _call(generation.loop, [*([generation.delivery(pieces)] if pieces else []), generation.delivery(error)])

    def forget(self, generation: Generation) -> None:
        """Nobody waits for it any more."""
        self._held.pop(generation, None)
        self._sent.pop(generation, None)

    def _is_due(self, generation: Generation, now: float) -> bool:
        sent = self._sent.get(generation)
        return sent is None or generation.finished or now - sent >= PAUSE_SECONDS


def joined(chunks: list[Chunk]) -> list[Chunk]:
    """The same answers in fewer pieces: one for each choice, and the usage last."""
    choices: dict[int, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        choices[-1 if chunk.usage else chunk.index].append(chunk)
    last = choices.pop(-1, [])
    return [*(_join(pieces) for pieces in choices.values()), *last]


def _join(pieces: list[Chunk]) -> Chunk:
    if len(pieces) == 1:
        return pieces[0]
    return Chunk(
        text="".join(piece.text for piece in pieces),
        index=pieces[0].index,
        tool_calls=tuple(delta for piece in pieces for delta in piece.tool_calls),
        logprobs=tuple(entry for piece in pieces for entry in piece.logprobs),
        finish_reason=pieces[-1].finish_reason,
        stop_string=pieces[-1].stop_string,
        model=pieces[0].model,
    )


def _call(loop: asyncio.AbstractEventLoop, calls: list[Callable[[], None]]) -> bool:
    """Make the calls on the loop, all in one turn; False if it is closed."""

    def make() -> None:
        for call in calls:
            call()

    try:
        loop.call_soon_threadsafe(make)
    except RuntimeError:
        return False
    return True
