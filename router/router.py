"""The router: an Engine made of Engines.

One call goes policy -> difficulty -> budget -> limits -> call -> record. Another candidate may take
over only before the first chunk; after that an error ends the stream honestly. Money is reserved
before anything is sent and settled afterwards, also when the client goes away in the middle.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

from inference.catalog import ModelBase
from inference.collect import request_bytes
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import (
    ChatRequest,
    Chunk,
    Embeddings,
    EmbedRequest,
    Engine,
    Health,
    ModelCard,
    Tokens,
    Usage,
)
from inference.replicas import MayBeCold
from ledger.protocol import Accounts, Ledger
from router.accounting import Accounting
from router.budgets import rates_of, tokens_of
from router.decide import Decider, Rules
from router.errors import NotNow, PolicyRefused, QuotaExceeded
from router.fallback import may_be_replaced, without
from router.limits import Slots
from router.planning import Planner, told
from router.policy import prompt_bytes
from router.prefixes import Memory
from router.privacy.assessment import outbound
from router.privacy.restore import Restorer
from router.rates import Rates
from router.record import CallRecord
from router.resilience.guards import Guards
from router.route import Route, expected_usage, worst_embedding_usage, worst_usage
from router.shadows.spec import shadow_of
from router.spec import RouteSpec
from router.versions.versions import Versions
from router.workloads import R, slots_of


class Router:
    """An Engine that answers through the engines it was handed, by the names that `versions` has for them.

    Those are the models' names if models have no versions.
    """

    def __init__(
        self,
        rules: Rules,
        engines: Mapping[str, Engine],
        ledger: Ledger,
        accounts: Accounts,
        versions: Versions | None = None,
    ) -> None:
        self._rules = rules
        self._engines = engines
        self._versions = versions or Versions(rules.catalog)
        self._accounting = Accounting(rules, ledger, accounts)
        self.standing = self._accounting.standing
        self.guards = Guards()
        self._memory = Memory()
        self._decider = Decider(rules, self._versions, self.standing, self.guards, self._memory)
        self._rates = Rates(time.monotonic)
        self.slots: dict[str, Slots] = {}
        for model in rules.catalog.models:
            self._slots(model, "")

    # -- deciding ---------------------------------------------------------------------------------------------

    def models(self) -> Sequence[ModelCard]:
        """Every route, every model that has an engine, versions that may be asked for by name, adapters in use."""
        return self._decider.models(self._engines)

    @property
    def planner(self) -> Planner:
        """What plans requests whose answers will be checked; takes what was learnt."""
        return self._decider.planner

    @property
    def routes(self) -> Mapping[str, RouteSpec]:
        """The routes by name."""
        return self._rules.routes

    def decide(self, request: ChatRequest) -> Route:
        """Which models may answer, in order, and why; nothing is sent. Raises `EngineError`."""
        return self._decider.decide(request)

    async def _without_cold(self, route: Route) -> Route:
        """The route without the candidates that have nothing running and another model to stand in for them."""
        replaceable = may_be_replaced(route)
        warm = {model.name for model in replaceable if await self._warm(model)}
        return without(route, {model.name for model in replaceable} - warm)

    async def _warm(self, model: ModelBase) -> bool:
        engine = self._engine(model)
        return engine.warm() if isinstance(engine, MayBeCold) else (await engine.health()).ready

    # -- answering --------------------------------------------------------------------------------------------

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer through the first candidate that can. Raises `EngineError`."""
        request = self._classed(request)
        with ExitStack() as held:
            record = await self._open(request, held)
            held.enter_context(self._within_rates(record, expected_usage(request)))
            for model in record.route.candidates:
                try:
                    async with self._accounted(model, record, worst_usage(model, request), request):
                        sent, restorer = self._sent(request, model, record.route.adapter)
                        asked = partial(self._engine(model).stream, sent)
                        guarded = self._decider.guard(model).stream(asked, request.deadline, record.retry)
                        async with aclosing(guarded) as chunks:
                            async for chunk in chunks:
                                restored = restorer.restore(chunk) if restorer else chunk
                                yield self._observed(restored, record, model, request)
                        record.collector.completion()  # a stream that stops half-way is an error
                        record.ending = "finished"
                except EngineError as error:
                    if not record.may_be_taken_over:
                        raise
                    record.taken_over.append((model.name, error.message))
                else:
                    return

    async def _open(self, request: ChatRequest, held: ExitStack) -> CallRecord:
        """The call that begins; from the decision on the engines of its candidates are held open."""
        try:
            route = self.decide(request)
            held.enter_context(self._versions.in_use(route.candidates))
            route = await self._without_cold(route)
        except EngineError as error:
            await self._accounting.refuse("generate", request, error)
            raise
        tokens = prompt_bytes(request) // 4
        return CallRecord("generate", request.request_id, request.caller, route, tokens, request_bytes(request))

    def _observed(self, chunk: Chunk, record: CallRecord, model: ModelBase, request: ChatRequest) -> Chunk:
        """Count a chunk; the first carries the route, the last the price."""
        route, verified = "", chunk.verified
        if record.first_chunk_seconds is None:
            record.first_chunk_seconds = time.monotonic() - record.started
            route, verified = record.route.line(model), told(record.route, model)
            self._memory.sent(request, model, record.route.adapter)
        shown = self._versions.shown_as(model, chunk.model)
        if route or chunk.usage or chunk.route or chunk.model != shown:  # most are passed on as they are
            usage = chunk.usage and replace(chunk.usage, cost_usd=model.price.cost_usd(chunk.usage))
            chunk = replace(chunk, route=route, usage=usage, model=shown, verified=verified)
        record.collector.add(chunk)
        return chunk

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through the named model, under the same rules and budgets. Raises `EngineError`."""
        request = self._classed(request)
        try:
            route = self._decider.embedding(request)
        except EngineError as error:
            await self._accounting.refuse("embed", request, error)
            raise
        model, said = route.candidates[0], "\n".join(request.texts).encode()
        tokens = len(said) // 4
        record = CallRecord("embed", request.request_id, request.caller, route, tokens, said)
        worst = worst_embedding_usage(model, request.texts)
        with self._versions.in_use([model]), self._within_rates(record, Usage(tokens)):
            async with self._accounted(model, record, worst, request):
                asked = partial(self._engine(model).embed, self._sent(request, model)[0])
                embeddings = await self._decider.guard(model).call(asked, request.deadline, record.retry)
                record.usage, record.ending = embeddings.usage, "finished"
        shown = self._versions.shown_as(model, embeddings.model)
        return replace(embeddings, usage=replace(embeddings.usage, cost_usd=record.cost_usd), model=shown)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt as the first candidate would read it; it costs nothing. Raises `EngineError`."""
        route = self.decide(request)
        with self._versions.in_use(route.candidates):
            model = (await self._without_cold(route)).candidates[0]
            tokens = await self._engine(model).tokenize(self._sent(request, model, route.adapter)[0])
        return replace(tokens, model=self._versions.shown_as(model, tokens.model))

    @contextmanager
    def _within_rates(self, record: CallRecord, guess: Usage) -> Iterator[None]:
        """Count a call and its tokens, first as guessed, then as they were. Raises `RateLimited`.

        That is counted, but not recorded: who asks too often would otherwise fill the ledger.
        """
        shadow = shadow_of(record.request_id)  # which the client did not ask for
        rates = [] if shadow else rates_of(self._rules.tenants[record.caller.tenant], record.caller)
        self._rates.take(rates, tokens_of(guess))
        try:
            yield
        finally:
            self._rates.correct(rates, tokens_of(guess), tokens_of(record.counted))

    def _classed(self, request: R) -> R:
        """The request with what its workload gives it; a shadow is behind everything that somebody waits for."""
        workload = self._rules.workloads.get(request.caller.workload)
        classed = workload.applied(request) if workload else request
        return replace(classed, priority="batch") if shadow_of(request.request_id) else classed

    async def note(self, record: CallRecord) -> None:
        """Record a call that was answered without one of ours (router/sharing.py)."""
        await self._accounting.note(record)

    # -- one attempt ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _accounted(
        self, model: ModelBase, record: CallRecord, worst: Usage, request: ChatRequest | EmbedRequest
    ) -> AsyncGenerator[None, None]:
        """Hold money and a slot around one attempt; then settle it, or release it for the next candidate."""
        await self._held(model, record, worst)
        record.begin(model, self._versions.weights(model, record.route.adapter))
        try:
            record.enqueue()
            slots, tenant = self._slots(model, record.caller.workload), record.caller.tenant
            async with slots.slot(request.deadline, request.priority, tenant):
                record.admit()
                yield
        except EngineError as error:
            record.fail(error)
            raise
        finally:
            if answer := record.answered:
                self._versions.observed(model, request, answer, record.route.adapter)
            if record.may_be_taken_over:
                await self._accounting.release(record)
            else:
                await self._accounting.settle(record)

    async def _held(self, model: ModelBase, record: CallRecord, worst: Usage) -> None:
        try:
            if shadow_of(record.request_id):
                self._wait_for_nothing(model, record.caller.workload)
            await self._accounting.hold(record, model, worst)
        except (QuotaExceeded, NotNow) as error:
            record.begin(model)
            record.fail(error)
            if not record.may_be_taken_over:
                await self._accounting.refuse_attempt(record, error)
            raise

    def _wait_for_nothing(self, model: ModelBase, workload: str) -> None:
        """Refuse a shadow that would have to wait. Raises `NotNow`."""
        ejection = self._decider.guard(model).ejection()
        if ejection or not self._slots(model, workload).is_free("batch"):
            raise NotNow(f"{model.name} is not asked: {ejection.reason if ejection else 'no slot is free'}.")

    def _sent(self, request: R, model: ModelBase, adapter: str = "") -> tuple[R, Restorer | None]:
        """What a model is sent, and what its answer goes through. Raises `PolicyRefused`.

        The decision looked at the stable version; what is sent now may be sent to another one, or to an adapter of it.
        """
        workload = self._rules.workloads.get(request.caller.workload)
        if workload and (reason := workload.refuses(model.name, self._versions.weights(model, adapter))):
            raise PolicyRefused(f"Nothing was sent to {model.name}: {reason}.")
        sent = replace(request, model=self._versions.sent_as(model, adapter))
        return outbound(sent, self._decider.privacy(request.caller), remote=model.remote)

    def _engine(self, model: ModelBase) -> Engine:
        if engine := self._engines.get(self._versions.key(model)):
            return engine
        raise EngineUnavailable(f"{model.name} has just been replaced by another version; ask again.")

    def _slots(self, model: ModelBase, workload: str) -> Slots:
        """Those that a workload has of a model: its own, or what is left to all that have none."""
        at_once = model.answers_at_once(self._rules.placed)
        owner, at_once = slots_of(self._rules.workloads, workload, at_once)
        key = self._versions.key(model) + (f" for {owner}" if owner else "")
        if key not in self.slots:
            queue = self._rules.workloads[owner].queue if owner else None
            queue, weights = model.queue if queue is None else queue, self._rules.weights
            self.slots[key] = Slots(key, at_once, queue, preempts=model.preempts, weights=weights)
        return self.slots[key]

    # -- state ------------------------------------------------------------------------------------------------

    async def health(self) -> Health:
        """Ready when any engine is; the detail names the ones that are not."""
        healths = {name: await engine.health() for name, engine in list(self._engines.items())}
        down = [f"{name}: {health.detail or 'not ready'}" for name, health in healths.items() if not health.ready]
        return Health(len(down) < len(healths), "; ".join(down))

    async def close(self) -> None:
        """Wait until what was spent is recorded. The engines belong to whoever built them."""
        await self._accounting.close()
