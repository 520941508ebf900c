"""What every `Retention` promises, on every database: what is due goes, all else stays, the chain holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.export import verify_export
from ledger.protocol import BodyLetGo, Draft, Entry, Reservation, UnknownBody
from ledger.retention import LET_GO, RETENTION_STREAM, Retention
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.ledger.clock import HandClock
from tests.ledger.retaining import ByClass, sweep_slowly
from tests.ledger.workers import start

pytest_plugins = ["tests.ledger.postgres"]

RULES = ByClass(short=7, long=30)
PATIENCE_SECONDS = 60


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: HandClock) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(ledger_url, clock=clock)
    yield opened
    await opened.close()


async def said(ledger: SqlLedger, body: bytes, kind: str = "short", **fields: Any) -> Entry:
    return await ledger.append(Draft("calls", "call.finished", "a", data={"class": kind}, output_body=body, **fields))


async def test_what_is_due_goes_its_entry_stays_and_an_entry_says_so(ledger: SqlLedger, clock: HandClock) -> None:
    as_retention: Retention = ledger  # the type checker is the judge
    old = await said(ledger, b"what was asked")
    clock.advance(days=6, hours=23)
    young = await said(ledger, b"something else")
    assert (await as_retention.sweep(RULES)).bodies == 0
    clock.advance(hours=1)
    swept = await ledger.sweep(RULES)
    assert (swept.bodies, swept.content_bytes, swept.erased) == (1, len(b"what was asked"), True)
    (told,) = await ledger.read(stream=RETENTION_STREAM)
    assert (told.type, told.data["bodies"], told.data["rules"]) == (LET_GO, [old.output_digest], RULES.told())
    assert swept.entries == [told.seq]
    with pytest.raises(BodyLetGo, match=r"was let go under retention on 2025-11-28 \(ledger entry 3\)"):
        await ledger.get_body(str(old.output_digest))
    assert await ledger.get_body(str(young.output_digest)) == b"something else"
    went = await ledger.let_go([str(old.output_digest), str(young.output_digest), "0" * 64])
    assert {digest: each.seq for digest, each in went.items()} == {old.output_digest: told.seq}
    assert await ledger.let_go([*(f"{number:064x}" for number in range(40_000)), str(old.output_digest)]) == went
    assert (await ledger.read())[0] == old
    verification = await ledger.verify()
    assert (verification.problem, verification.bodies, verification.let_go) == (None, 1, 1)
    with pytest.raises(UnknownBody) as never:
        await ledger.get_body("0" * 64)
    assert not isinstance(never.value, BodyLetGo)


async def test_a_shared_body_goes_when_the_last_entry_that_names_it_lets_it(
    ledger: SqlLedger, clock: HandClock
) -> None:
    shared = str((await said(ledger, b"shared")).output_digest)
    await said(ledger, b"else", "long", input_digest=shared)
    for_good = str((await said(ledger, b"kept")).output_digest)
    await said(ledger, b"kept", "of nobody")
    clock.advance(days=29)
    assert (await ledger.sweep(RULES)).bodies == 0
    clock.advance(days=1)
    assert (await ledger.sweep(RULES)).bodies == 2
    with pytest.raises(BodyLetGo):
        await ledger.get_body(shared)
    assert await ledger.get_body(for_good) == b"kept"
    assert (await ledger.verify()).ok


async def test_what_is_said_again_is_there_again_and_may_go_again(ledger: SqlLedger, clock: HandClock) -> None:
    digest = str((await said(ledger, b"hello")).output_digest)
    clock.advance(days=8)
    assert (await ledger.sweep(RULES)).bodies == 1
    await said(ledger, b"hello")
    assert await ledger.get_body(digest) == b"hello"
    assert await ledger.let_go([digest]) == {}
    assert (await ledger.sweep(RULES)).bodies == 0
    assert (await ledger.verify()).problem is None
    clock.advance(days=8)
    assert (await ledger.sweep(RULES)).bodies == 1
    verification = await ledger.verify()
    assert (verification.problem, verification.bodies, verification.let_go) == (None, 0, 2)


async def test_what_a_call_in_flight_asked_stays_and_a_lost_call_names_it(ledger: SqlLedger, clock: HandClock) -> None:
    await said(ledger, b"asked")
    clock.advance(days=8)
    reserved = await ledger.reserve("call_1", Reservation("default", Decimal(1)), [], body=b"asked")
    assert (await ledger.sweep(RULES)).bodies == 0
    assert await ledger.get_body(str(reserved.body_digest)) == b"asked"
    (lost,) = await ledger.lapse(clock() + timedelta(seconds=1))
    assert lost.input_digest == reserved.body_digest
    assert (await ledger.sweep(RULES)).bodies == 0
    assert (await ledger.verify()).ok


async def test_a_dry_run_counts_what_a_sweep_would_do_and_does_nothing(ledger: SqlLedger, clock: HandClock) -> None:
    await asyncio.gather(*(said(ledger, f"{number % 120}".encode()) for number in range(150)))
    clock.advance(days=8)
    foreseen = await ledger.sweep(RULES, dry_run=True)
    assert (foreseen.bodies, foreseen.entries, len(await ledger.read())) == (120, [], 150)
    swept = await ledger.sweep(RULES)
    assert (swept.bodies, swept.content_bytes) == (foreseen.bodies, foreseen.content_bytes)
    assert (await ledger.verify()).problem is None


async def test_a_later_sweep_begins_where_the_one_before_it_ended(ledger: SqlLedger, clock: HandClock) -> None:
    after: dict[int, int] = {}
    await said(ledger, b"one")
    clock.advance(days=8)
    await said(ledger, b"two")
    assert (await ledger.sweep(RULES, after=after)).bodies == 1
    assert after[7] == 1
    clock.advance(days=8)
    assert (await ledger.sweep(RULES, after=after)).bodies == 1
    assert (await ledger.verify()).let_go == 2


async def test_two_that_sweep_at_once_let_go_of_everything_once(
    ledger: SqlLedger, ledger_url: str, clock: HandClock
) -> None:
    await asyncio.gather(*(said(ledger, f"{number}".encode()) for number in range(40)))
    clock.advance(days=8)
    other = await open_ledger(ledger_url, clock=clock)
    swept = await asyncio.gather(ledger.sweep(RULES), other.sweep(RULES))
    await other.close()
    assert sum(each.bodies for each in swept) == 40
    verification = await ledger.verify()
    assert (verification.problem, verification.bodies, verification.let_go) == (None, 0, 40)


async def test_a_sweep_that_is_killed_leaves_nothing_half_done_and_the_next_one_finishes(
    ledger: SqlLedger, ledger_url: str, clock: HandClock
) -> None:
    await asyncio.gather(*(said(ledger, f"{number}".encode()) for number in range(150)))
    clock.advance(days=8)
    with start(sweep_slowly, ledger_url, clock, RULES) as worker:
        assert await asyncio.to_thread(worker.pipe.poll, PATIENCE_SECONDS)
        worker.pipe.recv()
        worker.pipe.send("go on")  # killed anywhere in the second transaction
        worker.process.kill()
        worker.process.join()
    found = await ledger.verify()
    assert found.problem is None
    assert found.let_go in (100, 150)
    assert found.bodies == 150 - found.let_go
    assert (await ledger.sweep(RULES)).bodies == found.bodies
    verification = await ledger.verify()
    assert (verification.problem, verification.bodies, verification.let_go) == (None, 0, 150)


async def test_an_export_holds_whatever_is_let_go_before_or_meanwhile(ledger: SqlLedger, clock: HandClock) -> None:
    await said(ledger, b"before")
    clock.advance(days=8)
    await ledger.sweep(RULES)
    for word in (b"one", b"two"):
        await said(ledger, word)
    clock.advance(days=8)
    lines = []
    async for line in ledger.export(bodies=True):
        lines.append(json.dumps(line))
        if "body" in line:
            assert (await ledger.sweep(RULES)).bodies == 2
    verification = verify_export(lines)
    assert (verification.problem, verification.entries, verification.bodies, verification.let_go) == (None, 4, 1, 1)
