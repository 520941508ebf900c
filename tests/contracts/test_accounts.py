"""What every `Accounts` promises, on every database it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger.protocol import Budget, BudgetExceeded, Draft, Spend, UnknownHold
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.ledger.clock import HandClock

pytest_plugins = ["tests.ledger.postgres"]

TEN = Budget(Decimal(10))
DECEMBER = datetime(2025, 12, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: HandClock) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(ledger_url, clock=clock)
    yield opened
    await opened.close()


def call(cost: str, **fields: Any) -> Draft:
    return Draft(stream="calls", type="call.completed", actor="key_1", cost_usd=Decimal(cost), **fields)


async def money(ledger: SqlLedger, tenant: str = "default") -> tuple[object, object]:
    spend = await ledger.spend(tenant, "month")
    return spend.settled_usd, spend.held_usd


async def test_a_hold_becomes_spend(ledger: SqlLedger) -> None:
    assert await ledger.spend("default", "month") == Spend(Decimal(0), Decimal(0), DECEMBER)
    await ledger.reserve("call_1", "default", Decimal("2.5"), TEN)
    assert await money(ledger) == (0, Decimal("2.5"))
    entry = await ledger.settle("call_1", call("1.25"))
    assert await ledger.read() == [entry]
    assert await money(ledger) == (Decimal("1.25"), 0)
    assert (await ledger.verify()).ok


async def test_what_does_not_fit_is_refused_in_a_sentence(ledger: SqlLedger) -> None:
    await ledger.append(call("6"))
    await ledger.reserve("call_1", "default", Decimal(3), TEN)
    with pytest.raises(BudgetExceeded) as caught:
        await ledger.reserve("call_2", "default", Decimal("1.000000001"), TEN)
    assert str(caught.value) == (
        "Tenant 'default' may spend 10 USD per month: 6.000000000 USD is settled and 3.000000000 USD is held, "
        "so 1.000000001 USD more does not fit. The window ends 2025-12-01T00:00:00.000000Z."
    )
    assert caught.value.window_ends == DECEMBER
    assert not caught.value.retryable
    assert await money(ledger) == (6, 3)
    await ledger.reserve("call_2", "default", Decimal(1), TEN)


async def test_what_is_asked_for_is_stored_with_its_hold_and_only_then(ledger: SqlLedger) -> None:
    digest = await ledger.reserve("call_1", "default", Decimal(6), TEN, body=b"a question")
    assert digest is not None
    assert await ledger.get_body(digest) == b"a question"
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", "default", Decimal(6), TEN, body=b"another question")
    assert await ledger.reserve("call_3", "default", Decimal(1), TEN) is None
    verification = await ledger.verify()
    assert (verification.bodies, verification.ok) == (1, True)


async def test_a_limit_is_never_rounded_up_nor_an_amount_down(ledger: SqlLedger) -> None:
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_1", "default", Decimal("0.0000000011"), Budget(Decimal("0.0000000019")))


async def test_the_same_reservation_twice_is_one(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", "default", Decimal(6), TEN)
    await ledger.reserve("call_1", "default", Decimal(6), TEN)
    assert await money(ledger) == (0, 6)
    for tenant, amount in (("default", Decimal(5)), ("other", Decimal(6))):
        with pytest.raises(ValueError, match="already holds"):
            await ledger.reserve("call_1", tenant, amount, TEN)


async def test_a_reservation_that_no_entry_could_name_is_refused(ledger: SqlLedger) -> None:
    for key, tenant, amount, complaint in (
        ("", "default", Decimal(1), "key"),
        ("call_1", "two\nlines", Decimal(1), "tenant"),
        ("bly_" + "a1" * 22, "default", Decimal(1), "secret"),
        ("call_1", "default", Decimal(-1), "amount"),
    ):
        with pytest.raises(ValueError, match=complaint):
            await ledger.reserve(key, tenant, amount, TEN)
    assert await money(ledger) == (0, 0)


async def test_a_released_hold_leaves_nothing(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", "default", Decimal(10), TEN)
    await ledger.release("call_1")
    await ledger.release("call_1")
    assert await money(ledger) == (0, 0)
    assert await ledger.read() == []
    with pytest.raises(UnknownHold, match="call_1"):
        await ledger.settle("call_1", call("1"))


async def test_settling_twice_counts_once(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", "default", Decimal(2), TEN)
    entry = await ledger.settle("call_1", call("1", key="call_1"))
    assert await ledger.settle("call_1", call("1", key="call_1")) == entry
    with pytest.raises(UnknownHold):
        await ledger.settle("call_1", call("1"))
    assert await money(ledger) == (1, 0)


async def test_the_truth_is_recorded_even_beyond_the_hold_and_the_limit(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", "default", Decimal(9), TEN)
    await ledger.settle("call_1", call("12"))
    assert await money(ledger) == (12, 0)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", "default", Decimal("0.000000001"), TEN)
    await ledger.reserve("local", "default", Decimal(0), TEN)
    await ledger.settle("local", call("0"))


async def test_a_settlement_of_another_tenant_is_refused(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", "alpha", Decimal(1), TEN)
    with pytest.raises(ValueError, match="alpha"):
        await ledger.settle("call_1", call("1", tenant="beta"))
    assert await money(ledger, "alpha") == (0, 1)
    assert await ledger.read() == []


async def test_tenants_have_purses_of_their_own(ledger: SqlLedger) -> None:
    for tenant in ("alpha", "beta"):
        await ledger.reserve(f"{tenant}/call", tenant, Decimal(10), TEN)
    await ledger.settle("alpha/call", call("4", tenant="alpha"))
    assert await money(ledger, "alpha") == (4, 0)
    assert await money(ledger, "beta") == (0, 10)


async def test_windows_are_utc_days_and_months(ledger: SqlLedger, clock: HandClock) -> None:
    clock.now = datetime(2025, 11, 30, 23, 59, 59, tzinfo=UTC)
    await ledger.append(call("1"))
    clock.advance(seconds=1)
    await ledger.append(call("2"))
    clock.advance(days=1)
    await ledger.append(call("4"))
    spends = {window: await ledger.spend("default", window) for window in ("day", "month", "total")}
    assert {window: spend.settled_usd for window, spend in spends.items()} == {"day": 4, "month": 6, "total": 7}
    assert {window: spend.window_ends for window, spend in spends.items()} == {
        "day": datetime(2025, 12, 3, tzinfo=UTC),
        "month": datetime(2026, 1, 1, tzinfo=UTC),
        "total": None,
    }
    with pytest.raises(ValueError, match="day, month, total"):
        await ledger.spend("default", "week")  # type: ignore[arg-type]  # wrong on purpose


async def test_a_budget_without_a_window_never_refills(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.append(call("8"))
    clock.advance(days=400)
    with pytest.raises(BudgetExceeded, match="no window") as caught:
        await ledger.reserve("call_1", "default", Decimal(3), Budget(Decimal(10), "total"))
    assert caught.value.window_ends is None
    await ledger.reserve("call_1", "default", Decimal(3), Budget(Decimal(10), "day"))


async def test_a_settlement_after_midnight_counts_where_its_entry_falls(ledger: SqlLedger, clock: HandClock) -> None:
    clock.now = datetime(2025, 11, 30, 23, 59, tzinfo=UTC)
    await ledger.append(call("7"))
    await ledger.reserve("call_1", "default", Decimal(3), TEN)
    clock.advance(minutes=2)
    assert await money(ledger) == (0, 3)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", "default", Decimal(8), TEN)
    await ledger.settle("call_1", call("2"))
    assert await money(ledger) == (2, 0)
    assert (await ledger.spend("default", "total")).settled_usd == 9
    assert (await ledger.verify()).ok


async def test_lapsed_holds_are_settled_in_full(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.reserve("old", "default", Decimal(3), TEN)
    clock.advance(minutes=10)
    await ledger.reserve("young", "default", Decimal(2), TEN)
    [lost] = await ledger.lapse(clock.now)
    assert (lost.stream, lost.type, lost.actor, lost.tenant) == ("calls", "call.lost", "ledger", "default")
    assert lost.cost_usd == 3
    assert lost.data == {"hold": "old", "reserved_at": "2025-11-21T12:00:00.000000Z"}
    assert await ledger.lapse(clock.now) == []
    assert await money(ledger) == (3, 2)
    with pytest.raises(UnknownHold):
        await ledger.settle("old", call("1"))
    assert (await ledger.verify()).ok


async def test_a_hundred_at_once_never_overshoot(ledger: SqlLedger) -> None:
    outcomes = await asyncio.gather(
        *(ledger.reserve(f"call_{number}", "default", Decimal("0.3"), TEN) for number in range(100)),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 33
    assert all(outcome is None or isinstance(outcome, BudgetExceeded) for outcome in outcomes)
    assert await money(ledger) == (0, Decimal("9.9"))
