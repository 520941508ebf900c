"""Asks another model, too, once a route that says so has answered well; nobody waits for it and nobody sees it.

An Engine around the router. A shadow is a call of the router like any other, with an id of its own, so every rule binds
it anew: data class, air gap, workload, privacy, budgets (up to their soft limits), slots. It runs in the background, at
most so many at a time; what cannot go at once is left out and counted. Who calls it: router/sharing.py, for calls that
are made, so that an answer that is given twice is shadowed once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from inference.errors import EngineError
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens
from router.errors import NotNow, QuotaExceeded
from router.router import Router
from router.shadows.spec import ShadowSpec, shadow_id
from router.versions.versions import counts_against

log = logging.getLogger(__name__)
Outcome = Literal["finished", "failed", "cancelled", "skipped"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a shadow: `reason` is an error's code, or why none was begun; empty for one that finished."""

    route: str
    model: str
    outcome: Outcome
    reason: str = ""


class ShadowingEngine:
    """Answers through the router, and afterwards asks the models that routes are compared with."""

    def __init__(self, router: Router) -> None:
        """No shadow is under way."""
        self._router = router
        self._under_way: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._fates: Counter[Fate] = Counter()
        self._spent: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._closed = False

    @property
    def fates(self) -> Mapping[Fate, int]:
        """How often what became of shadows, since the start."""
        return self._fates

    @property
    def spent_usd(self) -> Mapping[tuple[str, str], Decimal]:
        """What finished shadows cost, by route and model, since the start."""
        return self._spent

    def models(self) -> Sequence[ModelCard]:
        """The router's."""
        return self._router.models()

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The router's answer. Raises `EngineError`.

        Drafts of answers that are checked have no shadows: what counts of them is what the checks say.
        """
        route = self._router.routes.get(request.model)
        spec = route.shadow if route else None
        if spec is None or request.checking or not spec.takes(request.request_id):
            return self._router.stream(request)
        return self._followed(request, spec)

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
        """Break off what is under way and wait until that is recorded. The router belongs to whoever built it."""
        self._closed = True
        tasks = [task for tasks in self._under_way.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _followed(self, request: ChatRequest, spec: ShadowSpec) -> AsyncGenerator[Chunk, None]:
        model = ""
        async with aclosing(self._router.stream(request)) as chunks:
            async for chunk in chunks:
                model = chunk.model or model
                yield chunk
        self._begin(request, spec, answered_by=model)  # only here, where the answer has ended well

    def _begin(self, request: ChatRequest, spec: ShadowSpec, answered_by: str) -> None:
        under_way = self._under_way[request.model]
        if self._closed:
            return
        if answered_by == spec.model:
            self._note(request, spec, "skipped", "same_model")
        elif len(under_way) >= spec.at_once:
            self._note(request, spec, "skipped", "at_once")
        else:
            task = asyncio.create_task(self._shadow(request, spec), name=shadow_id(request.request_id))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            task.add_done_callback(_tell_of_mistake)

    async def _shadow(self, request: ChatRequest, spec: ShadowSpec) -> None:
        deadline = time.time() + spec.deadline_seconds
        asked = replace(request, request_id=shadow_id(request.request_id), deadline=deadline)
        outcome: Outcome = "cancelled"
        reason = ""
        try:
            async with aclosing(self._router.stream(asked)) as chunks:
                async for chunk in chunks:
                    if chunk.usage:
                        self._spent[request.model, spec.model] += chunk.usage.cost_usd
            outcome = "finished"
        except EngineError as error:
            outcome, reason = "failed" if _was_sent(error) else "skipped", error.code
        finally:
            self._note(request, spec, outcome, reason)

    def _note(self, request: ChatRequest, spec: ShadowSpec, outcome: Outcome, reason: str) -> None:
        self._fates[Fate(request.model, spec.model, outcome, reason)] += 1


@asynccontextmanager
async def shadowing(router: Router) -> AsyncGenerator[ShadowingEngine, None]:
    """The engine; closed in the end."""
    engine = ShadowingEngine(router)
    try:
        yield engine
    finally:
        await engine.close()


def _was_sent(error: EngineError) -> bool:
    """Whether it is the model that failed; all else (a rule, no money, no slot) is a reason not to ask it."""
    return counts_against(error) and not isinstance(error, NotNow | QuotaExceeded)


def _tell_of_mistake(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (mistake := task.exception()):
        log.error("the shadow %s failed by an unforeseen error", task.get_name(), exc_info=mistake)
