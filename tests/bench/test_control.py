"""The simulation of money and residency, small, over several seeds; and that its checks can fail."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bench.control import group
from bench.control.upstream import Work
from inference.protocol import Usage


@pytest.mark.parametrize("seed", [2, 3])
async def test_budgets_residency_and_books_hold(tmp_path: Path, seed: int) -> None:
    outcome = await group.simulated(tmp_path, 400, seed)
    rows = group.rows_of(outcome)
    assert [row.what for row in rows if row.holds is False] == []
    assert {entry.type for entry in outcome.entries} >= {"call.finished", "call.failed", "call.cancelled"}
    money = group.books(outcome)
    assert money.counted > 0
    assert money.cut_off > 0


async def test_a_wrong_entry_is_noticed(tmp_path: Path) -> None:
    outcome = await group.simulated(tmp_path, 100, 4)
    outcome.upstreams["cloud-strong"].books.append(replace_class(outcome, "confidential"))
    assert group.violations(outcome) == 1
    finished = next(entry for entry in outcome.entries if entry.type == "call.finished")
    forged = [replace(e, cost_usd=e.cost_usd + Decimal("0.01")) if e is finished else e for e in outcome.entries]
    outcome.entries = forged
    money = group.books(outcome)
    assert money.counted_in_ledger == money.counted + Decimal("0.01")
    outcome.spent_usd = {"tenant-0": group.LIMIT_USD + 1}
    assert group.overshoot(outcome) == 1


def replace_class(outcome: group.Outcome, data_class: str) -> Work:
    """A piece of work for a request that is on record, of another class."""
    known = next(entry for entry in outcome.entries if entry.type == "call.finished")
    return Work(str(known.data["request_id"]), data_class, Usage())
