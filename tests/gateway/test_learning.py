"""What was learnt is taken up while the appliance runs, also after the store was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway import learning
from gateway.learning import learn, up_to_date
from ledger.protocol import Entry, LedgerUnavailable
from ledger.sql_ledger import SqlLedger, open_ledger
from router.planning import Planner
from tests.router.conftest import CATALOG


class AwayAtFirst:
    """A ledger that nobody can follow at the first try."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger, self.tries = ledger, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def follow(self, stream: str, *, after: int = 0) -> AsyncGenerator[Entry, None]:
        self.tries += 1
        if self.tries == 1:
            raise LedgerUnavailable("The database is down.")
        async for entry in self._ledger.follow(stream, after=after):
            yield entry


async def test_what_is_learnt_while_it_runs_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_PAUSE_SECONDS", 0.0)
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    planner, away = Planner(CATALOG), AwayAtFirst(ledger)
    async with asyncio.timeout(30), up_to_date(planner, away):
        assert planner.estimator is None
        await learn(ledger, "ada")
        while planner.estimator is None:
            await asyncio.sleep(0)
    assert away.tries == 2
    await ledger.close()
