"""Pairs from a ledger, and what they say; intervals against made pairs whose truth is known."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inference.catalog import ScriptedReply
from inference.collect import complete
from ledger.sql_ledger import SqlLedger
from router.shadows.comparison import compare, share
from router.shadows.pairs import Answer, Pair, ShadowLog, shadow_log
from tests.router.shadows.house import House, ask

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_pairs_are_read_back_with_what_both_said(ledger: SqlLedger) -> None:
    same = ScriptedReply(text="small says these five words", when="same")
    house = House(ledger, replies=(same, ScriptedReply(text="middle says so")))
    for text in ("the same", "another"):
        await complete(house.engine, ask(text))
        await house.shadows()
    log = await shadow_log(ledger, "auto", LONG_AGO)
    assert log.endings == {"finished": 2}
    assert log.shadow_endings == {"middle": {"finished": 2}}
    alike, different = log.pairs["middle"]
    assert alike.given.digest == alike.shadow.digest is not None
    assert different.given.digest != different.shadow.digest
    (comparison,) = compare(log)
    assert (comparison.pairs, comparison.model) == (2, "middle")
    assert comparison.equal is not None
    assert (comparison.equal.value, comparison.equal.of) == (0.5, 2)
    assert comparison.shadow.finish_reasons == {"stop": 2}
    assert comparison.cost_usd.value > 0
    assert (comparison.cost_usd.low, comparison.cost_usd.high) == (None, None)  # of two pairs
    later = await shadow_log(ledger, "auto", datetime.now(UTC) + timedelta(hours=1))
    assert (later, compare(later)) == (ShadowLog(), [])
    assert await shadow_log(ledger, "another", LONG_AGO) == ShadowLog()
    await house.router.close()


def made(pairs: int, equal: float, slower: float, seed: int) -> ShadowLog:
    chance = random.Random(seed)

    def pair() -> Pair:
        given = Answer("weak", 0.001, chance.lognormvariate(0, 1), 0.1, ("stop",), "a")
        shadow = Answer("strong", chance.uniform(0.001, 0.005), given.seconds + slower + chance.gauss(0, 0.5), None)
        return Pair(given, replace(shadow, digest="a" if chance.random() < equal else "b", finish_reasons=("length",)))

    endings = {"strong": Counter(finished=pairs, failed=pairs // 9)}
    return ShadowLog(Counter(finished=pairs * 2), endings, Counter(), {"strong": [pair() for _ in range(pairs)]})


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = Counter[str]()
    for seed in range(12):
        (comparison,) = compare(made(50, equal=0.2, slower=0.3, seed=seed))
        truths = (("equal", 0.2), ("seconds", 0.3), ("cost_usd", 0.002))
        for name, truth in truths:
            estimate = getattr(comparison, name)
            held[name] += estimate.low <= truth <= estimate.high
    assert {name: times >= 9 for name, times in held.items()} == {"equal": True, "seconds": True, "cost_usd": True}


def test_what_is_not_known_is_left_out() -> None:
    log = made(20, equal=0.5, slower=0, seed=1)
    log.pairs["strong"] = [replace(pair, shadow=replace(pair.shadow, digest=None)) for pair in log.pairs["strong"]]
    (comparison,) = compare(log)
    assert (comparison.equal, comparison.first_seconds, comparison.shadow.first_seconds) == (None, None, None)
    assert comparison.route.failed is not None
    assert comparison.route.failed.value == 0
    assert comparison.shadow.failed is not None
    assert comparison.shadow.failed.value == pytest.approx(2 / 22)


@pytest.mark.parametrize(
    ("some", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval(some: int, of: int, low: float, high: float) -> None:
    """The last is the example of R. G. Newcombe (1998); the others are found in tables."""
    estimate = share(some, of)
    assert estimate is not None
    assert estimate.low == pytest.approx(low, abs=1e-4)
    assert estimate.high == pytest.approx(high, abs=1e-4)
    assert share(0, 0) is None
