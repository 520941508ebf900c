"""The router: an Engine made of Engines.

One call goes policy -> difficulty -> budget -> limits -> call -> record. Another candidate may take
over only before the first chunk; after that an error ends the stream honestly. Money is reserved
before anything is sent and settled afterwards, also when the client goes away in the middle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from inference.catalog import Catalog, ModelBase
from inference.collect import request_bytes
from inference.errors import EngineError, EngineUnavailable, ModelNotFound
from inference.protocol import (
    Caller,
    Capability,
    ChatRequest,
    Chunk,
    Embeddings,
    EmbedRequest,
    Engine,
    Health,
    ModelCard,
    Tokens,
)
from ledger.protocol import Accounts, BudgetExceeded, Ledger, LedgerDamaged, LedgerUnavailable, UnknownHold
from router.difficulty import Difficulty, estimate
from router.errors import PolicyRefused, QuotaExceeded
from router.limits import Slots
from router.policy import Needs, feasible, needs, prompt_bytes
from router.record import CallRecord, Kind, call_key, refusal
from router.route import Route, affordable, choose, direct, worst_cost, worst_embedding_cost
from router.spec import RouteSpec, TenantSpec


@dataclass(frozen=True, slots=True)
class Rules:
    """What models.yaml says about routing; `tenants` and `routes` by name."""

    catalog: Catalog
    routes: Mapping[str, RouteSpec]
    tenants: Mapping[str, TenantSpec]
    air_gapped: bool


@contextmanager
def _recording() -> Iterator[None]:
    """What cannot be recorded is not done."""
    try:
        yield
    except (LedgerUnavailable, LedgerDamaged) as error:
        raise EngineUnavailable(f"The ledger cannot be written, so no call is made: {error}") from error


class Router:
    """An Engine that answers through the engines it was handed (by model name)."""

    def __init__(self, rules: Rules, engines: Mapping[str, Engine], ledger: Ledger, accounts: Accounts) -> None:
        self._rules = rules
        self._engines = engines
        self._ledger = ledger
        self._accounts = accounts
        self.slots = {
            model.name: Slots(model.name, model.concurrency, model.queue, preempts=model.preempts)
            for model in rules.catalog.models
        }
        self._pending: set[asyncio.Task[object]] = set()

    # -- deciding ---------------------------------------------------------------------------------------------

    def models(self) -> Sequence[ModelCard]:
        """Every route, then every model that has an engine."""
        cards = [model.card() for model in self._rules.catalog.models if model.name in self._engines]
        return [*(self._route_card(spec) for spec in self._rules.routes.values()), *cards]

    def _route_card(self, spec: RouteSpec) -> ModelCard:
        members = self._members(spec)
        capabilities: frozenset[Capability] = frozenset().union(*(model.capabilities for model in members))
        return ModelCard(spec.name, capabilities, max(model.context_tokens for model in members))

    def decide(self, request: ChatRequest) -> Route:
        """Which models may answer, in order, and why; nothing is sent. Raises `EngineError`."""
        self._check_tenant(request.caller, request.model)
        difficulty, wanted = estimate(request), needs(request)
        if spec := self._rules.routes.get(request.model):
            allowed = feasible(self._members(spec), wanted, air_gapped=self._rules.air_gapped)
            return affordable(choose(spec, allowed, self._rules.catalog, difficulty, request), request)
        model = self._model(request.model)
        # A named model judges the length itself, with its own tokenizer.
        feasible([model], replace(wanted, least_tokens=0), air_gapped=self._rules.air_gapped)
        return affordable(direct(model, difficulty, request), request)

    def _members(self, spec: RouteSpec) -> list[ModelBase]:
        return [self._model(name) for name in spec.models]

    def _model(self, name: str) -> ModelBase:
        if model := self._rules.catalog.get(name):
            return model
        valid = ", ".join(card.id for card in self.models())
        raise ModelNotFound(f"There is no model {name!r}; valid names: {valid}.", param="model")

    def _check_tenant(self, caller: Caller, model: str) -> TenantSpec:
        tenant = self._rules.tenants.get(caller.tenant)
        if tenant is None:
            raise PolicyRefused(f"Tenant {caller.tenant!r} is not declared in models.yaml.")
        if not tenant.may_use(model):
            raise ModelNotFound(f"Tenant {caller.tenant!r} may not use model {model!r}.", param="model")
        return tenant

    # -- answering --------------------------------------------------------------------------------------------

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer through the first candidate that can. Raises `EngineError`."""
        record = await self._open(request)
        for model in record.route.candidates:
            try:
                async with self._accounted(model, record, worst_cost(model, request), request):
                    upstream = self._engines[model.name].stream(replace(request, model=model.name))
                    async with aclosing(upstream) as chunks:
                        async for chunk in chunks:
                            yield self._observed(chunk, record, model)
                    record.collector.completion()  # a stream that stops half-way is an error
                    record.ending = "finished"
            except EngineError:
                if not record.may_be_taken_over:
                    raise
            else:
                return

    async def _open(self, request: ChatRequest) -> CallRecord:
        try:
            route = self.decide(request)
        except EngineError as error:
            await self._refuse("generate", request, error)
            raise
        tokens = prompt_bytes(request) // 4
        return CallRecord("generate", request.request_id, request.caller, route, tokens, request_bytes(request))

    def _observed(self, chunk: Chunk, record: CallRecord, model: ModelBase) -> Chunk:
        """Count a chunk; the first carries the route, the last the price."""
        route = ""
        if record.first_chunk_seconds is None:
            record.first_chunk_seconds = time.monotonic() - record.started
            route = record.route.line(model)
        usage = chunk.usage and replace(chunk.usage, cost_usd=model.price.cost_usd(chunk.usage))
        observed = replace(chunk, route=route, usage=usage, model=chunk.model or model.name)
        record.collector.add(observed)
        return observed

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through the named model, under the same rules and budgets. Raises `EngineError`."""
        try:
            self._check_tenant(request.caller, request.model)
            model = self._embedding_model(request)
        except EngineError as error:
            await self._refuse("embed", request, error)
            raise
        as_prompt = ChatRequest(model.name, prompt="\n".join(request.texts), caller=request.caller)
        route = direct(model, Difficulty(0.0, {}), as_prompt)
        tokens, said = prompt_bytes(as_prompt) // 4, "\n".join(request.texts).encode()
        record = CallRecord("embed", request.request_id, request.caller, route, tokens, said)
        async with self._accounted(model, record, worst_embedding_cost(model, request.texts), request):
            embeddings = await self._engines[model.name].embed(replace(request, model=model.name))
            record.usage, record.ending = embeddings.usage, "finished"
        return replace(embeddings, usage=replace(embeddings.usage, cost_usd=record.cost_usd))

    def _embedding_model(self, request: EmbedRequest) -> ModelBase:
        wanted = Needs({"embeddings": "model"}, request.caller.data_class)
        spec = self._rules.routes.get(request.model)
        candidates = self._members(spec) if spec else [self._model(request.model)]
        return feasible(candidates, wanted, air_gapped=self._rules.air_gapped).models[0]

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt as the first candidate would read it; it costs nothing. Raises `EngineError`."""
        model = self.decide(request).candidates[0]
        return await self._engines[model.name].tokenize(replace(request, model=model.name))

    # -- money and record -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _accounted(
        self, model: ModelBase, record: CallRecord, worst_usd: Decimal, request: ChatRequest | EmbedRequest
    ) -> AsyncGenerator[None, None]:
        """Reserve and hold a slot around one attempt; then settle it, or release it for the next candidate."""
        await self._held(record, worst_usd)
        record.begin(model)
        try:
            async with self.slots[model.name].slot(request.deadline, request.priority):
                yield
        except EngineError as error:
            record.fail(error)
            raise
        finally:
            if record.may_be_taken_over and record.error:
                record.taken_over.append((model.name, record.error.message))
                await self._to_the_end(self._accounts.release(call_key(record.request_id)))
            else:
                await self._to_the_end(self._settle(record))

    async def _held(self, record: CallRecord, worst_usd: Decimal) -> None:
        """Reserve; a caller who leaves meanwhile leaves no hold behind, only the record of a call that cost nothing."""
        reserving = asyncio.ensure_future(self._reserve(record, worst_usd))
        try:
            await asyncio.shield(reserving)
        except asyncio.CancelledError:
            await self._to_the_end(self._settle_once(reserving, record))
            raise

    async def _settle_once(self, reserving: asyncio.Future[None], record: CallRecord) -> None:
        with suppress(EngineError):  # a refusal is in the ledger already
            await reserving
            await self._settle(record)

    async def _reserve(self, record: CallRecord, worst_usd: Decimal) -> None:
        budget = self._rules.tenants[record.caller.tenant].budget.budget()
        try:
            with _recording():
                record.input_digest = await self._accounts.reserve(
                    call_key(record.request_id), record.caller.tenant, worst_usd, budget, body=record.input_body
                )
        except BudgetExceeded as error:
            wait = (error.window_ends.timestamp() - time.time()) if error.window_ends else None
            refused = QuotaExceeded(str(error), retry_after_seconds=wait)
            with _recording():
                await self._ledger.append(
                    refusal(record.kind, record.request_id, record.caller, record.route.asked, refused)
                )
            raise refused from error

    async def _settle(self, record: CallRecord) -> None:
        try:
            await self._accounts.settle(call_key(record.request_id), record.draft())
        except UnknownHold:
            # Another process took this one for dead and charged the hold; what happened is recorded all the same.
            await self._ledger.append(record.draft())

    async def _refuse(self, kind: Kind, request: ChatRequest | EmbedRequest, error: EngineError) -> None:
        with _recording():
            await self._ledger.append(refusal(kind, request.request_id, request.caller, request.model, error))

    async def _to_the_end(self, work: Coroutine[object, object, object]) -> None:
        """Settle even while this call is being cancelled: the work is a task of its own that `close` waits for."""
        task = asyncio.ensure_future(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        with _recording():
            await asyncio.shield(task)

    # -- state ------------------------------------------------------------------------------------------------

    async def health(self) -> Health:
        """Ready when any engine is; the detail names the ones that are not."""
        healths = {name: await engine.health() for name, engine in self._engines.items()}
        down = [f"{name}: {health.detail or 'not ready'}" for name, health in healths.items() if not health.ready]
        return Health(len(down) < len(healths), "; ".join(down))

    async def close(self) -> None:
        """Wait until what was spent is recorded. The engines belong to whoever built them."""
        await asyncio.gather(*self._pending, return_exceptions=True)
