"""What every `Accounts` promises, on every database it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger.protocol import (
    Budget,
    BudgetExceeded,
    Draft,
    Reservation,
    Reserved,
    Spend,
    UnknownHold,
    Window,
    tenant_account,
)
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.ledger.clock import HandClock

pytest_plugins = ["tests.ledger.postgres"]

NOVEMBER = datetime(2025, 11, 1, tzinfo=UTC)
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


def ten(window: Window = "month", tenant: str = "default", limit_usd: str = "10") -> list[Budget]:
    return [Budget(tenant_account(tenant), Decimal(limit_usd), window)]


def usd(amount: str, tenant: str = "default") -> Reservation:
    return Reservation(tenant, Decimal(amount))


async def money(ledger: SqlLedger, tenant: str = "default") -> tuple[object, object]:
    spend = await ledger.spend(tenant_account(tenant), "month")
    return spend.settled_usd, spend.held_usd


async def test_a_hold_becomes_spend(ledger: SqlLedger) -> None:
    assert await ledger.spend("tenant/default", "month") == Spend(Decimal(0), Decimal(0), NOVEMBER, DECEMBER)
    await ledger.reserve("call_1", usd("2.5"), ten())
    assert await money(ledger) == (0, Decimal("2.5"))
    entry = await ledger.settle("call_1", call("1.25"))
    assert await ledger.read() == [entry]
    assert await money(ledger) == (Decimal("1.25"), 0)
    assert (await ledger.verify()).ok


async def test_what_does_not_fit_is_refused_in_a_sentence(ledger: SqlLedger) -> None:
    await ledger.append(call("6"))
    await ledger.reserve("call_1", usd("3"), ten())
    with pytest.raises(BudgetExceeded) as caught:
        await ledger.reserve("call_2", usd("1.000000001"), ten())
    assert str(caught.value) == (
        "Tenant 'default' may spend 10 USD per month: 6.000000000 USD is settled and 3.000000000 USD is held, "
        "so 1.000000001 USD more does not fit. The window ends 2025-12-01T00:00:00.000000Z."
    )
    assert caught.value.window_ends == DECEMBER
    assert not caught.value.retryable
    assert await money(ledger) == (6, 3)
    await ledger.reserve("call_2", usd("1"), ten())


async def test_what_is_asked_for_is_stored_with_its_hold_and_only_then(ledger: SqlLedger) -> None:
    digest = (await ledger.reserve("call_1", usd("6"), ten(), body=b"a question")).body_digest
    assert digest is not None
    assert await ledger.get_body(digest) == b"a question"
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", usd("6"), ten(), body=b"another question")
    assert (await ledger.reserve("call_3", usd("1"), ten())).body_digest is None
    verification = await ledger.verify()
    assert (verification.bodies, verification.ok) == (1, True)


async def test_a_limit_is_never_rounded_up_nor_an_amount_down(ledger: SqlLedger) -> None:
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_1", usd("0.0000000011"), ten(limit_usd="0.0000000019"))


async def test_the_same_reservation_twice_is_one(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", usd("6"), ten())
    await ledger.reserve("call_1", usd("6"), ten())
    assert await money(ledger) == (0, 6)
    for other in (usd("5"), usd("6", "other"), Reservation("default", Decimal(6), tokens=1)):
        with pytest.raises(ValueError, match="already holds"):
            await ledger.reserve("call_1", other, ten(tenant=other.tenant))


async def test_a_reservation_that_no_entry_could_name_is_refused(ledger: SqlLedger) -> None:
    for key, reservation, complaint in (
        ("", usd("1"), "key"),
        ("call_1", usd("1", "two\nlines"), "tenant"),
        ("bly_" + "a1" * 22, usd("1"), "secret"),
        ("call_1", usd("-1"), "amount"),
        ("call_1", Reservation("default", tokens=-1), "tokens"),
        ("call_1", Reservation("default", accounts=("two\nlines",)), "account"),
        ("call_1", Reservation("default", accounts=("tenant/other",)), "tenant/other"),
        ("call_1", Reservation("default", accounts=("key/1", "key/1")), "key/1"),
    ):
        with pytest.raises(ValueError, match=complaint):
            await ledger.reserve(key, reservation, [])
    with pytest.raises(ValueError, match="does not count for the account 'key/1'"):
        await ledger.reserve("call_1", usd("1"), [Budget("key/1", Decimal(5))])
    assert await money(ledger) == (0, 0)


async def test_a_released_hold_leaves_nothing(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", usd("10"), ten())
    await ledger.release("call_1")
    await ledger.release("call_1")
    assert await money(ledger) == (0, 0)
    assert await ledger.read() == []
    with pytest.raises(UnknownHold, match="call_1"):
        await ledger.settle("call_1", call("1"))


async def test_settling_twice_counts_once(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", usd("2"), ten())
    entry = await ledger.settle("call_1", call("1", key="call_1"))
    assert await ledger.settle("call_1", call("1", key="call_1")) == entry
    with pytest.raises(UnknownHold):
        await ledger.settle("call_1", call("1"))
    assert await money(ledger) == (1, 0)


async def test_the_truth_is_recorded_even_beyond_the_hold_and_the_limit(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", usd("9"), ten())
    await ledger.settle("call_1", call("12"))
    assert await money(ledger) == (12, 0)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", usd("0.000000001"), ten())
    await ledger.reserve("local", usd("0"), ten())
    await ledger.settle("local", call("0"))


async def test_a_settlement_of_another_tenant_is_refused(ledger: SqlLedger) -> None:
    await ledger.reserve("call_1", usd("1", "alpha"), ten(tenant="alpha"))
    with pytest.raises(ValueError, match="alpha"):
        await ledger.settle("call_1", call("1", tenant="beta"))
    assert await money(ledger, "alpha") == (0, 1)
    assert await ledger.read() == []


async def test_tenants_have_purses_of_their_own(ledger: SqlLedger) -> None:
    for tenant in ("alpha", "beta"):
        await ledger.reserve(f"{tenant}/call", usd("10", tenant), ten(tenant=tenant))
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
    spends = {window: await ledger.spend("tenant/default", window) for window in ("day", "month", "total")}
    assert {window: spend.settled_usd for window, spend in spends.items()} == {"day": 4, "month": 6, "total": 7}
    assert {window: spend.window_ends for window, spend in spends.items()} == {
        "day": datetime(2025, 12, 3, tzinfo=UTC),
        "month": datetime(2026, 1, 1, tzinfo=UTC),
        "total": None,
    }
    with pytest.raises(ValueError, match="day, month, total"):
        await ledger.spend("tenant/default", "week")  # type: ignore[arg-type]  # wrong on purpose


async def test_a_budget_without_a_window_never_refills(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.append(call("8"))
    clock.advance(days=400)
    with pytest.raises(BudgetExceeded, match="no window") as caught:
        await ledger.reserve("call_1", usd("3"), ten("total"))
    assert caught.value.window_ends is None
    await ledger.reserve("call_1", usd("3"), ten("day"))


async def test_a_settlement_after_midnight_counts_where_its_entry_falls(ledger: SqlLedger, clock: HandClock) -> None:
    clock.now = datetime(2025, 11, 30, 23, 59, tzinfo=UTC)
    await ledger.append(call("7"))
    await ledger.reserve("call_1", usd("3"), ten())
    clock.advance(minutes=2)
    assert await money(ledger) == (0, 3)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve("call_2", usd("8"), ten())
    await ledger.settle("call_1", call("2"))
    assert await money(ledger) == (2, 0)
    assert (await ledger.spend("tenant/default", "total")).settled_usd == 9
    assert (await ledger.verify()).ok


async def test_lapsed_holds_are_settled_in_full(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.reserve("old", usd("3"), ten())
    clock.advance(minutes=10)
    await ledger.reserve("young", usd("2"), ten())
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
        *(ledger.reserve(f"call_{number}", usd("0.3"), ten()) for number in range(100)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Reserved) for outcome in outcomes) == 33
    assert all(isinstance(outcome, Reserved | BudgetExceeded) for outcome in outcomes)
    assert await money(ledger) == (0, Decimal("9.9"))


async def test_every_account_of_a_call_has_room_or_the_call_is_refused(ledger: SqlLedger) -> None:
    call_ = Reservation("default", Decimal(3), 100, ("key/one", "model/coder"))
    budgets = [*ten(), Budget("key/one", Decimal(7), "day", limit_tokens=250), Budget("model/coder", limit_tokens=1000)]
    reserved = await ledger.reserve("call_1", call_, budgets)
    assert [(spend.held_usd, spend.held_tokens) for _, spend in reserved.spends] == [(Decimal(3), 100)] * 3
    await ledger.settle("call_1", call("2", tokens=90, accounts=call_.accounts))
    await ledger.reserve("call_2", call_, budgets)
    with pytest.raises(BudgetExceeded) as caught:
        await ledger.reserve("call_3", call_, budgets)
    assert caught.value.account == "key/one"
    assert str(caught.value).startswith("Key 'one' may spend 7 USD per day: 2.000000000 USD is settled and 3.00000")
    with pytest.raises(BudgetExceeded) as caught:
        await ledger.reserve("call_3", replace(call_, amount_usd=Decimal(1)), budgets)
    assert str(caught.value) == (
        "Key 'one' may use 250 tokens per day: 90 are settled and 100 are held, so 100 more do not fit. "
        "The window ends 2025-11-22T00:00:00.000000Z."
    )
    await ledger.reserve("call_3", replace(call_, accounts=("key/two", "model/coder")), [*ten(), budgets[2]])
    spend = await ledger.spend("model/coder", "total")
    assert (spend.settled_usd, spend.held_usd, spend.settled_tokens, spend.held_tokens) == (
        Decimal(2),
        Decimal(6),
        90,
        200,
    )
    assert (await ledger.spend("key/two", "total")).held_tokens == 100
    assert (await ledger.verify()).ok


async def test_a_lost_call_costs_all_its_accounts_what_it_held(ledger: SqlLedger, clock: HandClock) -> None:
    await ledger.reserve("call_1", Reservation("default", Decimal(3), 100, ("key/one",)), ten())
    clock.advance(minutes=1)
    [lost] = await ledger.lapse(clock.now)
    assert (lost.cost_usd, lost.tokens, lost.accounts) == (Decimal(3), 100, ("key/one",))
    spend = await ledger.spend("key/one", "day")
    assert (spend.settled_usd, spend.held_usd, spend.settled_tokens, spend.held_tokens) == (
        Decimal(3),
        Decimal(0),
        100,
        0,
    )
    assert (await ledger.verify()).ok


async def test_tokens_alone_are_counted_where_nothing_costs_money(ledger: SqlLedger) -> None:
    budget = [Budget("tenant/default", limit_tokens=100)]
    await ledger.append(call("0", tokens=80))
    with pytest.raises(BudgetExceeded, match="may use 100 tokens per month"):
        await ledger.reserve("call_1", Reservation("default", tokens=30), budget)
    await ledger.reserve("call_1", Reservation("default", tokens=20), budget)
