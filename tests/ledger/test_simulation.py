"""Random histories of money on a hand-moved clock: the ledger says what a few lines of Python say."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ledger.protocol import Budget, BudgetExceeded, Draft, UnknownHold, Window
from ledger.sql_ledger import open_ledger
from tests.ledger.clock import HandClock

AMOUNTS = st.decimals(min_value=0, max_value=5, places=2)
TENANTS = st.sampled_from(["alpha", "beta"])
WINDOWS: list[Window] = ["day", "month", "total"]
FORMATS: dict[Window, str] = {"day": "%Y-%m-%d", "month": "%Y-%m", "total": ""}


class Money(RuleBasedStateMachine):
    """Holds by key, costs by tenant and time; reserve, settle, release, lapse, and time that passes."""

    keys = Bundle("keys")

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.clock = HandClock()
        self.runner = asyncio.Runner()
        self.ledger = self.runner.run(open_ledger(f"sqlite:///{self.directory}/ledger.db", clock=self.clock))
        self.holds: dict[str, tuple[str, Decimal, datetime]] = {}
        self.costs: list[tuple[str, Decimal, datetime]] = []

    def settled(self, tenant: str, window: Window) -> Decimal:
        now = self.clock().strftime(FORMATS[window])
        return sum(
            (cost for owner, cost, time in self.costs if owner == tenant and time.strftime(FORMATS[window]) == now),
            Decimal(0),
        )

    def held(self, tenant: str) -> Decimal:
        return sum((amount for owner, amount, _ in self.holds.values() if owner == tenant), Decimal(0))

    @rule(target=keys, tenant=TENANTS, amount=AMOUNTS, window=st.sampled_from(WINDOWS))
    def reserve(self, tenant: str, amount: Decimal, window: Window) -> str:
        key, limit = f"call_{len(self.costs)}_{len(self.holds)}_{self.clock().isoformat()}", Decimal(10)
        while key in self.holds:
            key += "+"
        fits = not amount or self.settled(tenant, window) + self.held(tenant) + amount <= limit
        try:
            self.runner.run(self.ledger.reserve(key, tenant, amount, Budget(limit, window)))
        except BudgetExceeded:
            assert not fits
        else:
            assert fits
            self.holds[key] = (tenant, amount, self.clock())
        return key

    @rule(key=consumes(keys), cost=AMOUNTS)
    def settle(self, key: str, cost: Decimal) -> None:
        tenant = self.holds[key][0] if key in self.holds else "alpha"
        draft = Draft("calls", "call.completed", "key_1", tenant=tenant, cost_usd=cost)
        try:
            entry = self.runner.run(self.ledger.settle(key, draft))
        except UnknownHold:
            assert key not in self.holds
        else:
            del self.holds[key]
            self.costs.append((tenant, cost, entry.time))

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
        expected = [key for key, (_, _, created) in self.holds.items() if created < before]
        assert sorted(str(entry.data["hold"]) for entry in lost) == sorted(expected)
        for key in expected:
            tenant, amount, _ = self.holds.pop(key)
            self.costs.append((tenant, amount, now))

    @rule(hours=st.sampled_from([1, 11, 13, 24, 24 * 10, 24 * 40]))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @invariant()
    def the_ledger_agrees(self) -> None:
        for tenant in ("alpha", "beta"):
            for window in WINDOWS:
                spend = self.runner.run(self.ledger.spend(tenant, window))
                assert (spend.settled_usd, spend.held_usd) == (self.settled(tenant, window), self.held(tenant))

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            assert self.runner.run(self.ledger.verify()).ok
            self.runner.run(self.ledger.close())
            self.runner.close()
            shutil.rmtree(self.directory)


TestMoney = Money.TestCase
TestMoney.settings = settings(deadline=None, max_examples=10, stateful_step_count=12)
