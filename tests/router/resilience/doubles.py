"""A hand-moved clock and an upstream that does what it is told, one try after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from inference.errors import EngineError, EngineUnavailable, RateLimited
from inference.protocol import Chunk
from inference.resilience import ResilienceSpec
from router.resilience.guard import Guard

DOWN = EngineUnavailable("Down.")


def later(seconds: float) -> RateLimited:
    return RateLimited("Slow down.", retry_after_seconds=seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Nobody waits: the clock is moved."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Hang:
    """Does not go on until it is `over`."""

    def __init__(self) -> None:
        self.over = asyncio.Event()


Step = str | EngineError | Hang


class Upstream:
    """Each try plays the next script: pieces of text, an error that ends it, or a wait."""

    def __init__(self, *scripts: list[Step]) -> None:
        self.scripts = list(scripts)
        self.asked = 0
        self.open = 0
        self.cancelled = 0

    async def stream(self) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        self.open += 1
        try:
            for step in self.scripts.pop(0):
                yield Chunk(await self._step(step))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            await asyncio.sleep(0)  # who closes it has to wait for it
            self.open -= 1

    async def whole(self) -> str:
        self.asked += 1
        return "".join([await self._step(step) for step in self.scripts.pop(0)])

    async def _step(self, step: Step) -> str:
        await asyncio.sleep(0)
        if isinstance(step, EngineError):
            raise step
        if isinstance(step, Hang):
            await step.over.wait()
            return ""
        return step


def guard(clock: Clock, spec: object = None) -> Guard:
    """Whose pauses are the longest that could be drawn."""
    return Guard("coder", ResilienceSpec.model_validate(spec or {}), clock, lambda low, high: high, clock.sleep)


async def texts(stream: AsyncGenerator[Chunk, None]) -> list[str]:
    return [chunk.text async for chunk in stream]


async def eventually(clock: Clock, seconds: float) -> None:
    """Let everything run that can, with the clock moved to a time from now."""
    for _ in range(20):
        await asyncio.sleep(0)
    clock.now += seconds
    for _ in range(20):
        await asyncio.sleep(0)
