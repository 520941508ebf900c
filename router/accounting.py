"""Money and record of calls: held before anything is sent, settled afterwards, also when the client goes away.

Every attempt counts for the accounts of its tenant, key, task and model; the ledger is the arbiter, so nothing here
is right only in one process. Who calls it: the router, around each attempt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from inference.catalog import ModelBase
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import Caller, ChatRequest, EmbedRequest, Usage
from ledger.protocol import (
    Accounts,
    BudgetExceeded,
    Ledger,
    LedgerDamaged,
    LedgerUnavailable,
    Reservation,
    UnknownHold,
)
from router.budgets import accounts_of, budgets_of, model_account, tenant_model_account, tokens_of
from router.decide import Rules
from router.errors import ModelQuotaExceeded, QuotaExceeded
from router.record import CallRecord, Kind, call_key, refusal
from router.shadows.spec import shadow_of
from router.standing import Standing


@contextmanager
def _recording() -> Iterator[None]:
    """What cannot be recorded is not done."""
    try:
        yield
    except (LedgerUnavailable, LedgerDamaged) as error:
        raise EngineUnavailable(f"The ledger cannot be written, so no call is made: {error}") from error


class Accounting:
    """Holds, settles, releases and refuses."""

    def __init__(self, rules: Rules, ledger: Ledger, accounts: Accounts) -> None:
        """Nothing is held yet."""
        self._rules = rules
        self._ledger = ledger
        self._accounts = accounts
        self.standing = Standing(lambda: datetime.now(UTC))
        self._pending: set[asyncio.Task[object]] = set()

    async def hold(self, record: CallRecord, model: ModelBase, worst: Usage) -> None:
        """Hold what an attempt may cost at worst. Raises `QuotaExceeded`.

        A caller who leaves meanwhile leaves no hold behind, only the record of a call that cost nothing.
        """
        holding = asyncio.ensure_future(self._hold(record, model, worst))
        try:
            await asyncio.shield(holding)
        except asyncio.CancelledError:
            await self._to_the_end(self._settle_once(holding, record))
            raise

    async def settle(self, record: CallRecord) -> None:
        """Settle, even while the call is being cancelled."""
        await self._to_the_end(self._settle(record))

    async def release(self, record: CallRecord) -> None:
        """Give back what was held for an attempt that another one replaces."""
        await self._to_the_end(self._accounts.release(call_key(record.request_id)))

    async def refuse(self, kind: Kind, request: ChatRequest | EmbedRequest, error: EngineError) -> None:
        """Record that nothing was sent, and why."""
        with _recording():
            await self._ledger.append(refusal(kind, request.request_id, request.caller, request.model, error))

    async def refuse_attempt(self, record: CallRecord, error: EngineError) -> None:
        """The same, for the last candidate of a call; what was asked may be stored already, and stays in sight."""
        refused = refusal(record.kind, record.request_id, record.caller, record.route.asked, error)
        with _recording():
            await self._ledger.append(replace(refused, input_digest=record.input_digest))

    async def note(self, record: CallRecord) -> None:
        """Record a call that held nothing, even while it is being cancelled."""
        await self._to_the_end(self._ledger.append(record.draft()))

    async def close(self) -> None:
        """Wait until what was spent is recorded."""
        await asyncio.gather(*self._pending, return_exceptions=True)

    async def _hold(self, record: CallRecord, model: ModelBase, worst: Usage) -> None:
        caller = record.caller
        tenant = self._rules.tenants[caller.tenant]
        budgets = budgets_of(tenant, self._rules.model_budgets, caller, model.name)
        accounts = accounts_of(caller, model.name)
        reservation = Reservation(caller.tenant, model.price.most_usd(worst), tokens_of(worst), accounts)
        limits = [budget for budget, _ in budgets]
        if shadow_of(record.request_id):
            limits = [spec.up_to_soft_limit(budget.account) for budget, spec in budgets]
        try:
            with _recording():
                reserved = await self._accounts.reserve(
                    call_key(record.request_id), reservation, limits, body=record.input_body
                )
        except BudgetExceeded as error:
            raise _quota_exceeded(error, caller, model) from error
        record.input_digest = reserved.body_digest
        spends = [(budget, spend) for (budget, _), (_, spend) in zip(budgets, reserved.spends, strict=True)]
        self.standing.remember(replace(reserved, spends=tuple(spends)))
        for alert in self.standing.alerts(budgets):
            with _recording():
                await self._ledger.append(alert)

    async def _settle_once(self, holding: asyncio.Future[None], record: CallRecord) -> None:
        with suppress(EngineError):
            await holding
            await self._settle(record)

    async def _settle(self, record: CallRecord) -> None:
        try:
            await self._accounts.settle(call_key(record.request_id), record.draft())
        except UnknownHold:
            # Another process took this one for dead and charged the hold; what happened is recorded all the same.
            await self._ledger.append(record.draft())

    async def _to_the_end(self, work: Coroutine[object, object, object]) -> None:
        """Do it even while this call is being cancelled: the work is a task of its own that `close` waits for."""
        task = asyncio.ensure_future(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        with _recording():
            await asyncio.shield(task)


def _quota_exceeded(error: BudgetExceeded, caller: Caller, model: ModelBase) -> QuotaExceeded:
    wait = (error.window_ends.timestamp() - time.time()) if error.window_ends else None
    of_model = {model_account(model.name), tenant_model_account(caller.tenant, model.name)}
    kind = ModelQuotaExceeded if error.account in of_model else QuotaExceeded
    return kind(str(error), retry_after_seconds=wait)
