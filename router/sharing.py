"""Equal requests share an answer, on routes that opt in: one that is being given, or one that was given before.

An Engine around the router. Equal means: the same words, sampling and limits, asked by the same tenant in the same data
class, of a route whose first candidate is the same version of the same model. The router accounts for and records the
one call that is made; the others are recorded here with a pointer to it, and cost nothing. Who may not be answered by
the route is refused as always. Answers are kept in this process's memory, within bounds.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

from inference.collect import request_bytes
from inference.deadline import within_deadline
from inference.errors import EngineError
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Engine, Health, ModelCard, Tokens, Usage
from router.flights import Flight
from router.record import CallRecord
from router.route import Route
from router.router import Router

MOST_PIECES = 200_000
"""Of answers that are kept: some 40 MB."""


class SharingEngine:
    """Answers through the router, or an `engine` around it, once for equal requests."""

    def __init__(
        self, router: Router, clock: Callable[[], float] = time.monotonic, engine: Engine | None = None
    ) -> None:
        self._router = router
        self._engine: Engine = engine or router
        self._clock = clock
        self._flights: OrderedDict[bytes, Flight] = OrderedDict()

    def models(self) -> Sequence[ModelCard]:
        """The router's."""
        return self._router.models()

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The router's answer, or one that an equal request has got or gets. Raises `EngineError`."""
        spec = self._router.routes.get(request.model)
        if spec is None or spec.share is None:
            return self._engine.stream(request)
        return self._shared(request, spec.share.keep_seconds)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """The router's vectors."""
        return await self._router.embed(request)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The router's reading of a prompt."""
        return await self._router.tokenize(request)

    async def health(self) -> Health:
        """The router's health."""
        return await self._router.health()

    async def close(self) -> None:
        """Close the router."""
        await self._router.close()

    async def _shared(self, request: ChatRequest, keep_seconds: float) -> AsyncGenerator[Chunk, None]:
        chosen = self._chosen(request, keep_seconds)
        async with aclosing(within_deadline(chosen, request.deadline)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _chosen(self, request: ChatRequest, keep_seconds: float) -> AsyncGenerator[Chunk, None]:
        try:
            route = self._router.decide(request)
        except EngineError:
            return self._engine.stream(request)  # which records that it was refused
        key = _key(request, route)
        if flight := self._current(key):
            return self._copied(request, route, flight)
        # Each listener has a deadline of its own; the call ends when the last of them has left.
        flight = Flight(request.request_id, self._engine.stream(replace(request, deadline=None)))
        flight.when_over = lambda: self._keep(key, flight, keep_seconds)
        self._flights[key] = flight
        return flight.listen()

    def _current(self, key: bytes) -> Flight | None:
        flight = self._flights.get(key)
        return flight if flight and (flight.under_way or self._clock() < flight.keep_until) else None

    def _keep(self, key: bytes, flight: Flight, keep_seconds: float) -> None:
        """A call has ended: keep its answer for a while, or forget it; the oldest go first when there are too many."""
        if self._flights.get(key) is not flight:
            return
        if not (flight.succeeded and keep_seconds):
            del self._flights[key]
            return
        flight.keep_until = self._clock() + keep_seconds
        self._flights.move_to_end(key)
        while sum(kept.size for kept in self._flights.values()) > MOST_PIECES:
            self._flights.popitem(last=False)

    async def _copied(self, request: ChatRequest, route: Route, flight: Flight) -> AsyncGenerator[Chunk, None]:
        record = CallRecord("generate", request.request_id, request.caller, route, 0, b"", answer_of=flight.request_id)
        record.begin(route.candidates[0])
        record.usage = Usage()
        try:
            async with aclosing(flight.listen()) as chunks:
                async for chunk in chunks:
                    yield _copy(chunk, flight.request_id)
            record.ending = "finished"
        except EngineError as error:
            record.fail(error)
            raise
        finally:
            await self._router.note(record)


def _key(request: ChatRequest, route: Route) -> bytes:
    """What makes requests equal."""
    caller = replace(request.caller, actor="", key="", task="")
    bare = replace(request, caller=caller, request_id="", deadline=None, max_cost_usd=None)
    model = route.candidates[0]
    answers = f"{route.answers_as(model)}@{model.version}"
    return hashlib.blake2b(answers.encode() + b"\0" + request_bytes(bare), digest_size=32).digest()


def _copy(chunk: Chunk, request_id: str) -> Chunk:
    """The same piece for somebody who does not pay for it."""
    if chunk.route:
        chunk = replace(chunk, route=f"{chunk.route}; answer_of={request_id}")
    return replace(chunk, usage=replace(chunk.usage, cost_usd=Decimal(0))) if chunk.usage else chunk
