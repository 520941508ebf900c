"""What was learnt is taken up while the appliance runs, also after the store was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import learning
from gateway.learning import learn, up_to_date
from inference.collect import complete
from inference.protocol import Message
from ledger.protocol import Entry, LedgerUnavailable
from ledger.sql_ledger import SqlLedger, open_ledger
from router.estimates.features import of_request
from router.planning import Planner
from router.router import Router
from router.verified import VerifiedCalls
from router.versions.versions import Versions
from tests.router.conftest import CATALOG, rules, scripted
from tests.router.test_workloads import ask, workload


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
    async with asyncio.timeout(30), up_to_date(planner, away, {}):
        assert planner.estimators == {}
        await learn(ledger, "ada", {})
        while not planner.estimators:
            await asyncio.sleep(0)
    assert away.tries == 2
    await ledger.close()


async def test_a_class_learns_from_those_alone_that_inform_it(tmp_path: Path) -> None:
    """secret informs nobody and shown informs other: what small did there is known there, and nowhere else."""
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    declared = {"secret": workload("secret"), "shown": workload("shown", informs=["other"]), "other": workload("other")}
    router = Router(replace(rules(), workloads=declared), {"small": scripted("small")}, ledger, ledger)
    answers = VerifiedCalls(ledger, Versions(CATALOG))
    for name, times in (("secret", 4), ("shown", 2), ("", 1)):
        for number in range(times):
            request = ask(name, "small", request_id=f"{name}{number}")
            await complete(router, replace(request, messages=(Message("user", f"Write {name} {number}"),)))
            await answers.verified(request.request_id, passed=True, tested=True)
    made = await learn(ledger, "ada", declared)
    seen = {sources: artefact.facts.outcomes.get("small") for sources, artefact in made.items()}
    assert seen == {("",): 1, ("", "secret"): 5, ("", "shown"): 3, ("", "other", "shown"): 3}
    planner = Planner(CATALOG)
    async with up_to_date(planner, ledger, declared):
        features = of_request(ask())
        known = {
            name: estimator.estimate(features, ["small"])["small"].outcomes
            for name, estimator in planner.estimators.items()
        }
    assert {name: round(count) for name, count in known.items()} == {"": 1, "secret": 5, "shown": 3, "other": 3}
    async with up_to_date(planner, ledger, {**declared, "secret": workload("secret", informs=["other"])}):
        assert set(planner.estimators) == {"", "secret", "shown"}  # other has to learn anew before it plans
    await ledger.close()
