"""Random histories of money on a hand-moved clock: the ledger says what a few lines of Python say."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ledger.protocol import Budget, BudgetExceeded, Draft, Reservation, UnknownHold, Window, tenant_account
from ledger.sql_ledger import open_ledger
from tests.ledger.clock import HandClock

AMOUNTS = st.decimals(min_value=0, max_value=5, places=2)
TOKENS = st.integers(0, 400)
KEYS = st.sampled_from(["key/one", "key/two"])
TENANTS = st.sampled_from(["alpha", "beta"])
WINDOWS: list[Window] = ["day", "month", "total"]
FORMATS: dict[Window, str] = {"day": "%Y-%m-%d", "month": "%Y-%m", "total": ""}


def counts(work: Reservation, account: str) -> bool:
    return account in (tenant_account(work.tenant), *work.accounts)


def total(works: Iterable[Reservation]) -> tuple[Decimal, int]:
    known = list(works)
    return sum((work.amount_usd for work in known), Decimal(0)), sum(work.tokens for work in known)


class Money(RuleBasedStateMachine):
    """Holds by key, costs by account and time; reserve, settle, release, lapse, and time that passes."""

    keys = Bundle("keys")

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.clock = HandClock()
        self.runner = asyncio.Runner()
        self.ledger = self.runner.run(open_ledger(f"sqlite:///{self.directory}/ledger.db", clock=self.clock))
        self.holds: dict[str, tuple[Reservation, datetime]] = {}
        self.costs: list[tuple[Reservation, datetime]] = []

    def settled(self, account: str, window: Window) -> tuple[Decimal, int]:
        now = self.clock().strftime(FORMATS[window])
        return total(
            cost for cost, time in self.costs if counts(cost, account) and time.strftime(FORMATS[window]) == now
        )

    def held(self, account: str) -> tuple[Decimal, int]:
        return total(reservation for reservation, _ in self.holds.values() if counts(reservation, account))

    def fits(self, reservation: Reservation, budget: Budget) -> bool:
        (settled, held) = (self.settled(budget.account, budget.window), self.held(budget.account))
        usd, tokens = settled[0] + held[0], settled[1] + held[1]
        within_usd = budget.limit_usd is None or usd + reservation.amount_usd <= budget.limit_usd
        within_tokens = budget.limit_tokens is None or tokens + reservation.tokens <= budget.limit_tokens
        return (within_usd or not reservation.amount_usd) and (within_tokens or not reservation.tokens)

    @rule(target=keys, tenant=TENANTS, amount=AMOUNTS, tokens=TOKENS, own=KEYS, window=st.sampled_from(WINDOWS))
    def reserve(self, tenant: str, amount: Decimal, tokens: int, own: str, window: Window) -> str:
        key = f"call_{len(self.costs)}_{len(self.holds)}_{self.clock().isoformat()}"
        while key in self.holds:
            key += "+"
        reservation = Reservation(tenant, amount, tokens, (own,))
        budgets = [
            Budget(tenant_account(tenant), Decimal(10), window),
            Budget(own, Decimal(12), "day", limit_tokens=1000),
        ]
        fits = all(self.fits(reservation, budget) for budget in budgets)
        try:
            self.runner.run(self.ledger.reserve(key, reservation, budgets))
        except BudgetExceeded:
            assert not fits
        else:
            assert fits
            self.holds[key] = (reservation, self.clock())
        return key

    @rule(key=consumes(keys), cost=AMOUNTS, tokens=TOKENS)
    def settle(self, key: str, cost: Decimal, tokens: int) -> None:
        held = self.holds[key][0] if key in self.holds else Reservation("alpha")
        draft = Draft(
            "calls", "call.completed", "key_1", held.tenant, cost_usd=cost, tokens=tokens, accounts=held.accounts
        )
        try:
            entry = self.runner.run(self.ledger.settle(key, draft))
        except UnknownHold:
            assert key not in self.holds
        else:
            del self.holds[key]
            self.costs.append((replace(held, amount_usd=cost, tokens=tokens), entry.time))

    @rule(key=consumes(keys))
    def release(self, key: str) -> None:
        self.runner.run(self.ledger.release(key))
        self.holds.pop(key, None)

    @rule(minutes=st.integers(0, 1440))
    def lapse(self, minutes: int) -> None:
        now = self.clock.now
        self.clock.advance(minutes=-minutes)
        before, self.clock.now = self.clock.now, now
        lost = self.runner.run(self.ledger.lapse(before))
        expected = [key for key, (_, created) in self.holds.items() if created < before]
        assert sorted(str(entry.data["hold"]) for entry in lost) == sorted(expected)
        for key in expected:
            self.costs.append((self.holds.pop(key)[0], now))

    @rule(hours=st.sampled_from([1, 11, 13, 24, 24 * 10, 24 * 40]))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @invariant()
    def the_ledger_agrees(self) -> None:
        for account in ("tenant/alpha", "tenant/beta", "key/one", "key/two"):
            for window in WINDOWS:
                spend = self.runner.run(self.ledger.spend(account, window))
                assert (spend.settled_usd, spend.settled_tokens) == self.settled(account, window)
                assert (spend.held_usd, spend.held_tokens) == self.held(account)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            assert self.runner.run(self.ledger.verify()).ok
            self.runner.run(self.ledger.close())
            self.runner.close()
            shutil.rmtree(self.directory)


TestMoney = Money.TestCase
TestMoney.settings = settings(deadline=None, max_examples=10, stateful_step_count=12)
