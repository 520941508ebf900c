"""The router: an Engine made of Engines.

One call goes policy -> difficulty -> budget -> limits -> call -> record. Another candidate may take
over only before the first chunk; after that an error ends the stream honestly. Money is reserved
before anything is sent and settled afterwards, also when the client goes away in the middle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal

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
)
from inference.replicas import MayBeCold
from ledger.protocol import Accounts, BudgetExceeded, Ledger, LedgerDamaged, LedgerUnavailable, UnknownHold
from router.decide import Decider, Rules
from router.difficulty import Difficulty
from router.errors import QuotaExceeded
from router.fallback import may_be_replaced, without
from router.limits import Slots
from router.policy import prompt_bytes
from router.record import CallRecord, Kind, call_key, refusal
from router.route import Route, direct, worst_cost, worst_embedding_cost
from router.versions.versions import Versions


@contextmanager
def _recording() -> Iterator[None]:
    """What cannot be recorded is not done."""
    try:
        yield
    except (LedgerUnavailable, LedgerDamaged) as error:
        raise EngineUnavailable(f"The ledger cannot be written, so no call is made: {error}") from error


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
        self._decider = Decider(rules, self._versions)
        self._ledger = ledger
        self._accounts = accounts
        self.slots: dict[str, Slots] = {}
        for model in rules.catalog.models:
            self._slots(model)
        self._pending: set[asyncio.Task[object]] = set()

    # -- deciding ---------------------------------------------------------------------------------------------

    def models(self) -> Sequence[ModelCard]:
        """Every route, every model that has an engine, versions that may be asked for by name, adapters in use."""
        return self._decider.models(self._engines)

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
        with ExitStack() as held:
            record = await self._open(request, held)
            for model in record.route.candidates:
                try:
                    async with self._accounted(model, record, worst_cost(model, request), request):
                        sent = replace(request, model=self._versions.sent_as(model, record.route.adapter))
                        async with aclosing(self._engine(model).stream(sent)) as chunks:
                            async for chunk in chunks:
                                yield self._observed(chunk, record, model)
                        record.collector.completion()  # a stream that stops half-way is an error
                        record.ending = "finished"
                except EngineError:
                    if not record.may_be_taken_over:
                        raise
                else:
                    return

    async def _open(self, request: ChatRequest, held: ExitStack) -> CallRecord:
        """The call that begins; from the decision on the engines of its candidates are held open."""
        try:
            route = self.decide(request)
            held.enter_context(self._versions.in_use(route.candidates))
            route = await self._without_cold(route)
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
        shown = self._versions.shown_as(model, chunk.model)
        if route or chunk.usage or chunk.route or chunk.model != shown:  # most are passed on as they are
            usage = chunk.usage and replace(chunk.usage, cost_usd=model.price.cost_usd(chunk.usage))
            chunk = replace(chunk, route=route, usage=usage, model=shown)
        record.collector.add(chunk)
        return chunk

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through the named model, under the same rules and budgets. Raises `EngineError`."""
        try:
            model = self._decider.embedder(request)
        except EngineError as error:
            await self._refuse("embed", request, error)
            raise
        as_prompt = ChatRequest(model.name, prompt="\n".join(request.texts), caller=request.caller)
        route = direct(model, Difficulty(0.0, {}), as_prompt)
        tokens, said = prompt_bytes(as_prompt) // 4, "\n".join(request.texts).encode()
        record = CallRecord("embed", request.request_id, request.caller, route, tokens, said)
        with self._versions.in_use([model]):
            async with self._accounted(model, record, worst_embedding_cost(model, request.texts), request):
                embeddings = await self._engine(model).embed(replace(request, model=self._versions.sent_as(model)))
                record.usage, record.ending = embeddings.usage, "finished"
        shown = self._versions.shown_as(model, embeddings.model)
        return replace(embeddings, usage=replace(embeddings.usage, cost_usd=record.cost_usd), model=shown)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt as the first candidate would read it; it costs nothing. Raises `EngineError`."""
        route = self.decide(request)
        with self._versions.in_use(route.candidates):
            model = (await self._without_cold(route)).candidates[0]
            sent = replace(request, model=self._versions.sent_as(model, route.adapter))
            tokens = await self._engine(model).tokenize(sent)
        return replace(tokens, model=self._versions.shown_as(model, tokens.model))

    # -- money and record -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _accounted(
        self, model: ModelBase, record: CallRecord, worst_usd: Decimal, request: ChatRequest | EmbedRequest
    ) -> AsyncGenerator[None, None]:
        """Reserve and hold a slot around one attempt; then settle it, or release it for the next candidate."""
        await self._held(record, worst_usd)
        record.begin(model, self._versions.weights(model, record.route.adapter))
        try:
            async with self._slots(model).slot(request.deadline, request.priority):
                record.admit()
                yield
        except EngineError as error:
            record.fail(error)
            raise
        finally:
            if answer := record.answered:
                self._versions.observed(model, request, answer, record.route.adapter)
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

    def _engine(self, model: ModelBase) -> Engine:
        if engine := self._engines.get(self._versions.key(model)):
            return engine
        raise EngineUnavailable(f"{model.name} has just been replaced by another version; ask again.")

    def _slots(self, model: ModelBase) -> Slots:
        key = self._versions.key(model)
        if key not in self.slots:
            at_once = model.answers_at_once(self._rules.placed)
            self.slots[key] = Slots(key, at_once, model.queue, preempts=model.preempts)
        return self.slots[key]

    # -- state ------------------------------------------------------------------------------------------------

    async def health(self) -> Health:
        """Ready when any engine is; the detail names the ones that are not."""
        healths = {name: await engine.health() for name, engine in list(self._engines.items())}
        down = [f"{name}: {health.detail or 'not ready'}" for name, health in healths.items() if not health.ready]
        return Health(len(down) < len(healths), "; ".join(down))

    async def close(self) -> None:
        """Wait until what was spent is recorded. The engines belong to whoever built them."""
        await asyncio.gather(*self._pending, return_exceptions=True)
